#include "tools/command_line.h"

#include "base/check.h"
#include "tools/arguments.h"
#include "tools/near_spelling.h"
#include "tools/peer_options.h"
#include "tools/print_options.h"
#include "tools/settings.h"
#include "tools/version.h"

#include <fmt/format.h>

#include <cstdio>

namespace braid {
namespace {

// What a command line says: the command, its arguments in the spelling of its options, and what
// environment and configuration file add to them.
struct Spelled {
  const CLI::App* command = nullptr;  // null: none was named
  std::vector<std::string> before;    // the command's name and what stands in front of it
  std::vector<std::string> arguments;
  std::vector<Setting> settings;

  std::string name() const { return command == nullptr ? "" : command->get_name(); }
  bool asks_for(const char* option) const {
    if (command == nullptr) return false;
    return given_options(*command, arguments).contains(command->get_option_no_throw(option));
  }
};

Spelled spell(const CLI::App& app, const std::vector<std::string>& arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const auto named = app.get_subcommands(
        [&](const CLI::App* command) { return command->get_name() == arguments[i]; });
    if (named.empty()) continue;
    const PeerSpelling own = translate_peer_options(*named[0], std::span(arguments).subspan(i + 1));
    for (const std::string& note : own.notes) fmt::print(stderr, "braid: {}\n", note);
    return {named[0],
            {arguments.begin(), arguments.begin() + static_cast<long>(i) + 1},
            own.arguments,
            {}};
  }
  return {nullptr, {}, arguments, {}};
}

void add_settings(const CLI::App& app, const Environment& environment, Spelled& spelled) {
  for (const std::string& note : misspelt_variables(app, environment))
    fmt::print(stderr, "braid: {}\n", note);
  std::string named;
  for (const Argument& argument : read_arguments(*spelled.command, spelled.arguments)) {
    if (argument.name != "--config") continue;
    const std::string rest = split_argument(spelled.arguments[argument.at]).rest;
    named = !rest.empty()                                ? rest.substr(1)
            : argument.at + 1 < spelled.arguments.size() ? spelled.arguments[argument.at + 1]
                                                         : "";
  }
  const ConfigFile config = load_config(named, environment);
  spelled.settings = find_settings(app, *spelled.command, spelled.arguments, environment, config);
}

// The parser's words about a value, with the place that it came from.
std::string with_source(const std::string& what, std::span<const Setting> settings) {
  for (const Setting& setting : settings)
    if (what.starts_with(setting.option->get_name() + ":"))
      return fmt::format("{}, set by {}", what, setting.source);
  return what;
}

int complain_about(const CLI::ParseError& error, const Spelled& spelled) {
  const std::string name = spelled.name();
  return complain(
      kUsage,
      fmt::format("{}{}{} (see braid {}{}--help)", name, name.empty() ? "" : ": ",
                  with_source(error.what(), spelled.settings), name, name.empty() ? "" : " "));
}

// Nothing when there is something to run, an exit code when that is all.
std::optional<int> parse_spelled(CLI::App& app, const Spelled& spelled) {
  std::vector<std::string> all = spelled.before;
  for (const auto& part : {as_arguments(spelled.settings), spelled.arguments})
    all.insert(all.end(), part.begin(), part.end());
  const auto print_options = [&] {
    fmt::print("{}", options_text(*spelled.command, spelled.settings));
    return kDone;
  };
  const bool print = spelled.asks_for("--print-options");
  try {
    app.parse(std::vector<std::string>(all.rbegin(), all.rend()));
    if (print) return print_options();
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", spelled.command == nullptr ? app.help() : spelled.command->help("braid"));
    return kDone;
  } catch (const CLI::CallForVersion&) {
    fmt::print("{}", version_text());
    return kDone;
  } catch (const CLI::RequiredError& error) {
    if (print) return print_options();
    return complain_about(error, spelled);
  } catch (const CLI::ParseError& error) {
    return complain_about(error, spelled);
  }
}

}  // namespace

int complain(int code, std::string_view text) {
  std::fflush(stdout);
  fmt::print(stderr, "braid: {}\n", text);
  return code;
}

std::optional<int> parse_command_line(CLI::App& app, const std::vector<std::string>& arguments,
                                      const Environment& environment) {
  Spelled spelled = spell(app, arguments);
  if (spelled.command == nullptr && !arguments.empty() && !arguments[0].starts_with('-')) {
    std::vector<std::string> names;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
      names.push_back(command->get_name());
    return complain(kUsage, fmt::format("there is no command \"{}\"{} (braid --help lists them)",
                                        arguments[0], did_you_mean(arguments[0], names)));
  }
  if (spelled.command != nullptr && !spelled.asks_for("--help")) {
    const std::string wrong = wrong_option(*spelled.command, spelled.arguments);
    if (!wrong.empty())
      return complain(kUsage,
                      fmt::format("{0}: {1} (see braid {0} --help)", spelled.name(), wrong));
    add_settings(app, environment, spelled);
  }
  return parse_spelled(app, spelled);
}

}  // namespace braid
