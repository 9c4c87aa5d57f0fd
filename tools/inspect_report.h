// What `braid inspect` has to say about a model file, as data; inspect_text.cpp and
// inspect_json.cpp print it.
#pragma once

#include "engine/engine.h"
#include "format/tensor_file.h"
#include "tools/options.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace braid {

struct TypeTotal {
  DType type = DType::F32;
  int64_t tensors = 0, weights = 0;
  size_t bytes = 0;
  std::string runs_as;
};

// What an engine takes at its start: an engine on a device that counts says so.
struct MemoryReport {
  EngineOptions options;
  std::string device;
  MemoryPlan plan;
  size_t state_per_sequence = 0;  // recurrent state of one slot
  size_t kv_per_token = 0;
  int64_t page_tokens = 0;  // keys and values are taken in pages of this many tokens
};

struct ModelReport {
  const TensorFile* file = nullptr;
  std::string container;  // "GGUF", "Hugging Face folder"
  std::vector<std::string> files;
  int64_t weights = 0;
  size_t bytes = 0;              // of all tensors
  std::vector<TypeTotal> types;  // the largest first

  std::string architecture;       // empty: the file names none
  nlohmann::ordered_json config;  // as Braid understands it; null when it does not
  std::optional<MemoryReport> memory;
  std::string problem;  // why Braid cannot run the model; empty: it can
};

// How a device computes with weights of a type. The only place that says it.
std::string runs_as(DType type);

// The file outlives the report. Throws Error only for a device that is not there.
ModelReport make_report(const TensorFile& file, const DeviceChoice& device,
                        const EngineOptions& options);

// For people, and for scripts. Sections are chosen by the flags.
struct InspectSections {
  bool metadata = true, tensors = true, summary = true;
};
std::string report_text(const ModelReport& report, const InspectSections& sections);
std::string report_json(const ModelReport& report, const InspectSections& sections);

}  // namespace braid
