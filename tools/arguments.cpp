#include "tools/arguments.h"

#include <cctype>

namespace braid {
namespace {

bool looks_like_option(const std::string& argument) {
  return argument.size() > 1 && argument[0] == '-';
}

// -t8: an option of one letter with its value. -tx is taken for a misspelt name instead: CLI11
// would read it as -t with the value "x".
bool is_glued(const std::string& argument) {
  return argument.size() > 2 && argument[1] != '-' &&
         std::isalpha(static_cast<unsigned char>(argument[2])) == 0;
}

}  // namespace

SplitArgument split_argument(const std::string& argument) {
  const size_t equals = argument.find('=');
  if (equals == std::string::npos) return {argument, ""};
  return {argument.substr(0, equals), argument.substr(equals)};
}

std::vector<Argument> read_arguments(const CLI::App& command,
                                     std::span<const std::string> arguments) {
  std::vector<Argument> out;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--") {
      while (++i < arguments.size()) out.push_back({.at = i});
      break;
    }
    if (!looks_like_option(argument)) {
      out.push_back({.at = i});
      continue;
    }
    const auto [name, rest] = split_argument(argument);
    Argument found{.at = i, .name = name, .option = command.get_option_no_throw(name)};
    if (found.option != nullptr) {
      // Its value is nobody else's business, whatever it looks like.
      if (found.option->get_items_expected_max() > 0 && rest.empty()) ++i;
    } else if (is_glued(argument)) {
      found.name = argument.substr(0, 2);
      found.option = command.get_option_no_throw(found.name);
    }
    out.push_back(found);
  }
  return out;
}

std::set<const CLI::Option*> given_options(const CLI::App& command,
                                           std::span<const std::string> arguments) {
  std::set<const CLI::Option*> given;
  size_t without_name = 0;
  for (const Argument& argument : read_arguments(command, arguments)) {
    if (argument.option != nullptr) given.insert(argument.option);
    without_name += argument.name.empty();
  }
  for (const CLI::Option* option : command.get_options()) {
    if (without_name == 0) break;
    if (!option->get_positional() || given.contains(option)) continue;
    given.insert(option);
    --without_name;
  }
  return given;
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

}  // namespace braid
