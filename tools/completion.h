// Scripts with which shells complete command lines of Braid: commands, options, values, files.
//
// They are written from the options as the parser knows them, and hold everything they need: no
// shell asks the program while somebody types.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace braid {

struct CompletedOption {
  std::vector<std::string> names{};  // "-t", "--threads"
  std::string help{};                // one line
  bool takes_value = false;
  bool repeated = false;
  std::vector<std::string> values{};  // the only ones there are; empty: anything
  enum class Paths { kNone, kFiles, kFolders } paths = Paths::kNone;
  bool positional = false;
};

struct CompletedCommand {
  std::string name{}, help{};
  std::vector<CompletedOption> options{};
};

// What a shell needs to know. An option's type_name says what its values are: "cpu|ref", FILE,
// FOLDER.
std::vector<CompletedCommand> completed_commands(const CLI::App& app);

std::string bash_completion(const std::vector<CompletedCommand>& commands);
std::string zsh_completion(const std::vector<CompletedCommand>& commands);
std::string fish_completion(const std::vector<CompletedCommand>& commands);

}  // namespace braid
