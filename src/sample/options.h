// What a request may say about the choice of tokens, and in which order the stages run.
//
// A plain struct: tools and server fill it from the command line, a request, or what a model file
// recommends (SamplingDefaults). Names and defaults are those that users of llama.cpp and its kin
// know. validate() is the only judge of values. Stop strings are stop_matcher.h's.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

enum class SamplerStage {
  kPenalties,
  kDry,
  kTopNSigma,
  kTopK,
  kTypical,
  kTopP,
  kMinP,
  kXtc,
  kTemperature,
  kAdaptiveP,
  kInfill,
};

// penalties;dry;top_n_sigma;top_k;typical_p;top_p;min_p;xtc;temperature;adaptive_p: all but infill.
std::vector<SamplerStage> default_samplers();

// "top_k;top_p;temperature"; with - for _ too, and temp, typical, nucleus. Throws Error.
std::vector<SamplerStage> samplers_from_names(std::string_view names);

// "edskypmxtw": e penalties, d dry, s or n top_n_sigma, k top_k, y typical_p, p top_p, m min_p,
// x xtc, t temperature, w or a adaptive_p, i infill. Throws Error.
std::vector<SamplerStage> samplers_from_letters(std::string_view letters);

std::string_view name_of(SamplerStage stage);

struct SamplerOptions {
  // A stage that is not named does not run, with two exceptions. Penalties that are switched on run
  // first when they are not named. adaptive_p makes the choice, so it runs last when it is switched
  // on, wherever it is named and whether or not.
  std::vector<SamplerStage> samplers = default_samplers();

  float temperature = 0.8f;  // 0 and below: the most likely token, no draws
  int32_t top_k = 40;        // 0 and below: off
  float top_p = 0.95f;       // 1: off
  float min_p = 0.05f;       // 0: off
  float typical_p = 1.0f;    // 1: off
  float top_n_sigma = 0.0f;  // 0 and below: off
  int32_t min_keep = 0;      // truncating stages leave at least so many candidates, and one

  float xtc_probability = 0.0f;  // 0: off
  float xtc_threshold = 0.1f;    // above 0.5 without effect

  int32_t repeat_last_n = 64;      // tokens that the penalties look at; 0: off, -1: all
  float repeat_penalty = 1.0f;     // 1: off
  float frequency_penalty = 0.0f;  // 0: off
  float presence_penalty = 0.0f;   // 0: off

  float dry_multiplier = 0.0f;      // 0: off
  float dry_base = 1.75f;           // 0: off
  int32_t dry_allowed_length = 2;   // repeats shorter than this are free
  int32_t dry_penalty_last_n = -1;  // tokens that DRY looks at; 0: off, -1: all
  std::vector<std::string> dry_sequence_breakers = {"\n", ":", "\"", "*"};

  float adaptive_target = -1.0f;     // the wanted probability of chosen tokens; below 0: off
  float adaptive_decay = 0.9f;       // how slowly past choices are forgotten
  bool adaptive_updt_w_cur = false;  // count the probability after truncation, not the original one

  std::map<int32_t, float> logit_bias;  // added to a token's logit; -inf bans it

  std::vector<int32_t> ends;  // tokens that end the answer, for infill; who runs it knows them

  int64_t seed = -1;  // below 0: a random one, which Sampler::seed() tells

  // Throws Error for the first value out of range: it names option, value and range.
  void validate() const;

  bool greedy() const { return temperature <= 0; }
  bool penalties_on() const;
  bool dry_on() const;
  bool adaptive_on() const { return adaptive_target >= 0 && !greedy(); }
};

// What a model recommends: general.sampling.* of a GGUF, or a generation_config.json, filled by
// whoever reads the file. Unset: nothing said.
struct SamplingDefaults {
  std::optional<std::string> sequence;  // names, as for samplers_from_names
  std::optional<float> temperature, top_p, min_p, xtc_probability, xtc_threshold, repeat_penalty;
  std::optional<int32_t> top_k, repeat_last_n;
};

// Puts what the model recommends into options that nobody has set yet. `source` is the file's name:
// an Error about a value names it.
void apply_defaults(const SamplingDefaults& defaults, std::string_view source,
                    SamplerOptions& options);

}  // namespace braid
