// The sampling options of run, chat and the server, under the names that llama.cpp gave them.
//
// The command line holds only what somebody wrote there. What a model file recommends lies below
// it, Braid's own defaults below that; resolve() puts the layers together.
#pragma once

#include "sample/options.h"

#include <CLI/CLI.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace braid {

struct SamplerOverrides {
  std::optional<std::vector<SamplerStage>> samplers{};
  std::optional<float> temperature{}, top_p{}, min_p{}, typical_p{}, top_n_sigma{};
  std::optional<int32_t> top_k{}, min_keep{};
  std::optional<float> xtc_probability{}, xtc_threshold{};
  std::optional<int32_t> repeat_last_n{};
  std::optional<float> repeat_penalty{}, frequency_penalty{}, presence_penalty{};
  std::optional<float> dry_multiplier{}, dry_base{};
  std::optional<int32_t> dry_allowed_length{}, dry_penalty_last_n{};
  std::optional<std::vector<std::string>> dry_sequence_breakers{};
  std::optional<float> adaptive_target{}, adaptive_decay{};
  std::optional<bool> adaptive_updt_w_cur{};
  std::map<int32_t, float> logit_bias{};
  std::optional<int64_t> seed{};
};

// --temp, --top-k, ..., --samplers, --seed. `into` must live as long as the command.
void add_sampler_options(CLI::App& command, SamplerOverrides& into);

// Throws Error for a value out of range.
SamplerOptions resolve(const SamplerOverrides& overrides, const SamplerOptions& model_defaults);

// "15043+1", "15043-0.5", "15043-inf". Throws Error.
std::pair<int32_t, float> parse_logit_bias(const std::string& text);

// \n, \t, \r, \", \', \\ as typed in a shell. What is no escape stays, or is an Error.
enum class OtherEscapes { kError, kKeep };
std::string unescape(const std::string& text, OtherEscapes others = OtherEscapes::kError);

}  // namespace braid
