// Ends a text at the first line that is indented less than wanted: where an editor's block is over.
//
// The first line goes on with one that is there already and is not looked at, nor are empty lines.
// A line's beginning is held back until its first letter tells; the one that ends the text does not
// come out, nor does the line end before it. How the text is cut into pieces makes no difference.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace braid {

class IndentGuard {
 public:
  explicit IndentGuard(int64_t indent) : indent_(indent) {}  // blanks and tabs; 0: any

  // Appends to `out` what is certain. True when the text has ended, now or before.
  bool feed(std::string_view text, std::string& out);
  // The text has ended otherwise: what was held back comes out.
  void finish(std::string& out);
  bool ended() const { return ended_; }

 private:
  int64_t indent_;
  bool ended_ = false;
  bool at_start_ = false;  // of a line but the first, with nothing but blanks so far
  std::string held_;
};

}  // namespace braid
