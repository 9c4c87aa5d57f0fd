// A command line as the options of its command see it, before CLI11 parses it: which options are
// there, and which arguments look like options and are none.
#pragma once

#include <CLI/CLI.hpp>

#include <cstddef>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace braid {

struct Argument {
  size_t at = 0;                        // of its first word
  std::string name{};                   // "--ctx-size", "-t"; empty for one that is no option
  const CLI::Option* option = nullptr;  // null when the command has no such option
};
// "--" and what follows it are no options.
std::vector<Argument> read_arguments(const CLI::App& command,
                                     std::span<const std::string> arguments);

// Named or by position.
std::set<const CLI::Option*> given_options(const CLI::App& command,
                                           std::span<const std::string> arguments);

// Every name that an option of the command has, with its dashes.
std::vector<std::string> option_names(const CLI::App& command);

// --name=value taken apart; without a '=' the rest is empty.
struct SplitArgument {
  std::string name, rest;  // rest begins with the '='
};
SplitArgument split_argument(const std::string& argument);

}  // namespace braid
