#include "server/answer_json.h"

#include "text/stream_decoder.h"

#include <nlohmann/json.hpp>

namespace braid {
namespace {

using Json = nlohmann::ordered_json;

std::string_view name_of(Missed missed) {
  switch (missed) {
    case Missed::kNothing:
      return "nothing";
    case Missed::kNew:
      return "new";
    case Missed::kDiffers:
      return "differs";
    case Missed::kNoState:
      return "no_snapshot";
    case Missed::kEvicted:
      return "evicted";
  }
  return "";
}

Json token_json(const TokenLogprob& token, const Tokenizer& tokenizer) {
  const std::string_view bytes = tokenizer.bytes(token.id);
  Json list = Json::array();
  for (const char byte : bytes) list.push_back(static_cast<unsigned char>(byte));
  return {{"token", token_text(tokenizer, token.id)},
          {"logprob", token.logprob},
          {"bytes", std::move(list)}};
}

double ms_each(double seconds, int64_t tokens) {
  return tokens > 0 ? seconds * 1e3 / static_cast<double>(tokens) : 0;
}

double speed(int64_t tokens, double seconds) {
  return seconds > 0 ? static_cast<double>(tokens) / seconds : 0;
}

Json cache_json(const PrefixMatch& cached, const PromptPlan& prompt, const Tokenizer& tokenizer) {
  Json json = {{"known_tokens", cached.known}, {"missed", name_of(cached.missed)}};
  if (!prompt.steadied.empty()) json["steadied"] = prompt.steadied;
  const auto at = static_cast<size_t>(cached.known);
  if (cached.missed == Missed::kNothing || at >= prompt.ids.size()) return json;
  Json differs = {{"index", cached.known},
                  {"token", prompt.ids[at]},
                  {"text", token_text(tokenizer, prompt.ids[at])}};
  if (cached.other >= 0) {
    differs["cached_token"] = cached.other;
    differs["cached_text"] = token_text(tokenizer, cached.other);
  }
  json["first_new"] = std::move(differs);
  return json;
}

}  // namespace

std::string_view finish_reason(EndReason reason) {
  return reason == EndReason::kEndToken || reason == EndReason::kStopped ? "stop" : "length";
}

std::string token_text(const Tokenizer& tokenizer, int32_t id) {
  StreamDecoder decoder;
  std::string text;
  decoder.feed(tokenizer.bytes(id), text);
  decoder.finish(text);
  return text;
}

Json usage_json(const AnswerPlan& plan, std::span<const AnswerState> answers) {
  int64_t prompt = 0, cached = 0, completion = 0, thinking = 0;
  const auto each = static_cast<size_t>(plan.options.best_of);
  for (size_t i = 0; i < answers.size(); ++i) {
    completion += answers[i].tokens;
    thinking += answers[i].thinking_tokens;
    if (i % each != 0) continue;
    prompt += static_cast<int64_t>(plan.prompts[i / each].ids.size());
    cached += answers[i].outcome.cached.usable;
  }
  return {{"prompt_tokens", prompt},
          {"completion_tokens", completion},
          {"total_tokens", prompt + completion},
          {"prompt_tokens_details", {{"cached_tokens", cached}}},
          {"completion_tokens_details", {{"reasoning_tokens", thinking}}}};
}

Json timings_json(const AnswerState& answer, const PromptPlan& prompt) {
  const Outcome& o = answer.outcome;
  // Without a first token all the time went into the prompt.
  const double first = o.first_token_seconds > 0 ? o.first_token_seconds : o.seconds;
  const double prefill = std::max(first - o.queue_seconds, 0.0);
  const double decode = std::max(o.seconds - first, 0.0);
  const auto all = static_cast<int64_t>(prompt.ids.size());
  return {{"cache_n", std::min(o.cached.usable, all)},
          {"prompt_n", o.prompt_rows},
          {"prompt_ms", prefill * 1e3},
          {"prompt_per_token_ms", ms_each(prefill, o.prompt_rows)},
          {"prompt_per_second", speed(o.prompt_rows, prefill)},
          {"predicted_n", answer.tokens},
          {"predicted_ms", decode * 1e3},
          {"predicted_per_token_ms", ms_each(decode, answer.tokens - 1)},
          {"predicted_per_second", speed(std::max<int64_t>(answer.tokens - 1, 0), decode)}};
}

Json braid_json(const AnswerState& answer, const PromptPlan& prompt, const Tokenizer& tokenizer) {
  const Outcome& o = answer.outcome;
  Json json = {{"cached_tokens", o.cached.usable},
               {"cache", cache_json(o.cached, prompt, tokenizer)},
               {"end", name_of(o.reason)},
               {"seed", o.seed},
               {"queue_seconds", o.queue_seconds},
               {"first_token_seconds", o.first_token_seconds},
               {"seconds", o.seconds},
               {"timings", timings_json(answer, prompt)}};
  if (!answer.thoughts_ended.empty()) json["thoughts_ended"] = answer.thoughts_ended;
  if (answer.rewinds > 0)
    json["rewinds"] = {{"count", answer.rewinds}, {"tokens", answer.taken_back}};
  return json;
}

Json chat_logprobs(std::span<const NotedToken> notes, const Tokenizer& tokenizer) {
  Json content = Json::array();
  for (const NotedToken& note : notes) {
    Json token = token_json({note.id, note.logprob}, tokenizer);
    Json top = Json::array();
    for (const TokenLogprob& other : note.top) top.push_back(token_json(other, tokenizer));
    token["top_logprobs"] = std::move(top);
    content.push_back(std::move(token));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

Json completion_logprobs(std::span<const NotedToken> notes, const Tokenizer& tokenizer,
                         int64_t before) {
  Json tokens = Json::array(), logprobs = Json::array(), tops = Json::array(),
       offsets = Json::array();
  for (const NotedToken& note : notes) {
    tokens.push_back(token_text(tokenizer, note.id));
    logprobs.push_back(note.logprob);
    Json top = Json::object();
    // Tokens of the same text after decoding: the likelier one stays.
    for (const TokenLogprob& other : note.top)
      top.emplace(token_text(tokenizer, other.id), other.logprob);
    top.emplace(token_text(tokenizer, note.id), note.logprob);
    tops.push_back(std::move(top));
    offsets.push_back(before + note.characters_before);
  }
  return {{"tokens", std::move(tokens)},
          {"token_logprobs", std::move(logprobs)},
          {"top_logprobs", std::move(tops)},
          {"text_offset", std::move(offsets)}};
}

}  // namespace braid
