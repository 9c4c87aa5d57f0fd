#include "sample/model_defaults.h"

#include "base/check.h"
#include "format/json_config.h"
#include "format/metadata.h"
#include "format/tensor_file.h"

#include <cmath>
#include <filesystem>
#include <limits>

namespace braid {
namespace {

// Metadata and JsonConfig have the same accessors.
template <class Source>
std::optional<float> number(const Source& source, std::string_view key) {
  if (!source.has(key)) return std::nullopt;
  const double value = source.number(key);
  if (!(std::abs(value) <= static_cast<double>(std::numeric_limits<float>::max())))
    fail("the sampling that the model recommends: {} is {}, which is no number to use", key, value);
  return static_cast<float>(value);
}

template <class Source>
std::optional<int32_t> integer(const Source& source, std::string_view key) {
  if (!source.has(key)) return std::nullopt;
  using Limits = std::numeric_limits<int32_t>;
  return static_cast<int32_t>(source.integer(key, Limits::min(), Limits::max()));
}

}  // namespace

SamplingDefaults read_sampling_defaults(const TensorFile& file) {
  if (file.metadata() != nullptr) return read_sampling_defaults(*file.metadata());
  std::filesystem::path folder = file.path();
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) folder = folder.parent_path();
  const std::filesystem::path config = folder / "generation_config.json";
  if (!std::filesystem::exists(config, ignored)) return {};
  return read_sampling_defaults(JsonConfig(config.string()));
}

SamplingDefaults read_sampling_defaults(const Metadata& m) {
  SamplingDefaults d;
  if (m.has("general.sampling.sequence"))
    d.sequence = std::string(m.string("general.sampling.sequence"));
  d.temperature = number(m, "general.sampling.temp");
  d.top_k = integer(m, "general.sampling.top_k");
  d.top_p = number(m, "general.sampling.top_p");
  d.min_p = number(m, "general.sampling.min_p");
  d.xtc_probability = number(m, "general.sampling.xtc_probability");
  d.xtc_threshold = number(m, "general.sampling.xtc_threshold");
  d.repeat_last_n = integer(m, "general.sampling.penalty_last_n");
  d.repeat_penalty = number(m, "general.sampling.penalty_repeat");
  return d;
}

SamplingDefaults read_sampling_defaults(const JsonConfig& c) {
  SamplingDefaults d;
  d.temperature = number(c, "temperature");
  if (!c.boolean_or("do_sample", true)) d.temperature = 0;
  d.top_k = integer(c, "top_k");
  d.top_p = number(c, "top_p");
  d.min_p = number(c, "min_p");
  d.repeat_penalty = number(c, "repetition_penalty");
  if (d.repeat_penalty) d.repeat_last_n = -1;  // transformers looks at the whole text
  return d;
}

}  // namespace braid
