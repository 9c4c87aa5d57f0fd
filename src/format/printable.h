// Text of a file made fit for a message: valid UTF-8, one line, of bounded length.
//
// Names and keys come from files that nobody has checked; an error text that quotes them may end up
// in a terminal, a log or a JSON answer.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace braid {

// Control characters, invalid bytes and characters that change the direction of text become \xNN;
// what is longer than max bytes is cut and ends in "... (1234 bytes)".
std::string printable(std::string_view text, size_t max = 100);

bool is_utf8(std::string_view text);

// True for a name or key as files should have it: not empty, valid UTF-8, no control characters.
bool is_plain_name(std::string_view text);

}  // namespace braid
