// braid golden: runs the golden checkpoints and compares their logits with those of transformers.
// It is the main job of ./run until there is a demo model to talk to.
#include "tests/golden/golden_case.h"

#include "format/open.h"
#include "tools/cli.h"
#include "tools/options.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>

namespace braid {
namespace {

struct GoldenOptions {
  std::string index;
  DeviceChoice device;
};

int run_golden_command(const GoldenOptions& o) {
  const std::vector<GoldenCase> cases = read_goldens(o.index);
  fmt::print(
      "Logits of Braid against those of Hugging Face transformers; differences are the largest at "
      "any position,\n"
      "relative to the largest logit ({:.0e} is allowed).\n\n",
      kGoldenTolerance);
  fmt::print("{:<38} {:>9} {:>9} {:>9}  {:>8}  {:>9}\n", "checkpoint", "1 token", "67", "300",
             "greedy", "MTP draft");
  int files = 0, failed = 0;
  for (const GoldenCase& golden : cases) {
    for (const GoldenFile& file : golden.files) {
      const auto device = open_device(o.device);
      const auto model = open_model_file(file.path);
      const GoldenResult r = run_golden(golden, *model, file.mtp, *device);
      const auto expected = static_cast<int>(golden.greedy.size());
      const bool good = r.worst() < kGoldenTolerance && r.greedy_equal == expected;
      ++files;
      failed += !good;
      const std::filesystem::path path = file.path;
      fmt::print("{:<38} {:>9.1e} {:>9.1e} {:>9.1e}  {:>5}/{}  {:>9}{}\n",
                 (path.parent_path().filename() / path.filename()).string(), r.prompts.at(0),
                 r.prompts.at(1), r.prompts.at(2), r.greedy_equal, expected,
                 file.mtp ? fmt::format("{:.1e}", std::max(r.draft, r.chain)) : "-",
                 good ? "" : "  DIFFERS");
    }
  }
  if (failed == 0)
    fmt::print("\nAll {} checkpoints agree.\n", files);
  else
    fmt::print("\n{} of {} checkpoints differ.\n", failed, files);
  return failed == 0 ? kDone : kFailed;
}

}  // namespace

Command golden_command(CLI::App& app) {
  const auto o = std::make_shared<GoldenOptions>();
  CLI::App& command = *app.add_subcommand(
      "golden", "Compare golden checkpoints with the logits of HF transformers");
  command.add_option("index", o->index, "index.json of the checkpoints")->required();
  add_device_options(command, o->device);
  command.footer("Example:\n  braid golden tests/golden/data/index.json");
  return {&command, [o] { return run_golden_command(*o); }};
}

}  // namespace braid
