#include "tools/cli.h"

#include <array>

int main(int argc, char** argv) {
  static constexpr std::array<braid::MakeCommand, 3> kCommands = {
      braid::golden_command,
      braid::inspect_command,
      braid::perplexity_command,
  };
  return braid::run_command_line({argv + 1, argv + argc}, kCommands);
}
