#include "tools/sampler_json.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <string>

namespace braid {
namespace {

using Json = nlohmann::ordered_json;

// 0.7f as 0.7, not as 0.699999988079071.
Json number(float value) { return std::stod(fmt::format("{}", value)); }
Json number(int32_t value) { return value; }

}  // namespace

Json sampler_json(const SamplerOverrides& o) {
  Json json = Json::object();
  const auto add = [&](const char* name, const auto& value) {
    if (value) json[name] = number(*value);
  };
  if (o.samplers) {
    json["samplers"] = Json::array();
    for (const SamplerStage stage : *o.samplers) json["samplers"].push_back(name_of(stage));
  }
  add("temperature", o.temperature);
  add("top_k", o.top_k);
  add("top_p", o.top_p);
  add("min_p", o.min_p);
  add("typical_p", o.typical_p);
  add("top_n_sigma", o.top_n_sigma);
  add("min_keep", o.min_keep);
  add("xtc_probability", o.xtc_probability);
  add("xtc_threshold", o.xtc_threshold);
  add("repeat_last_n", o.repeat_last_n);
  add("repeat_penalty", o.repeat_penalty);
  add("frequency_penalty", o.frequency_penalty);
  add("presence_penalty", o.presence_penalty);
  add("dry_multiplier", o.dry_multiplier);
  add("dry_base", o.dry_base);
  add("dry_allowed_length", o.dry_allowed_length);
  add("dry_penalty_last_n", o.dry_penalty_last_n);
  if (o.dry_sequence_breakers) json["dry_sequence_breakers"] = *o.dry_sequence_breakers;
  add("adaptive_target", o.adaptive_target);
  add("adaptive_decay", o.adaptive_decay);
  // A flag, which an option can only switch on.
  if (o.adaptive_updt_w_cur.value_or(false)) json["adaptive_updt_w_cur"] = true;
  for (const auto& [token, bias] : o.logit_bias) {
    // JSON has no infinity; OpenAI's range ends where it has the same effect.
    const float finite = std::isinf(bias) ? std::copysign(100.0F, bias) : bias;
    json["logit_bias"][std::to_string(token)] = number(finite);
  }
  if (o.seed && *o.seed >= 0) json["seed"] = *o.seed;
  return json;
}

}  // namespace braid
