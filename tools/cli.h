// The command line: commands, their common frame, exit codes.
//
// A command is one file with one function that declares its options and gives back what to run:
//
//   Command perplexity_command(CLI::App& app);
//
// Everything around it stands here once: peers' spellings, environment and configuration file,
// --help and --version, one line on stderr for an error. An option whose type_name is FILE or
// FOLDER, or lists its values as in "cpu|ref", is completed by the shells that completion.h writes
// for.
#pragma once

#include "tools/config_file.h"

#include <CLI/CLI.hpp>

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace braid {

// What the process ends with.
enum ExitCode {
  kDone = 0,
  kFailed = 1,         // Error: a file, a value, memory; or a comparison that found a difference
  kUsage = 2,          // the command line itself
  kInternal = 3,       // a mistake in Braid
  kInterrupted = 130,  // Ctrl-C
};

struct Command {
  CLI::App* options = nullptr;
  std::function<int()> run;  // an ExitCode; throws Error
};
using MakeCommand = Command (*)(CLI::App& app);

Command batched_bench_command(CLI::App& app);
Command bench_command(CLI::App& app);
Command chat_command(CLI::App& app);
Command completion_command(CLI::App& app);
Command doctor_command(CLI::App& app);
Command golden_command(CLI::App& app);
Command inspect_command(CLI::App& app);
Command load_command(CLI::App& app);
Command perplexity_command(CLI::App& app);
Command probe_command(CLI::App& app);
Command run_command(CLI::App& app);
Command serve_command(CLI::App& app);
Command sweep_command(CLI::App& app);
Command tokenize_command(CLI::App& app);

// Parses the arguments (without the program's name) and runs the command that they name. Never
// throws. No variable and no configuration file counts but what `environment` holds or names.
int run_command_line(const std::vector<std::string>& arguments,
                     std::span<const MakeCommand> commands, const Environment& environment = {});

Environment process_environment();

}  // namespace braid
