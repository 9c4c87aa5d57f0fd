#include "server/sampling_fields.h"

#include "base/check.h"
#include "server/api_error.h"

#include <nlohmann/json.hpp>

#include <charconv>
#include <limits>
#include <type_traits>

namespace braid {
namespace {

using Json = Fields::Json;

constexpr float kBan = -std::numeric_limits<float>::infinity();

// `run` with what it throws about a value made an error about the field.
template <class Run>
void judging(const Fields& fields, std::string_view name, Run run) {
  try {
    run();
  } catch (const Error& error) {
    refuse(fields.path_of(name), "{}: {}", fields.path_of(name), error.what());
  }
}

template <class Value>
void put(Fields& fields, std::string_view name, Value SamplerOptions::*member,
         SamplerOptions& into) {
  std::optional<Value> value;
  if constexpr (std::is_same_v<Value, bool>) {
    value = fields.boolean(name);
  } else if constexpr (std::is_integral_v<Value>) {
    using Limits = std::numeric_limits<Value>;
    if (const auto n = fields.integer(name, Limits::min(), Limits::max()))
      value = static_cast<Value>(*n);
  } else if (const auto x = fields.number(name)) {
    value = static_cast<Value>(*x);
  }
  if (!value) return;
  SamplerOptions alone;
  alone.*member = *value;
  judging(fields, name, [&] { alone.validate(); });
  into.*member = *value;
}

void read_samplers(Fields& fields, SamplerOptions& into) {
  const Json* value = fields.find("samplers");
  if (!value) return;
  std::string names;
  if (value->is_array()) {
    for (const Json& name : *value) {
      if (!name.is_string()) fields.wrong("samplers", name, "a list of names");
      names += (names.empty() ? "" : ";") + name.get<std::string>();
    }
  } else if (!value->is_string()) {
    fields.wrong("samplers", *value, "a list of names, or a text of letters");
  }
  judging(fields, "samplers", [&] {
    into.samplers = value->is_array() ? samplers_from_names(names)
                                      : samplers_from_letters(value->get<std::string>());
  });
}

void read_breakers(Fields& fields, SamplerOptions& into) {
  const Json* value = fields.find("dry_sequence_breakers");
  if (!value) return;
  constexpr size_t kMost = 64;
  if (!value->is_array() || value->size() > kMost)
    fields.wrong("dry_sequence_breakers", *value, fmt::format("a list of up to {} texts", kMost));
  SamplerOptions alone;
  alone.dry_sequence_breakers.clear();
  for (const Json& text : *value) {
    if (!text.is_string()) fields.wrong("dry_sequence_breakers", text, "a list of texts");
    alone.dry_sequence_breakers.push_back(text.get<std::string>());
  }
  judging(fields, "dry_sequence_breakers", [&] { alone.validate(); });
  into.dry_sequence_breakers = alone.dry_sequence_breakers;
}

class BiasReader {
 public:
  BiasReader(const Fields& fields, int32_t n_tokens, SamplerOptions& into)
      : fields_(fields), n_tokens_(n_tokens), into_(into) {}

  void add(int64_t id, const Json& bias) {
    if (id < 0 || id >= n_tokens_)
      refuse("logit_bias", "logit_bias names token {}: ids are from 0 to {}", id, n_tokens_ - 1);
    const bool ban = bias.is_boolean() && !bias.get<bool>();
    if (!ban && !bias.is_number())
      fields_.wrong("logit_bias", bias, "a number for each token, or false for a ban");
    SamplerOptions alone;
    float& value = alone.logit_bias[static_cast<int32_t>(id)];
    value = ban ? kBan : static_cast<float>(std::clamp(bias.get<double>(), -1e9, 1e9));
    judging(fields_, "logit_bias", [&] { alone.validate(); });
    into_.logit_bias[static_cast<int32_t>(id)] = value;
  }

 private:
  const Fields& fields_;
  int32_t n_tokens_;
  SamplerOptions& into_;
};

// OpenAI's {"id": bias}, and llama-server's [[id, bias], ...].
void read_bias(Fields& fields, int32_t n_tokens, SamplerOptions& into) {
  const Json* value = fields.find("logit_bias");
  if (!value) return;
  BiasReader reader(fields, n_tokens, into);
  if (value->is_object()) {
    for (const auto& [key, bias] : value->items()) {
      int64_t id = 0;
      const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
      if (error != std::errc() || end != key.data() + key.size())
        refuse("logit_bias", "logit_bias: \"{}\" should be the id of a token", key);
      reader.add(id, bias);
    }
    return;
  }
  if (!value->is_array()) fields.wrong("logit_bias", *value, "an object of ids with numbers");
  if (value->size() > static_cast<size_t>(n_tokens))
    refuse("logit_bias", "logit_bias has {} entries for a vocabulary of {}", value->size(),
           n_tokens);
  for (const Json& pair : *value) {
    const auto id = pair.is_array() && pair.size() == 2 ? as_integer(pair[0]) : std::nullopt;
    if (!id) fields.wrong("logit_bias", pair, "an object, or a list of pairs of id and number");
    reader.add(*id, pair[1]);
  }
}

bool bans_all(const SamplerOptions& o, const SamplerVocabulary& vocabulary) {
  auto left = static_cast<size_t>(vocabulary.n_tokens);
  if (o.logit_bias.size() + vocabulary.unused.size() < left) return false;
  for (const int32_t id : vocabulary.unused) left -= !o.logit_bias.contains(id);
  for (const auto& [id, bias] : o.logit_bias) left -= bias == kBan;
  return left == 0;
}

}  // namespace

SamplerOptions read_sampling(Fields& fields, const ServedModel& model) {
  using O = SamplerOptions;
  O o = model.sampling;
  put(fields, "temperature", &O::temperature, o);
  put(fields, "top_k", &O::top_k, o);
  put(fields, "top_p", &O::top_p, o);
  put(fields, "min_p", &O::min_p, o);
  put(fields, "typical_p", &O::typical_p, o);
  put(fields, "top_n_sigma", &O::top_n_sigma, o);
  put(fields, "min_keep", &O::min_keep, o);
  put(fields, "xtc_probability", &O::xtc_probability, o);
  put(fields, "xtc_threshold", &O::xtc_threshold, o);
  put(fields, "repeat_last_n", &O::repeat_last_n, o);
  if (fields.find("repetition_penalty") && fields.find("repeat_penalty"))
    refuse("repeat_penalty", "repeat_penalty and repetition_penalty are the same: give one");
  put(fields, "repetition_penalty", &O::repeat_penalty, o);
  put(fields, "repeat_penalty", &O::repeat_penalty, o);
  put(fields, "frequency_penalty", &O::frequency_penalty, o);
  put(fields, "presence_penalty", &O::presence_penalty, o);
  put(fields, "dry_multiplier", &O::dry_multiplier, o);
  put(fields, "dry_base", &O::dry_base, o);
  put(fields, "dry_allowed_length", &O::dry_allowed_length, o);
  put(fields, "dry_penalty_last_n", &O::dry_penalty_last_n, o);
  put(fields, "adaptive_target", &O::adaptive_target, o);
  put(fields, "adaptive_decay", &O::adaptive_decay, o);
  put(fields, "adaptive_updt_w_cur", &O::adaptive_updt_w_cur, o);
  put(fields, "seed", &O::seed, o);
  read_samplers(fields, o);
  read_breakers(fields, o);
  read_bias(fields, model.sampler_vocabulary.n_tokens, o);
  if (fields.boolean("ignore_eos").value_or(false))
    for (const int32_t id : model.end_tokens) o.logit_bias[id] = kBan;
  if (bans_all(o, model.sampler_vocabulary))
    refuse("logit_bias", "logit_bias and ignore_eos ban every token: none may follow");
  return o;
}

}  // namespace braid
