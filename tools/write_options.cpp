#include "tools/write_options.h"

#include "tools/options.h"

namespace braid {

void add_write_options(CLI::App& command, WriteFlags& flags) {
  add_integer(command, "-n,--predict", flags.write.max_tokens, -1, int64_t{1} << 30,
              "Most tokens of an answer (default: -1, until it ends or the context is full)");
  command
      .add_option("-r,--reverse-prompt,--stop", flags.write.stops,
                  "An answer ends before this text; may be given several times")
      ->type_name("TEXT")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  command.add_flag("--ignore-eos", flags.ignore_ends, "Answers do not end by themselves");
  command.add_flag("--special", flags.write.show_control, "Show control tokens");
}

}  // namespace braid
