// The tokens of one answer, read as what a client gets: thoughts and content, in whole characters,
// without control tokens and stop strings, with the log-probabilities of the content's tokens.
//
// Stop strings, and lines that stand too far left, end the content; what stands in the thoughts
// ends nothing. A token's note comes out with the first byte of its text, so notes and texts that
// come out together belong together.
#pragma once

#include "sample/indent_guard.h"
#include "sample/logprobs.h"
#include "sample/stop_matcher.h"
#include "text/stream_decoder.h"
#include "text/thinking_splitter.h"
#include "text/tokenizer.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

struct NotedToken {
  int32_t id = 0;
  double logprob = 0;
  std::vector<TokenLogprob> top;
  size_t begins = 0;              // byte of the content at which its text begins
  int64_t characters_before = 0;  // in the content
};

int64_t characters_of(std::string_view utf8);

struct AnswerPiece {
  std::string thinking, content;
  std::vector<NotedToken> notes;
  std::vector<int32_t> tokens{};  // where they are wanted: all that were chosen

  bool empty() const {
    return thinking.empty() && content.empty() && notes.empty() && tokens.empty();
  }
};

struct ReaderOptions {
  std::vector<std::string> stops{};
  bool splits_thinking = true;
  bool begins_thinking = false;
  int logprobs = -1;     // below 0: no notes
  int32_t n_tokens = 0;  // logits from here on are padding
  int64_t indent = 0;    // of lines, where thoughts are not split; 0: any
};

class AnswerReader {
 public:
  AnswerReader(const Tokenizer& tokenizer, const ReaderOptions& options);

  // What is told of a token beside its text; nothing when nobody wants to hear it.
  std::optional<NotedToken> note(int32_t id, std::span<const float> logits) const;

  // Appends to the piece what is certain. False: a stop string or a line has ended the answer.
  bool noted_token(int32_t id, std::optional<NotedToken> note, AnswerPiece& out);
  bool token(int32_t id, std::span<const float> logits, AnswerPiece& out) {
    return noted_token(id, note(id, logits), out);
  }
  void finish(AnswerPiece& out);

  // Neither thoughts nor content have begun.
  bool at_start() const { return splits_ && splitter_.at_start(); }
  bool thinking() const { return splits_ && splitter_.thinking(); }
  int64_t thinking_tokens() const { return thinking_tokens_; }
  std::string_view stopped_by() const { return stops_.matched(); }
  bool outdented() const { return indent_.ended() && !stops_.stopped(); }  // by a line

 private:
  bool take(std::string_view text, AnswerPiece& out);
  bool show(const AnswerText& parted, AnswerPiece& out);
  void release(size_t until, AnswerPiece& out);

  const Tokenizer& tokenizer_;
  bool splits_;
  int logprobs_;
  int32_t n_tokens_;
  StreamDecoder decoder_;
  ThinkingSplitter splitter_;
  IndentGuard indent_;
  StopMatcher stops_;
  std::vector<NotedToken> open_;       // whose text has not begun, or is not known to be content
  std::deque<NotedToken> coming_;      // whose text is content, held back by the stop strings
  size_t content_ = 0, released_ = 0;  // bytes
  int64_t characters_ = 0;             // of content_
  int64_t thinking_tokens_ = 0;
};

}  // namespace braid
