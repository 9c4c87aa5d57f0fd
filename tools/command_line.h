// From what was typed to what is parsed: peers' spellings, names that no option has, environment
// and configuration file, --help and --version.
#pragma once

#include "tools/cli.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

// Nothing when there is a command to run, an ExitCode when that was all. Throws Error for a
// configuration file that is not right.
std::optional<int> parse_command_line(CLI::App& app, const std::vector<std::string>& arguments,
                                      const Environment& environment);

// Says it in one line on stderr and gives back the code.
int complain(int code, std::string_view text);

}  // namespace braid
