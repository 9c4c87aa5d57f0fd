// Options that were set outside of the command line: by environment variables and the configuration
// file.
//
// --ctx-size is BRAID_CTX_SIZE, and ctx-size in the file. The command line counts before the
// environment, the environment before the command's section of the file, that before what stands
// above all sections. What is found becomes arguments put in front of the command's own, so there
// is one parser with one set of checks, and each setting remembers where it came from. Of options
// that exclude each other the one that counts before the others is taken; said in the same place,
// they are an Error.
#pragma once

#include "tools/config_file.h"

#include <CLI/CLI.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

struct Setting {
  const CLI::Option* option = nullptr;
  std::string name{};  // of the option's names the one that was used: --no-escape is not --escape
  std::vector<std::string> values{};
  std::string source{};  // "BRAID_CTX_SIZE", "~/.config/braid/config:3"
};

// For the options of `command` that `arguments` do not give. `app` has all the commands: a name
// in the file that none of them has is an Error.
std::vector<Setting> find_settings(const CLI::App& app, const CLI::App& command,
                                   std::span<const std::string> arguments,
                                   const Environment& environment, const ConfigFile& config);

std::vector<std::string> as_arguments(std::span<const Setting> settings);

// One line for each BRAID_ variable that is no option's but nearly so.
std::vector<std::string> misspelt_variables(const CLI::App& app, const Environment& environment);

// "BRAID_CTX_SIZE"
std::string variable_name(std::string_view long_name);

// Whether variables and the file can set it: not --help, --config and their kind.
bool can_be_set(const CLI::Option& option);

}  // namespace braid
