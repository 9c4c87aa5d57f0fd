#include "server/llama_routes.h"

#include "format/printable.h"
#include "server/answer_request.h"
#include "server/api_error.h"
#include "server/chat_request.h"
#include "server/completion_request.h"
#include "server/slot_routes.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace braid {
namespace {

using Json = Fields::Json;
using Shared = std::shared_ptr<Exchange>;

// The answer takes up to a hundred times the memory.
constexpr size_t kMostTokenized = 2'000'000;
constexpr size_t kMostDetokenized = 16 << 20;  // bytes of the text

// A token's text, or its bytes when they are no whole characters.
Json piece_json(const Tokenizer& tokenizer, int32_t id) {
  const std::string_view bytes = tokenizer.bytes(id);
  if (is_utf8(bytes)) return std::string(bytes);
  Json list = Json::array();
  for (const char byte : bytes) list.push_back(static_cast<unsigned char>(byte));
  return list;
}

void tokenize(Api& api, const Shared& exchange) {
  answering(*exchange, [&] {
    const Json body = parse_body(exchange->request().body);
    Fields fields(body);
    const auto content = fields.text("content");
    if (!content) refuse("content", "content is missing: send a text");
    if (content->size() > kMostTokenized)
      refuse("content", "content has {} bytes; at most {} are taken", content->size(),
             kMostTokenized);
    EncodeOptions options;
    options.add_special = fields.boolean("add_special").value_or(false);
    options.parse_special = fields.boolean("parse_special").value_or(true);
    const bool pieces = fields.boolean("with_pieces").value_or(false);
    fields.finish();
    Json tokens = Json::array();
    const Tokenizer& tokenizer = api.model().tokenizer;
    for (const int32_t id : tokenizer.encode(*content, options))
      tokens.push_back(pieces ? Json{{"id", id}, {"piece", piece_json(tokenizer, id)}} : Json(id));
    reply_json(*exchange, {{"tokens", std::move(tokens)}});
  });
}

void detokenize(Api& api, const Shared& exchange) {
  answering(*exchange, [&] {
    const Json body = parse_body(exchange->request().body);
    Fields fields(body);
    const Json* tokens = fields.find("tokens");
    if (!tokens) refuse("tokens", "tokens is missing: send a list of ids");
    if (!tokens->is_array()) fields.wrong("tokens", *tokens, "a list of ids");
    fields.finish();
    const Tokenizer& tokenizer = api.model().tokenizer;
    std::vector<int32_t> ids;
    size_t bytes = 0;
    for (const Json& token : *tokens) {
      const auto id = as_integer(token);
      if (!id) fields.wrong("tokens", token, "a list of ids");
      if (*id < 0 || *id >= tokenizer.n_tokens())
        refuse("tokens", "tokens: {} is outside of the vocabulary: ids are from 0 to {}", *id,
               tokenizer.n_tokens() - 1);
      ids.push_back(static_cast<int32_t>(*id));
      bytes += tokenizer.bytes(ids.back()).size();
      if (bytes > kMostDetokenized)
        refuse("tokens", "the text of these tokens has more than {} bytes", kMostDetokenized);
    }
    reply_json(*exchange, {{"content", tokenizer.decode(ids)}});
  });
}

void apply_template(Api& api, const Shared& exchange) {
  answering(*exchange, [&] {
    const Json body = parse_body(exchange->request().body);
    Fields fields(body);
    check_model(fields, api.model());
    const ChatRequest chat = read_chat(fields, api);
    fields.finish();
    reply_json(*exchange, {{"prompt", render_chat(chat, api).text}});
  });
}

void infill(Api& api, const Shared& exchange) {
  answer_request(api, exchange, AnswerForm::kInfill,
                 [&](Fields& fields, AnswerPlan& plan) { read_infill(fields, api, plan); });
}

Json sampling_json(const SamplerOptions& o) {
  Json samplers = Json::array();
  for (const SamplerStage stage : o.samplers) samplers.push_back(name_of(stage));
  return {{"seed", o.seed},
          {"temperature", o.temperature},
          {"top_k", o.top_k},
          {"top_p", o.top_p},
          {"min_p", o.min_p},
          {"top_n_sigma", o.top_n_sigma},
          {"xtc_probability", o.xtc_probability},
          {"xtc_threshold", o.xtc_threshold},
          {"typical_p", o.typical_p},
          {"repeat_last_n", o.repeat_last_n},
          {"repeat_penalty", o.repeat_penalty},
          {"presence_penalty", o.presence_penalty},
          {"frequency_penalty", o.frequency_penalty},
          {"dry_multiplier", o.dry_multiplier},
          {"dry_base", o.dry_base},
          {"dry_allowed_length", o.dry_allowed_length},
          {"dry_penalty_last_n", o.dry_penalty_last_n},
          {"samplers", std::move(samplers)}};
}

void props(Api& api, const Shared& exchange) {
  const ServedModel& model = api.model();
  Json params = sampling_json(model.sampling);
  params["max_tokens"] = model.max_tokens;
  const Json settings = {{"n_ctx", model.context}, {"params", std::move(params)}};
  reply_json(*exchange,
             {{"default_generation_settings", settings},
              {"total_slots", model.slots},
              {"model_alias", model.name},
              {"model_path", model.path},
              {"chat_template", model.chat_template ? model.chat_template->source() : ""},
              {"bos_token", model.text.bos_token},
              {"eos_token", model.text.eos_token},
              {"modalities", {{"vision", false}, {"audio", false}}},
              {"build_info", api.fingerprint()}});
}

}  // namespace

void add_llama_routes(Api& api, Routes& routes) {
  using Answerer = void (*)(Api&, const Shared&);
  const auto add = [&](const char* method, const char* path, Answerer answerer) {
    routes.add(method, path, [&api, answerer](Shared exchange) { answerer(api, exchange); });
  };
  add("GET", "/props", props);
  add_slot_routes(api, routes);
  add("POST", "/tokenize", tokenize);
  add("POST", "/detokenize", detokenize);
  add("POST", "/apply-template", apply_template);
  add("POST", "/infill", infill);
}

}  // namespace braid
