// braid inspect: what a model file holds, what of it Braid runs and how, and the memory that takes.
#include "tools/cli.h"

#include "format/open.h"
#include "tools/inspect_report.h"
#include "tools/options.h"

#include <fmt/format.h>

#include <memory>

namespace braid {
namespace {

struct InspectOptions {
  std::string model;
  DeviceChoice device;
  EngineOptions engine;
  int64_t sequences = 1;
  InspectSections only{false, false, false};
  bool json = false;
};

int run_inspect(const InspectOptions& o) {
  const auto file = open_model_file(o.model);
  EngineOptions engine = o.engine;
  engine.sequences = static_cast<int>(o.sequences);
  const ModelReport report = make_report(*file, o.device, engine);
  const bool all = !o.only.metadata && !o.only.tensors && !o.only.summary;
  const InspectSections sections = all ? InspectSections{} : o.only;
  fmt::print("{}", o.json ? report_json(report, sections) : report_text(report, sections));
  return kDone;
}

constexpr const char* kFooter =
    R"(Sizes in the memory table are exact: they come from the code that takes the memory.

Examples:
  braid inspect model.gguf
  braid inspect folder/ --summary -c 32768 -np 4      # memory for 4 sequences of 32,768 tokens
  braid inspect model.gguf --tensors
  braid inspect model.gguf --json | python3 -m json.tool)";

}  // namespace

Command inspect_command(CLI::App& app) {
  const auto o = std::make_shared<InspectOptions>();
  CLI::App& command = *app.add_subcommand(
      "inspect", "Show metadata, tensors, types, and the memory that a model needs");
  command.footer(kFooter);
  command.add_option("MODEL,-m,--model", o->model, "A GGUF file or a Hugging Face folder")
      ->required()
      ->multi_option_policy(CLI::MultiOptionPolicy::Throw)
      ->type_name("");
  command.add_flag("--metadata", o->only.metadata, "Only the metadata, long arrays shortened");
  command.add_flag("--tensors", o->only.tensors, "Only the tensors");
  command.add_flag("--summary", o->only.summary, "Only totals, model and memory");
  command.add_flag("--json", o->json, "For scripts: one JSON object");
  add_engine_options(command, o->engine);
  add_integer(command, "--parallel", o->sequences, 1, 4096,
              "-np: sequences at a time (default: 1)");
  add_device_options(command, o->device);
  return {&command, [o] { return run_inspect(*o); }};
}

}  // namespace braid
