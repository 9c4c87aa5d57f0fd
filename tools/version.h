// What this program is and how it was built.
#pragma once

#include <string>

namespace braid {

// "braid 0.1.0", then a line each for the commit, the compiler and the instruction sets.
std::string version_text();
std::string build_version();  // "0.1.0"
std::string build_commit();   // empty where there is no git

}  // namespace braid
