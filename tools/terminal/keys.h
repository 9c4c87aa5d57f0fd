// Bytes from a terminal as keys.
//
// Knows what xterm and its relatives send: control characters, Alt as a leading escape, CSI and SS3
// sequences with modifiers, bracketed paste. What it does not know is swallowed whole, so that a
// strange key never types letters. A sequence may be cut anywhere; a lone escape is a key only once
// flush() says that nothing followed it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

enum class KeyCode {
  kText,   // text: one character
  kPaste,  // text: all of it, lines ended by \n
  kEnter,
  kNewline,  // Alt-Enter, Ctrl-J, and Shift-Enter where the terminal tells it
  kTab,
  kBackspace,
  kDelete,
  kDeleteOrEnd,  // Ctrl-D
  kLeft,
  kRight,
  kUp,
  kDown,
  kHome,
  kEnd,
  kWordLeft,
  kWordRight,
  kKillToEnd,
  kKillToStart,
  kKillBlock,        // Ctrl-W: back to a space
  kKillWordBack,     // Alt-Backspace
  kKillWordForward,  // Alt-D
  kYank,
  kTranspose,
  kClearScreen,
  kSearch,
  kCancel,  // Ctrl-G, Escape
  kInterrupt,
  kSuspend,
};

struct Key {
  KeyCode code = KeyCode::kText;
  std::string text;
  bool operator==(const Key&) const = default;
};

class KeyDecoder {
 public:
  // Appends the keys that are whole now.
  void feed(std::string_view bytes, std::vector<Key>& keys);
  // Nothing came for a while: what has begun ends here. A paste goes on.
  void flush(std::vector<Key>& keys);
  bool pending() const { return !held_.empty() && !pasting_; }

 private:
  // Bytes of held_ that the first key takes, 0 when it is not whole yet.
  size_t take(std::vector<Key>& keys);
  size_t take_escape(std::vector<Key>& keys);
  size_t take_sequence(std::vector<Key>& keys, size_t begin, bool alt);
  size_t take_paste(std::vector<Key>& keys);

  std::string held_;
  bool pasting_ = false;
  size_t searched_ = 0;  // bytes of a paste in which its end is not
};

}  // namespace braid
