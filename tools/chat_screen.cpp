#include "tools/chat_screen.h"

#include "tools/terminal/display_text.h"

#include <fmt/format.h>

namespace braid {
namespace {

constexpr std::string_view kDim = "\x1B[2m", kPlain = "\x1B[0m";

std::string without_returns(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (c != '\r') out += c;
  return out;
}

}  // namespace

void ChatScreen::put(std::string_view text) {
  if (text.empty()) return;
  sink_(options_.terminal ? visible(without_returns(text)) : std::string(text));
  line_open_ = !text.ends_with('\n');
}

void ChatScreen::thinking(std::string_view text) {
  if (text.empty()) return;
  if (part_ != Part::kThinking) {
    part_ = Part::kThinking;
    if (options_.styled) sink_(kDim);
    if (options_.terminal) put(options_.show_thinking ? "Thinking:\n" : "Thinking ...");
  }
  if (options_.show_thinking) put(text);
}

void ChatScreen::leave_thinking() {
  if (part_ != Part::kThinking) return;
  if (options_.styled) sink_(kPlain);
  if (line_open_) put("\n");
  if (options_.show_thinking) put("\n");
}

void ChatScreen::content(std::string_view text) {
  if (text.empty()) return;
  if (part_ != Part::kContent) leave_thinking();
  part_ = Part::kContent;
  put(text);
}

void ChatScreen::end_answer() {
  if (part_ == Part::kThinking && options_.styled) sink_(kPlain);
  if (line_open_) put("\n");
  part_ = Part::kNone;
}

void ChatScreen::note(std::string_view text) {
  if (!options_.terminal) return;
  if (line_open_) put("\n");
  sink_(options_.styled ? fmt::format("{}{}{}\n", kDim, visible(text), kPlain)
                        : visible(text) + "\n");
}

void ChatScreen::text(std::string_view text) {
  if (line_open_) put("\n");
  put(text);
  put("\n");
}

void ChatScreen::error(std::string_view text) {
  if (line_open_) put("\n");
  sink_(visible(text) + "\n");
}

}  // namespace braid
