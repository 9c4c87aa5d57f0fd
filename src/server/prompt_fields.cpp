#include "server/prompt_fields.h"

#include "server/api_error.h"
#include "text/stream_decoder.h"

#include <nlohmann/json.hpp>

namespace braid {
namespace {

using Json = Fields::Json;
using Tokens = std::vector<int32_t>;

Tokens ids_of(const Json& list, std::string_view name, const Api& api) {
  const int32_t tokens = api.model().sampler_vocabulary.n_tokens;
  Tokens ids;
  for (const Json& value : list) {
    const auto id = as_integer(value);
    if (!id) refuse(name, "{}: a list of ids holds {}", name, kind_of(value));
    if (*id < 0 || *id >= tokens)
      refuse(name, "{}: token {} is outside of the vocabulary: ids are from 0 to {}", name, *id,
             tokens - 1);
    ids.push_back(static_cast<int32_t>(*id));
  }
  return ids;
}

// Whole characters, for an echo.
std::string text_of(const Tokens& ids, const Tokenizer& tokenizer) {
  StreamDecoder decoder;
  std::string text;
  decoder.feed(tokenizer.decode(ids), text);
  decoder.finish(text);
  return text;
}

PromptPlan plan_of(const Json& prompt, std::string_view name, const Api& api) {
  PromptPlan plan;
  const Tokenizer& tokenizer = api.model().tokenizer;
  if (prompt.is_string()) {
    plan.echo = prompt.get<std::string>();
    check_bytes(plan.echo.size(), api.model(), name);
    plan.ids = tokenizer.encode(plan.echo, {.add_special = true, .parse_special = true});
  } else if (prompt.is_array()) {
    plan.ids = ids_of(prompt, name, api);
    plan.echo = text_of(plan.ids, tokenizer);
  } else {
    refuse(name, "{} should be a text, a list of texts, or ids, not {}", name, kind_of(prompt));
  }
  return plan;
}

}  // namespace

std::vector<PromptPlan> read_prompts(Fields& fields, std::string_view name, const Api& api,
                                     size_t most) {
  const Json* prompt = fields.find(name);
  if (!prompt) refuse(name, "{} is missing: send a text or a list of ids", name);
  std::vector<PromptPlan> plans;
  const bool several = prompt->is_array() && !prompt->empty() &&
                       ((*prompt)[0].is_string() || (*prompt)[0].is_array());
  if (!several) return {plan_of(*prompt, name, api)};
  if (prompt->size() > most)
    refuse(name, "{} has {} texts; at most {} are taken", name, prompt->size(), most);
  for (const Json& one : *prompt) plans.push_back(plan_of(one, name, api));
  return plans;
}

}  // namespace braid
