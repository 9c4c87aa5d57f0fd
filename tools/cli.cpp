#include "tools/cli.h"

#include "base/check.h"
#include "tools/command_line.h"
#include "tools/interrupt.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <new>
#include <optional>

namespace braid {
namespace {

constexpr const char* kFooter =
    R"(Exit codes: 0 done, 1 an error, 2 a command line that is not understood,
3 a mistake in Braid (please report it), 130 stopped with Ctrl-C.

Examples:
  braid chat
  braid run -p "The harbour was quiet when"
  braid serve -m model.gguf
  braid doctor
  braid bench -m model.gguf
  braid inspect model.gguf
  braid perplexity -m model.gguf -f text.txt
  braid perplexity --help)";

// A full disk under `braid inspect > file` shows when the last bytes are written.
int end_output(int code) {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
    return complain(kFailed, "the output could not be written: is the disk full?");
  return code;
}

// What every command has.
void add_common_options(CLI::App& command, std::string& config) {
  command.add_option("--config", config, "Configuration file instead of the usual one, or none")
      ->type_name("FILE")
      ->group("Settings");
  command.add_flag("--print-options")
      ->description("Show each option's value and where it comes from")
      ->group("Settings");
  constexpr const char* kHow =
      R"(Options can be set by variables and by ~/.config/braid/config as well: --threads by
BRAID_THREADS, or by the line "threads = 8". The command line counts first, then variables, then the
file.)";
  const std::string footer = command.get_footer();
  command.footer(footer.empty() ? kHow : footer + "\n\n" + kHow);
}

int run(const Command& command) {
  try {
    return end_output(command.run());
  } catch (const Error& error) {
    return complain(kFailed, error.what());
  } catch (const Interrupted&) {
    return kInterrupted;
  } catch (const std::bad_alloc&) {
    return complain(kFailed, "out of memory");
  } catch (const std::exception& error) {
    return complain(kInternal,
                    fmt::format("a mistake in Braid, please report it: {}", error.what()));
  }
}

}  // namespace

Environment process_environment() {
  Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string_view::npos)
      environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

int run_command_line(const std::vector<std::string>& arguments,
                     std::span<const MakeCommand> commands, const Environment& environment) {
  CLI::App app{"Braid: inference for hybrid language models (Qwen3-Next, Qwen3.5)", "braid"};
  app.set_version_flag("--version", BRAID_VERSION, "Show the version and how this was built");
  app.set_help_flag("-h,--help", "Show this help");
  app.require_subcommand(0, 1);
  // Who appends to a command line means the later value.
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.footer(kFooter);
  std::vector<Command> made;
  for (const MakeCommand make : commands) made.push_back(make(app));
  std::string config;  // read before the parser runs
  for (const Command& command : made) add_common_options(*command.options, config);

  try {
    if (const std::optional<int> code = parse_command_line(app, arguments, environment))
      return end_output(*code);
  } catch (const Error& error) {
    return complain(kFailed, error.what());
  }
  for (const Command& command : made)
    if (command.options->parsed()) return run(command);
  fmt::print("{}", app.help());
  return end_output(kDone);
}

}  // namespace braid
