// A conversation as the token ids that the model reads.
//
// The template's own <|im_start|> and <|im_end|> become control tokens; the same letters inside a
// message, a tool's description or an argument stay text, so that nobody ends a turn or begins
// another one from within. Templates look at contents, trim them and take them apart, so contents
// cannot simply be kept away from them. Instead one character of each control token that stands in
// a content is replaced by a character that occurs nowhere else, the template renders that, the
// control tokens are found, and the character is put back before the text between them is encoded.
// The same is done where a content could become part of a control token together with what the
// template writes before or behind it. A conversation without such letters is rendered as it is.
//
// What a template can notice: a comparison with a text that holds a control token. Tokens that the
// vocabulary finds in any text (<think>, <tool_call>) are found in contents too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace braid {

struct ChatPrompt {
  std::string text;  // as the template renders the conversation
  std::vector<int32_t> ids;
};

struct PromptTooLong : Error {
  PromptTooLong(size_t n_bytes, size_t n_ids)
      : Error(fmt::format("a prompt of {} bytes, which are at least {} tokens", n_bytes, n_ids)),
        bytes(n_bytes),
        least_ids(n_ids) {}
  size_t bytes, least_ids;
};

// Made once; any number of threads may use it. The tokenizer outlives it.
class ChatEncoder {
 public:
  explicit ChatEncoder(const Tokenizer& tokenizer);

  // Throws Error as ChatTemplate::render does, and PromptTooLong before a text is taken apart that
  // can have no fewer than so many ids.
  ChatPrompt encode(const ChatTemplate& chat_template, const ChatInput& input,
                    size_t most_ids = std::numeric_limits<size_t>::max()) const;

 private:
  class Disguise;

  void check_length(size_t bytes, size_t most_ids) const;

  const Tokenizer& tokenizer_;
  std::vector<std::string> control_;  // texts of the control tokens
};

}  // namespace braid
