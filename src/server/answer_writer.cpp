#include "server/answer_writer.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace braid {
namespace {

using Json = AnswerWriter::Json;

// Of the answers to one prompt the n whose tokens are the most likely on average, in their order.
std::vector<const AnswerState*> best(std::span<const AnswerState> answers, int n) {
  std::vector<const AnswerState*> chosen;
  for (const AnswerState& answer : answers) chosen.push_back(&answer);
  const auto mean = [](const AnswerState* a) {
    return a->logprobs / static_cast<double>(std::max<int64_t>(a->tokens, 1));
  };
  if (chosen.size() > static_cast<size_t>(n)) {
    std::ranges::stable_sort(chosen, std::greater<>(), mean);
    chosen.resize(static_cast<size_t>(n));
  }
  return chosen;
}

// Each under the whole of its path, as "timings/prompt_n"; what there is not is left out.
Json told_alone(const Json& answer, const std::vector<std::string>& paths) {
  Json told = Json::object();
  for (const std::string& path : paths) {
    const Json* at = &answer;
    for (size_t begin = 0; at && begin <= path.size();) {
      const size_t end = std::min(path.find('/', begin), path.size());
      const auto found = at->is_object() ? at->find(path.substr(begin, end - begin)) : at->end();
      at = found != at->end() ? &*found : nullptr;
      begin = end + 1;
    }
    if (at) told[path] = *at;
  }
  return told;
}

}  // namespace

AnswerWriter::AnswerWriter(const Api& api, const AnswerPlan& plan, AnswerHead head)
    : api_(api), plan_(plan), head_(std::move(head)) {}

const PromptPlan& AnswerWriter::prompt_of(int64_t index) const {
  return plan_.prompts[static_cast<size_t>(index / plan_.options.n)];
}

Json AnswerWriter::envelope(bool chunk) const {
  const char* chat_object = chunk ? "chat.completion.chunk" : "chat.completion";
  return {{"id", head_.id},
          {"object", chat() ? chat_object : "text_completion"},
          {"created", head_.created},
          {"model", api_.model().name},
          {"system_fingerprint", api_.fingerprint()}};
}

Json AnswerWriter::logprobs_of(const AnswerPiece& text, int64_t before) const {
  if (plan_.options.logprobs < 0) return nullptr;
  const Tokenizer& tokenizer = api_.model().tokenizer;
  return chat() ? chat_logprobs(text.notes, tokenizer)
                : completion_logprobs(text.notes, tokenizer, before);
}

// finish_reason is for the caller to fill in.
Json AnswerWriter::choice(int64_t index, const AnswerPiece& text, bool whole) const {
  const std::string& echo = prompt_of(index).echo;
  Json choice = {{"index", index}};
  if (!chat()) {
    choice["text"] = whole ? echo + text.content : text.content;
    if (plan_.options.tokens) choice["tokens"] = text.tokens;
  } else if (whole) {
    Json message = {{"role", "assistant"}, {"content", text.content}, {"refusal", nullptr}};
    if (!text.thinking.empty()) message["reasoning_content"] = text.thinking;
    choice["message"] = std::move(message);
  } else {
    Json delta = Json::object();
    if (!text.thinking.empty()) delta["reasoning_content"] = text.thinking;
    if (!text.content.empty()) delta["content"] = text.content;
    choice["delta"] = std::move(delta);
  }
  choice["logprobs"] =
      !whole && text.notes.empty() ? Json() : logprobs_of(text, characters_of(echo));
  choice["finish_reason"] = nullptr;
  return choice;
}

Json AnswerWriter::whole(std::span<const AnswerState> answers) const {
  if (plan_.form == AnswerForm::kInfill) return infill(0, answers[0].text, answers.data());
  Json json = envelope(false);
  Json choices = Json::array();
  const Tokenizer& tokenizer = api_.model().tokenizer;
  const auto each = static_cast<size_t>(plan_.options.best_of);
  for (size_t first = 0; first < answers.size(); first += each)
    for (const AnswerState* answer : best(answers.subspan(first, each), plan_.options.n)) {
      const auto index = static_cast<int64_t>(choices.size());
      Json told = choice(index, answer->text, true);
      told["finish_reason"] = finish_reason(answer->outcome.reason);
      told["braid"] = braid_json(*answer, prompt_of(index), tokenizer);
      choices.push_back(std::move(told));
    }
  Json own = choices[0]["braid"];
  if (choices.size() == 1) choices[0].erase("braid");
  json["choices"] = std::move(choices);
  json["usage"] = usage_json(plan_, answers);
  json["braid"] = std::move(own);
  return json;
}

Json AnswerWriter::chunk(Json choice) const {
  Json json = envelope(true);
  json["choices"] = Json::array({std::move(choice)});
  if (plan_.options.include_usage) json["usage"] = nullptr;
  return json;
}

Json AnswerWriter::role_chunk(int64_t index) const {
  Json first = choice(index, {}, false);
  first["delta"] = {{"role", "assistant"}, {"content", ""}};
  return chunk(std::move(first));
}

Json AnswerWriter::piece_chunk(int64_t index, const AnswerPiece& piece) const {
  if (plan_.form == AnswerForm::kInfill) return infill(index, piece, nullptr);
  return chunk(choice(index, piece, false));
}

Json AnswerWriter::finish_chunk(int64_t index, const AnswerState& answer) const {
  if (plan_.form == AnswerForm::kInfill) return infill(index, {}, &answer);
  Json last = choice(index, {}, false);
  last["finish_reason"] = finish_reason(answer.outcome.reason);
  Json json = chunk(std::move(last));
  json["braid"] = braid_json(answer, prompt_of(index), api_.model().tokenizer);
  return json;
}

Json AnswerWriter::usage_chunk(std::span<const AnswerState> answers) const {
  Json json = envelope(true);
  json["choices"] = Json::array();
  json["usage"] = usage_json(plan_, answers);
  return json;
}

Json AnswerWriter::progress_chunk(int64_t index, const PromptProgress& progress,
                                  double seconds) const {
  Json json = plan_.form == AnswerForm::kInfill ? infill(index, {}, nullptr) : envelope(true);
  if (plan_.form != AnswerForm::kInfill) json["choices"] = Json::array();
  json["prompt_progress"] = {{"index", index},
                             {"total", progress.tokens},
                             {"cache", progress.cached},
                             {"processed", progress.done},
                             {"time_ms", seconds * 1e3}};
  return json;
}

Json AnswerWriter::infill(int64_t index, const AnswerPiece& text, const AnswerState* ended) const {
  Json json = {{"index", index}, {"content", text.content}, {"stop", ended != nullptr}};
  if (plan_.options.tokens) json["tokens"] = text.tokens;
  if (!ended) return json;
  const EndReason reason = ended->outcome.reason;
  const PromptPlan& prompt = prompt_of(index);
  const bool word = reason == EndReason::kStopped;
  json["model"] = api_.model().name;
  json["stop_type"] = reason == EndReason::kEndToken ? "eos" : word ? "word" : "limit";
  json["stopping_word"] = ended->stopped_by;
  json["tokens_predicted"] = ended->tokens;
  json["tokens_evaluated"] = prompt.ids.size();
  json["tokens_cached"] = ended->outcome.cached.usable;
  json["truncated"] = false;
  json["timings"] = timings_json(*ended, prompt);
  json["braid"] = braid_json(*ended, prompt, api_.model().tokenizer);
  return plan_.options.told ? told_alone(json, *plan_.options.told) : json;
}

}  // namespace braid
