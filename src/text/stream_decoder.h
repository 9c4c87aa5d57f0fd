// Bytes of tokens, one token after the other, to whole UTF-8 characters.
//
// A token may end inside a character; its bytes wait until the rest comes. Bytes that cannot be
// part of a character become U+FFFD, one for each longest beginning of a character (Unicode's
// "maximal subpart" practice, which Python's errors="replace" follows too), as soon as that is
// certain. So the pieces together are what decoding the whole at once would give, however it is
// cut. A value: a copy is a checkpoint.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace braid {

class StreamDecoder {
 public:
  // Appends to `out` the characters that are whole now.
  void feed(std::string_view bytes, std::string& out);

  // The text has ended: a character cut short becomes U+FFFD. Ready for another text after this.
  void finish(std::string& out);

  size_t held_bytes() const { return size_; }  // at most 3

 private:
  void take(char byte, std::string& out);

  char held_[4] = {};
  size_t size_ = 0;    // bytes of a character so far
  size_t length_ = 0;  // bytes that it will have
};

}  // namespace braid
