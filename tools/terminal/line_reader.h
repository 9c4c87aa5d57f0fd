// Messages from a terminal: the editor at work.
//
// On a terminal with a cursor the editor draws itself; on one without, lines are read as they come,
// with the same rules for messages of several lines.
#pragma once

#include "tools/terminal/input_view.h"
#include "tools/terminal/line_editor.h"
#include "tools/terminal/terminal.h"

#include <deque>
#include <string>
#include <string_view>

namespace braid {

struct ReadMessage {
  enum class Kind {
    kText,
    kInterrupt,  // Ctrl-C; text: what was thrown away
    kEnd,
  };
  Kind kind = Kind::kEnd;
  std::string text;
};

class LineReader {
 public:
  // Terminal and history outlive the reader.
  LineReader(Terminal& terminal, const History& history, Completer completer, bool styled);

  // Reads one message, `text` being there already. The terminal is in kAnswer mode afterwards.
  ReadMessage read(std::string_view prompt, std::string_view more, std::string text = "");
  void set_enter_sends(bool sends) { editor_.set_enter_sends(sends); }

 private:
  ReadMessage edit(std::string_view prompt, std::string_view more);
  ReadMessage read_lines(std::string_view prompt, std::string_view more, std::string text);
  bool wait_for_keys();
  void draw(std::string_view prompt, std::string_view more);

  Terminal& terminal_;
  LineEditor editor_;
  InputView view_;
  KeyDecoder decoder_;
  std::deque<Key> keys_;  // typed already, perhaps while an answer came
  std::string lines_;     // the same without an editor
};

}  // namespace braid
