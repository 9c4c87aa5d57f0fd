#include "sample/indent_guard.h"

#include <utility>

namespace braid {

bool IndentGuard::feed(std::string_view text, std::string& out) {
  if (indent_ <= 0) {
    out += text;
    return false;
  }
  for (const char c : text) {
    if (ended_) return true;
    const bool blank = c == ' ' || c == '\t' || c == '\r';
    if (c == '\n') {
      at_start_ = true;
    } else if (!blank && std::exchange(at_start_, false)) {
      ended_ = held_.size() - (held_.rfind('\n') + 1) < static_cast<size_t>(indent_);
      if (ended_) return true;
      out += std::exchange(held_, {});
    }
    (at_start_ ? held_ : out) += c;
  }
  return ended_;
}

void IndentGuard::finish(std::string& out) {
  if (!ended_) out += held_;
  held_.clear();
}

}  // namespace braid
