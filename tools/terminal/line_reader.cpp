#include "tools/terminal/line_reader.h"

#include <utility>

namespace braid {
namespace {

using Kind = ReadMessage::Kind;

// A sequence that a terminal sends comes in one go; an escape alone is somebody's finger.
constexpr int kEscapeMs = 50;

}  // namespace

LineReader::LineReader(Terminal& terminal, const History& history, Completer completer, bool styled)
    : terminal_(terminal), editor_(history, std::move(completer)), view_(styled) {}

ReadMessage LineReader::read(std::string_view prompt, std::string_view more, std::string text) {
  if (!terminal_.can_edit()) return read_lines(prompt, more, std::move(text));
  editor_.start(std::move(text));
  terminal_.set_mode(TerminalMode::kEditing);
  view_.forget();
  view_.resize(terminal_.columns(), terminal_.rows());
  ReadMessage message = edit(prompt, more);
  // What is typed from now on waits, as it was typed, for the next time; a Ctrl-C from now on is
  // meant for the answer, even if that has not begun.
  InterruptFlag::lower();
  terminal_.set_mode(TerminalMode::kAnswer);
  return message;
}

void LineReader::draw(std::string_view prompt, std::string_view more) {
  terminal_.write(view_.draw({prompt, more, editor_.text(), editor_.cursor()}, editor_.note()));
}

ReadMessage LineReader::edit(std::string_view prompt, std::string_view more) {
  const auto finish = [&](Kind kind) {
    terminal_.write(view_.finish({prompt, more, editor_.text(), editor_.text().size()}));
    return ReadMessage{kind, editor_.text()};
  };
  for (;;) {
    if (keys_.empty()) {
      draw(prompt, more);
      if (!wait_for_keys()) return finish(Kind::kEnd);
      continue;
    }
    const Key key = std::move(keys_.front());
    keys_.pop_front();
    switch (editor_.handle(key)) {
      case EditOutcome::kGoOn:
        break;
      case EditOutcome::kSend: {
        ReadMessage message = finish(Kind::kText);
        message.text = finished_message(message.text);
        return message;
      }
      case EditOutcome::kInterrupt:
        return finish(Kind::kInterrupt);
      case EditOutcome::kEnd:
        return finish(Kind::kEnd);
      case EditOutcome::kSuspend:
        finish(Kind::kText);
        terminal_.suspend();
        view_.resize(terminal_.columns(), terminal_.rows());
        break;
      case EditOutcome::kClearScreen:
        terminal_.write(view_.clear_screen());
        break;
      case EditOutcome::kBell:
        terminal_.write("\a");
        break;
    }
  }
}

// False when the input has ended.
bool LineReader::wait_for_keys() {
  std::string bytes;
  std::vector<Key> keys;
  switch (terminal_.read(bytes, decoder_.pending() ? kEscapeMs : -1)) {
    case Terminal::Wait::kBytes:
      decoder_.feed(bytes, keys);
      break;
    case Terminal::Wait::kTimeout:
      decoder_.flush(keys);
      break;
    case Terminal::Wait::kSignal:
      view_.resize(terminal_.columns(), terminal_.rows());
      break;
    case Terminal::Wait::kEnd:
      return false;
  }
  for (Key& key : keys) keys_.push_back(std::move(key));
  return true;
}

ReadMessage LineReader::read_lines(std::string_view prompt, std::string_view more,
                                   std::string text) {
  terminal_.write(prompt);
  if (!text.empty()) terminal_.write(text + "\n");  // nothing here can edit it: it is typed anew
  text.clear();
  for (;;) {
    const size_t end = lines_.find('\n');
    if (end == std::string::npos) {
      const Terminal::Wait wait = terminal_.read(lines_, -1);
      if (wait == Terminal::Wait::kSignal && InterruptFlag::raised()) {
        InterruptFlag::lower();
        terminal_.write("\n");
        lines_.clear();
        return {Kind::kInterrupt, text};
      }
      if (wait != Terminal::Wait::kEnd) continue;
      text += std::exchange(lines_, {});
      return {text.empty() ? Kind::kEnd : Kind::kText, finished_message(text)};
    }
    text += lines_.substr(0, end);
    lines_.erase(0, end + 1);
    if (text.ends_with('\r')) text.pop_back();
    if (!needs_more(text)) return {Kind::kText, finished_message(text)};
    if (text.ends_with('\\') && !text.starts_with("\"\"\"")) text.pop_back();
    text += '\n';
    terminal_.write(more);
  }
}

}  // namespace braid
