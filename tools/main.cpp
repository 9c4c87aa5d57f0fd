#include "tools/cli.h"

#include <array>

int main(int argc, char** argv) {
  static constexpr std::array kCommands = {
      braid::batched_bench_command, braid::bench_command,    braid::chat_command,
      braid::completion_command,    braid::doctor_command,   braid::golden_command,
      braid::inspect_command,       braid::load_command,     braid::perplexity_command,
      braid::probe_command,         braid::run_command,      braid::serve_command,
      braid::sweep_command,         braid::tokenize_command,
  };
  return braid::run_command_line({argv + 1, argv + argc}, kCommands, braid::process_environment());
}
