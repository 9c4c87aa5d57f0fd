#include "tools/inspect_report.h"

#include "base/check.h"
#include "device/measure/measure_device.h"
#include "models/qwen_config.h"
#include "models/registry.h"

#include <algorithm>
#include <map>

namespace braid {
namespace {

void add_tensors(ModelReport& report) {
  std::map<DType, TypeTotal> totals;
  for (const FileTensor& tensor : report.file->tensors()) {
    TypeTotal& total = totals[tensor.dtype];
    total.type = tensor.dtype;
    ++total.tensors;
    total.weights += tensor.elements();
    total.bytes += tensor.bytes.size();
    report.weights += tensor.elements();
    report.bytes += tensor.bytes.size();
    if (std::find(report.files.begin(), report.files.end(), tensor.path) == report.files.end())
      report.files.push_back(tensor.path);
  }
  for (auto& [type, total] : totals) {
    total.runs_as = runs_as(type);
    report.types.push_back(total);
  }
  std::stable_sort(report.types.begin(), report.types.end(),
                   [](const TypeTotal& a, const TypeTotal& b) { return a.bytes > b.bytes; });
}

nlohmann::ordered_json describe(const QwenConfig& c) {
  nlohmann::ordered_json j;
  const auto recurrent = std::count(c.recurrent.begin(), c.recurrent.end(), true);
  j["layers"] = c.layers();
  j["gated delta net layers"] = recurrent;
  j["attention layers"] = c.layers() - recurrent;
  j["mtp layers"] = c.mtp_layers;
  j["vocabulary"] = c.vocabulary;
  j["context"] = c.context;
  j["d_model"] = c.d_model;
  j["gated delta net"] = {
      {"key heads", c.gdn.key_heads}, {"value heads", c.gdn.value_heads},
      {"key dim", c.gdn.key_dim},     {"value dim", c.gdn.value_dim},
      {"taps", c.gdn.taps},           {"value head order", c.gdn.tiled ? "tiled" : "grouped"}};
  j["attention"] = {{"heads", c.attention.heads},
                    {"kv heads", c.attention.kv_heads},
                    {"head dim", c.attention.head_dim},
                    {"rope dims", c.attention.rope_dims},
                    {"rope theta", static_cast<double>(c.attention.rope_theta)}};
  if (c.moe.experts > 0)
    j["experts"] = {{"experts", c.moe.experts},
                    {"per token", c.moe.top_k},
                    {"d_ff", c.moe.d_ff},
                    {"shared d_ff", c.moe.d_shared}};
  else
    j["d_ff"] = c.d_ff;
  return j;
}

MemoryReport plan_memory(const TensorFile& file, const DeviceChoice& choice,
                         const EngineOptions& options) {
  auto like = open_device(choice);
  const std::string name(like->name());
  const auto device = open_measure_device(std::move(like));  // so that nothing is taken
  const Engine engine(file, *device, options);
  MemoryReport memory{engine.options(), name, engine.memory()};
  const StateSpec& state = engine.spec().state;
  memory.state_per_sequence = StatePool::slot_bytes(state);
  memory.page_tokens = kPageTokens;
  memory.kv_per_token =
      StatePool::page_bytes(state, options.key_type, options.value_type) / kPageTokens;
  return memory;
}

}  // namespace

std::string runs_as(DType type) {
  return info(type).weights ? "rows decoded to f32, multiplied in f32"
                            : "not run: no type of weights";
}

ModelReport make_report(const TensorFile& file, const DeviceChoice& device,
                        const EngineOptions& options) {
  ModelReport report;
  report.file = &file;
  report.container = file.metadata() != nullptr ? "GGUF" : "Hugging Face";
  add_tensors(report);
  open_device(device);  // one that is not there is no fault of the model
  try {
    report.architecture = architecture_of(file);
    const auto families = model_families();
    if (std::none_of(families.begin(), families.end(), [&](const ModelFamily& family) {
          return family.architecture == report.architecture;
        }))
      fail("{}: Braid does not run the architecture \"{}\"", file.path(), report.architecture);
    const QwenConfig config = read_qwen_config(file);
    report.config = describe(config);
    EngineOptions planned = options;
    if (planned.context == 0) planned.context = config.context;
    report.memory = plan_memory(file, device, planned);
  } catch (const Error& error) {
    report.problem = error.what();
  }
  return report;
}

}  // namespace braid
