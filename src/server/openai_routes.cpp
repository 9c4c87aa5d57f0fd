#include "server/openai_routes.h"

#include "server/answer_request.h"
#include "server/api_error.h"
#include "server/chat_request.h"
#include "server/completion_request.h"
#include "server/embeddings.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace braid {
namespace {

using Json = Fields::Json;

Json model_json(const Api& api) {
  const ServedModel& model = api.model();
  return {{"id", model.name},
          {"object", "model"},
          {"created", model.created},
          {"owned_by", "braid"},
          {"meta",
           {{"n_ctx", model.context},
            {"n_vocab", model.tokenizer.n_tokens()},
            {"slots", model.slots}}}};
}

void list_models(Api& api, const std::shared_ptr<Exchange>& exchange) {
  const Json json = {{"object", "list"}, {"data", Json::array({model_json(api)})}};
  reply_json(*exchange, json);
}

void tell_model(Api& api, const std::shared_ptr<Exchange>& exchange) {
  answering(*exchange, [&] {
    const std::vector<std::string>& captured = exchange->request().captured;
    const Json asked = {{"model", captured.empty() ? "" : captured[0]}};
    Fields fields(asked);
    check_model(fields, api.model());
    reply_json(*exchange, model_json(api));
  });
}

void chat_completions(Api& api, const std::shared_ptr<Exchange>& exchange) {
  answer_request(api, exchange, AnswerForm::kChat, [&](Fields& fields, AnswerPlan& plan) {
    const ChatRequest chat = read_chat(fields, api);
    fields.finish();  // a template is not asked about what is refused
    plan.options.thinking_budget = chat.thinking_budget;
    plan.prompts.push_back(render_chat(chat, api).plan);
  });
}

void completions(Api& api, const std::shared_ptr<Exchange>& exchange) {
  answer_request(api, exchange, AnswerForm::kCompletion,
                 [&](Fields& fields, AnswerPlan& plan) { read_completion(fields, api, plan); });
}

}  // namespace

void add_openai_routes(Api& api, Routes& routes) {
  using Answerer = void (*)(Api&, const std::shared_ptr<Exchange>&);
  const auto add = [&](const char* method, const std::string& path, Answerer answerer) {
    for (const char* prefix : {"/v1", ""})
      routes.add(method, prefix + path,
                 [&api, answerer](std::shared_ptr<Exchange> exchange) { answerer(api, exchange); });
  };
  add("GET", "/models", list_models);
  add("GET", "/models/{*}", tell_model);
  add("POST", "/chat/completions", chat_completions);
  add("POST", "/completions", completions);
  add("POST", "/embeddings", embeddings);
}

}  // namespace braid
