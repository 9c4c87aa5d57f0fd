#include "format/json_config.h"
#include "format/metadata.h"
#include "tools/inspect_report.h"

#include <algorithm>

namespace braid {
namespace {

using nlohmann::ordered_json;

constexpr size_t kLongArray = 64;  // elements of an array that are given in full

ordered_json element(const Metadata& metadata, const MetaEntry& entry) {
  switch (entry.type) {
    case MetaType::String:
      return entry.strings[0];
    case MetaType::Bool:
      return metadata.boolean(entry.key);
    case MetaType::F32:
    case MetaType::F64:
      return metadata.number(entry.key);
    case MetaType::U64:  // may be above what an integer holds
      return ordered_json::parse(entry.text());
    default:
      return metadata.integer(entry.key);
  }
}

ordered_json elements(const Metadata& metadata, const MetaEntry& entry) {
  const auto shortened = [&](const auto& values) {
    return ordered_json(std::vector(
        values.begin(),
        values.begin() + static_cast<std::ptrdiff_t>(std::min(values.size(), kLongArray))));
  };
  switch (entry.type) {
    case MetaType::String:
      return shortened(entry.strings);
    case MetaType::F32:
    case MetaType::F64:
      return shortened(metadata.numbers(entry.key));
    default:
      return shortened(metadata.integers(entry.key));
  }
}

// A long array is cut; `count` tells.
ordered_json metadata_json(const Metadata& metadata) {
  ordered_json all = ordered_json::object();
  for (const MetaEntry& entry : metadata.entries()) {
    ordered_json& j = all[std::string(entry.key)];
    j["type"] = name_of(entry.type);
    if (entry.is_array) j["count"] = entry.count;
    j["value"] = entry.is_array ? elements(metadata, entry) : element(metadata, entry);
  }
  return all;
}

ordered_json tensors_json(const TensorFile& file) {
  ordered_json all = ordered_json::array();
  for (const FileTensor& t : file.tensors())
    all.push_back({{"name", t.name},
                   {"shape", t.shape},
                   {"type", info(t.dtype).name},
                   {"bytes", t.bytes.size()}});
  return all;
}

ordered_json memory_json(const MemoryReport& m) {
  return {{"device", m.device},
          {"context", m.options.context},
          {"sequences", m.options.sequences},
          {"ubatch", m.options.ubatch},
          {"cache_type_k", cache_type_name(m.options.key_type)},
          {"cache_type_v", cache_type_name(m.options.value_type)},
          {"weights", m.plan.weights},
          {"state", m.plan.state},
          {"state_per_sequence", m.state_per_sequence},
          {"kv_per_token", m.kv_per_token},
          {"page_tokens", m.page_tokens},
          {"activations", m.plan.scratch},
          {"workspaces", m.plan.workspace},
          {"buffers", m.plan.buffers},
          {"total", m.plan.total()},
          {"trash", m.plan.trash}};  // address space beside the total
}

void add_summary(ordered_json& j, const ModelReport& report) {
  j["files"] = report.files;
  j["format"] = report.container;
  j["architecture"] = report.architecture;
  j["weights"] = report.weights;
  j["bytes"] = report.bytes;
  for (const TypeTotal& t : report.types)
    j["types"].push_back({{"type", info(t.type).name},
                          {"tensors", t.tensors},
                          {"weights", t.weights},
                          {"bytes", t.bytes},
                          {"runs_as", t.runs_as}});
  j["config"] = report.config;
  j["memory"] = report.memory ? memory_json(*report.memory) : ordered_json();
  j["problem"] = report.problem.empty() ? ordered_json() : ordered_json(report.problem);
}

}  // namespace

std::string report_json(const ModelReport& report, const InspectSections& sections) {
  ordered_json j;
  j["file"] = report.file->path();
  if (sections.summary) add_summary(j, report);
  if (sections.metadata) {
    if (const Metadata* metadata = report.file->metadata())
      j["metadata"] = metadata_json(*metadata);
    if (const JsonConfig* config = report.file->config()) j["metadata"] = config->json();
  }
  if (sections.tensors) j["tensors"] = tensors_json(*report.file);
  // Names come from the file; bytes that are no UTF-8 must not make invalid JSON.
  return j.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace braid
