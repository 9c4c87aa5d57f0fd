// Texts that a user names on the command line.
#pragma once

#include <string>
#include <vector>

namespace braid {

// Bytes as they are; "-" is standard input. Throws Error with the path and the reason.
std::string read_file(const std::string& path);

// The keys of a file, one a line; blanks around them, empty lines and those that begin with # do
// not count. Throws Error when there is none.
std::vector<std::string> keys_in(const std::string& path);

}  // namespace braid
