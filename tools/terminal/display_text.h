// Text as a terminal shows it: what counts as one character, and how many columns it takes.
//
// A cluster is what a reader sees as one character: a letter with its combining marks, a family of
// emoji joined into one. The cursor moves over it as one. Bytes that are not UTF-8 are clusters of
// one byte each.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace braid {

struct Cluster {
  size_t bytes = 0;
  int columns = 0;  // of what visible() makes of it; a line end has none, a tab is the caller's
};

// The cluster that begins at text[at]; at is below text.size().
Cluster cluster_at(std::string_view text, size_t at);

// The cluster boundary after or before one; ends of the text stay where they are.
size_t next_boundary(std::string_view text, size_t at);
size_t previous_boundary(std::string_view text, size_t at);

int columns_of(std::string_view text);

// Letters, digits and underscores: what word movements stop at the end of.
bool is_word_character(std::string_view text, size_t at);

// A cluster, or any text, as it may be sent to a terminal: control characters are drawn (^A,
// U+FFFD) and obey nobody. Line ends and tabs stay.
std::string visible(std::string_view text);

}  // namespace braid
