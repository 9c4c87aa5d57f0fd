// A model's chat template: how a conversation becomes the text that the model reads.
//
// Templates are Jinja, rendered byte for byte as jinja2 does in the environment that Hugging Face's
// apply_chat_template sets up: sandboxed, trim_blocks and lstrip_blocks on, break and continue, the
// tag {% generation %}, tojson without HTML escapes, raise_exception and strftime_now. They come
// with model files from anywhere, so what one may use up is limited.
//
// Not supported: integers beyond 64 bits, loading other templates, blocks, autoescape, and the
// filters pprint, random, striptags, urlize and wordwrap.
#pragma once

#include <ctime>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "text/call_arguments.h"
#include "text/jinja/limits.h"

namespace braid {

namespace jinja {
struct Program;
}

struct ChatTemplateOptions {
  std::string title = "chat template";  // in messages
  jinja::Limits limits;
  std::function<std::tm()> now;  // the clock of strftime_now; local time when empty
};

// Parsed once, rendered any number of times, by any number of threads.
class ChatTemplate {
 public:
  // Throws Error with the line when the source is no template.
  explicit ChatTemplate(std::string source, ChatTemplateOptions options = {});
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

  const std::string& source() const { return source_; }

  // Whether it has a variable of this name: what has none changes nothing.
  bool knows(std::string_view name) const;

  // `context` is an object: what the template's names stand for. Throws Error with title, line and
  // what is wrong: an undefined value used, a limit met, what the template itself raises.
  std::string render(const nlohmann::ordered_json& context) const;

 private:
  std::string source_;
  ChatTemplateOptions options_;
  std::unique_ptr<const jinja::Program> program_;
};

// What a conversation's context is made of. Null stands for none.
struct ChatInput {
  const nlohmann::ordered_json* messages = nullptr;   // an array of objects
  const nlohmann::ordered_json* tools = nullptr;      // an array
  const nlohmann::ordered_json* documents = nullptr;  // an array
  bool add_generation_prompt = true;
  // Of the tool calls in the messages. apply_chat_template hands on what it is given; a caller who
  // does not choose the messages asks wanted_call_arguments once.
  CallArguments call_arguments = CallArguments::kAsGiven;
  std::string bos_token, eos_token;  // left out when empty
  // An object of further names (enable_thinking, ...). They win over the tokens, not over the
  // others.
  const nlohmann::ordered_json* extra = nullptr;
};

// The context that apply_chat_template gives a template. A message's reasoning, under whichever of
// the names reasoning_content, thinking and reasoning it came, is there as reasoning_content and
// thinking. Throws Error when a message is no object.
nlohmann::ordered_json make_chat_context(const ChatInput& input);

}  // namespace braid
