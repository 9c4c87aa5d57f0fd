// What a conversation looks like: answers as they stream, thinking and notes dimmed.
//
// On a terminal a model's text is shown and never obeyed: control characters in it are drawn. In a
// pipe an answer's content is passed on as it is; notes go nowhere.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace braid {

struct ChatScreenOptions {
  bool terminal = false;  // somebody looks at it
  bool styled = false;    // and it can show text dimmed
  bool show_thinking = true;
};

class ChatScreen {
 public:
  using Sink = std::function<void(std::string_view bytes)>;
  ChatScreen(ChatScreenOptions options, Sink sink) : options_(options), sink_(std::move(sink)) {}

  void set_show_thinking(bool show) { options_.show_thinking = show; }
  bool terminal() const { return options_.terminal; }
  bool styled() const { return options_.styled; }

  // One answer: pieces of its two parts, then its end.
  void thinking(std::string_view text);
  void content(std::string_view text);
  void end_answer();

  // Lines of Braid's own, without a line end at the end.
  void note(std::string_view text);  // dimmed
  void text(std::string_view text);  // what a command shows
  void error(std::string_view text);

 private:
  enum class Part { kNone, kThinking, kContent };
  void put(std::string_view text);
  void leave_thinking();

  ChatScreenOptions options_;
  Sink sink_;
  Part part_ = Part::kNone;
  bool line_open_ = false;  // the last byte sent was no line end
};

}  // namespace braid
