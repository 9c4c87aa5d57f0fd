#include "tools/cli.h"

#include "base/check.h"
#include "tools/peer_options.h"

#include <fmt/format.h>

#include <cstdio>
#include <new>
#include <optional>

namespace braid {
namespace {

constexpr const char* kFooter =
    R"(Exit codes: 0 done, 1 an error, 2 a command line that is not understood,
3 a mistake in Braid (please report it), 130 stopped with Ctrl-C.

Examples:
  braid inspect model.gguf
  braid perplexity -m model.gguf -f text.txt
  braid perplexity --help)";

int complain(int code, std::string_view text) {
  std::fflush(stdout);
  fmt::print(stderr, "braid: {}\n", text);
  return code;
}

// A full disk under `braid inspect > file` shows when the last bytes are written.
int end_output(int code) {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
    return complain(kFailed, "the output could not be written: is the disk full?");
  return code;
}

// The arguments of the command in the spelling of its options; those before its name as they are.
struct Spelled {
  const CLI::App* command = nullptr;  // null: none was named
  std::vector<std::string> arguments;
};
Spelled spell(const CLI::App& app, const std::vector<std::string>& arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const auto named = app.get_subcommands(
        [&](const CLI::App* command) { return command->get_name() == arguments[i]; });
    if (named.empty()) continue;
    const CLI::App* command = named[0];
    const PeerSpelling own = translate_peer_options(*command, std::span(arguments).subspan(i + 1));
    for (const std::string& note : own.notes) fmt::print(stderr, "braid: {}\n", note);
    Spelled spelled{command, {arguments.begin(), arguments.begin() + static_cast<long>(i) + 1}};
    spelled.arguments.insert(spelled.arguments.end(), own.arguments.begin(), own.arguments.end());
    return spelled;
  }
  return {nullptr, arguments};
}

// Parses; nothing when there is something to run, an exit code when that is all.
std::optional<int> parse(CLI::App& app, const std::vector<std::string>& arguments) {
  const Spelled spelled = spell(app, arguments);
  const std::string name = spelled.command == nullptr ? "" : spelled.command->get_name();
  try {
    app.parse(std::vector<std::string>(spelled.arguments.rbegin(), spelled.arguments.rend()));
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", spelled.command == nullptr ? app.help() : spelled.command->help("braid"));
    return kDone;
  } catch (const CLI::CallForVersion&) {
    fmt::print("braid {}\n", BRAID_VERSION);
    return kDone;
  } catch (const CLI::ParseError& error) {
    if (name.empty() && !arguments.empty() && !arguments[0].starts_with('-'))
      return complain(kUsage, fmt::format("there is no command \"{}\" (braid --help lists them)",
                                          arguments[0]));
    return complain(kUsage,
                    fmt::format("{}{}{} (see braid {}{}--help)", name, name.empty() ? "" : ": ",
                                error.what(), name, name.empty() ? "" : " "));
  }
}

int run(const Command& command) {
  try {
    return end_output(command.run());
  } catch (const Error& error) {
    return complain(kFailed, error.what());
  } catch (const std::bad_alloc&) {
    return complain(kFailed, "out of memory");
  } catch (const std::exception& error) {
    return complain(kInternal,
                    fmt::format("a mistake in Braid, please report it: {}", error.what()));
  }
}

}  // namespace

int run_command_line(const std::vector<std::string>& arguments,
                     std::span<const MakeCommand> commands) {
  CLI::App app{"Braid: inference for hybrid language models (Qwen3-Next, Qwen3.5)", "braid"};
  app.set_version_flag("--version", BRAID_VERSION, "Show the version");
  app.set_help_flag("-h,--help", "Show this help");
  app.require_subcommand(0, 1);
  // Who appends to a command line means the later value.
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.footer(kFooter);
  std::vector<Command> made;
  for (const MakeCommand make : commands) made.push_back(make(app));

  if (const std::optional<int> code = parse(app, arguments)) return end_output(*code);
  for (const Command& command : made)
    if (command.options->parsed()) return run(command);
  fmt::print("{}", app.help());
  return end_output(kDone);
}

}  // namespace braid
