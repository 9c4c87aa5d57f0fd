// Texts that a user names on the command line.
#pragma once

#include <string>

namespace braid {

// Bytes as they are; "-" is standard input. Throws Error with the path and the reason.
std::string read_file(const std::string& path);

}  // namespace braid
