#include "server/answer_options.h"

#include "format/printable.h"
#include "server/api_error.h"
#include "server/sampling_fields.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace braid {
namespace {

using Json = Fields::Json;

constexpr size_t kMostStops = 16, kLongestStop = 1000;
constexpr double kLongestTimeout = 7 * 24 * 3600.0;
constexpr int64_t kMostPriority = 100;
constexpr size_t kMostTold = 100;
constexpr int64_t kLeastLoop = 64, kMostLoop = 1'000'000;

std::vector<std::string> read_stops(Fields& fields) {
  const Json* value = fields.find("stop");
  if (!value) return {};
  const Json list = value->is_array() ? *value : Json::array({*value});
  if (list.size() > kMostStops)
    refuse("stop", "stop has {} texts; at most {} are taken", list.size(), kMostStops);
  std::vector<std::string> stops;
  for (const Json& stop : list) {
    if (!stop.is_string()) fields.wrong("stop", stop, "a text or a list of texts");
    stops.push_back(stop.get<std::string>());
    if (stops.back().empty()) refuse("stop", "stop holds an empty text, which ends no answer");
    if (stops.back().size() > kLongestStop)
      refuse("stop", "stop holds a text of {} bytes; at most {} are taken", stops.back().size(),
             kLongestStop);
  }
  return stops;
}

// false: off; a number of tokens: for thoughts and content alike.
LoopLimits read_loop_guard(Fields& fields) {
  LoopLimits limits;
  const Json* value = fields.find("loop_guard");
  if (!value) return limits;
  if (value->is_boolean()) return value->get<bool>() ? limits : LoopLimits{0, 0};
  const auto tokens = as_integer(*value);
  if (!tokens) fields.wrong("loop_guard", *value, "true, false or a number of tokens");
  if (*tokens < kLeastLoop || *tokens > kMostLoop)
    refuse("loop_guard", "loop_guard is {}; it must be from {} to {} tokens", *tokens, kLeastLoop,
           kMostLoop);
  return {*tokens, *tokens};
}

void read_length(Fields& fields, const ServedModel& model, AnswerForm form, AnswerOptions& into) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  std::optional<int64_t> tokens;
  if (form == AnswerForm::kChat)
    tokens = fields.one_integer({"max_tokens", "max_completion_tokens"}, 0, kMost);
  if (form == AnswerForm::kCompletion) tokens = fields.integer("max_tokens", 0, kMost);
  if (form == AnswerForm::kInfill)
    tokens = fields.one_integer({"n_predict", "max_tokens"}, -1, kMost);
  into.max_tokens = tokens.value_or(-1);
  into.own_length = into.max_tokens < 0;
  if (into.own_length) into.max_tokens = model.max_tokens;
}

void read_logprobs(Fields& fields, AnswerForm form, AnswerOptions& into) {
  if (form == AnswerForm::kInfill) return;
  if (form == AnswerForm::kCompletion) {
    into.logprobs = static_cast<int>(fields.integer("logprobs", 0, kMostTopLogprobs).value_or(-1));
    return;
  }
  const bool wanted = fields.boolean("logprobs").value_or(false);
  const auto top = fields.integer("top_logprobs", 0, kMostTopLogprobs);
  if (top && !wanted)
    refuse("top_logprobs", "top_logprobs has a meaning only with \"logprobs\": true");
  if (wanted) into.logprobs = static_cast<int>(top.value_or(0));
}

void read_stream(Fields& fields, AnswerOptions& into) {
  into.stream = fields.boolean("stream").value_or(false);
  into.progress = fields.boolean("return_progress").value_or(false);
  if (into.progress && !into.stream)
    refuse("return_progress", "return_progress has a meaning only with \"stream\": true");
  const Json* given = fields.find("stream_options");
  if (!given) return;
  if (!into.stream)
    refuse("stream_options", "stream_options has a meaning only with \"stream\": true");
  Fields options(*given, "stream_options");
  into.include_usage = options.boolean("include_usage").value_or(false);
  options.only("include_obfuscation", false, "Braid pads no events");
  options.finish();
}

void read_choices(Fields& fields, AnswerForm form, AnswerOptions& into) {
  if (form == AnswerForm::kInfill) return;
  into.n = static_cast<int>(fields.integer("n", 1, kMostAnswers).value_or(1));
  into.best_of = into.n;
  if (form != AnswerForm::kCompletion) return;
  into.best_of = static_cast<int>(fields.integer("best_of", 1, kMostAnswers).value_or(into.n));
  if (into.best_of < into.n)
    refuse("best_of", "best_of is {} and n is {}; the best n are chosen from best_of answers",
           into.best_of, into.n);
  if (into.best_of > into.n && into.stream)
    refuse("best_of", "best_of cannot be streamed: which are the best is known at the end");
}

// What editors ask of an infill.
void read_editor(Fields& fields, AnswerForm form, AnswerOptions& into) {
  if (form != AnswerForm::kInfill) return;
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  into.indent = fields.integer("n_indent", 0, kMost).value_or(0);
  into.predict_ms = std::max<int64_t>(fields.integer("t_max_predict_ms", -1, kMost).value_or(0), 0);
  fields.integer("t_max_prompt_ms", -1, kMost);  // bounds nothing for llama-server either
  const Json* told = fields.find("response_fields");
  if (!told) return;
  if (!told->is_array() || told->size() > kMostTold)
    fields.wrong("response_fields", *told, fmt::format("a list of up to {} names", kMostTold));
  if (told->empty()) return;
  into.told.emplace();
  for (const Json& name : *told) {
    if (!name.is_string()) fields.wrong("response_fields", name, "a list of names");
    into.told->push_back(name.get<std::string>());
  }
}

// Fields of OpenAI's that change nothing about an answer.
void pass_over_others(Fields& fields) {
  for (const char* name :
       {"user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"})
    fields.pass_over(name);
  fields.only("store", false, "Braid keeps no answers");
  fields.only("cache_prompt", true, "the cache serves every request");
  const auto tier = fields.text("service_tier");
  if (tier && *tier != "auto" && *tier != "default")
    refuse("service_tier",
           "service_tier is \"{}\"; there is \"auto\" and \"default\" alone (see "
           "\"priority\")",
           *tier);
}

}  // namespace

AnswerOptions read_answer_options(Fields& fields, const ServedModel& model, AnswerForm form) {
  AnswerOptions options;
  options.sampling = read_sampling(fields, model);
  options.stops = read_stops(fields);
  options.bans = read_bans(fields);
  options.loops = read_loop_guard(fields);
  read_length(fields, model, form, options);
  read_logprobs(fields, form, options);
  read_stream(fields, options);
  read_choices(fields, form, options);
  options.priority =
      static_cast<int>(fields.integer("priority", -kMostPriority, kMostPriority).value_or(0));
  if (const auto seconds = fields.number("timeout", 0.001, kLongestTimeout))
    options.timeout = std::chrono::duration<double>(*seconds);
  read_editor(fields, form, options);
  if (form != AnswerForm::kChat) options.tokens = fields.boolean("return_tokens").value_or(false);
  pass_over_others(fields);
  return options;
}

void check_model(Fields& fields, const ServedModel& model) {
  const auto name = fields.text("model");
  if (!name || name->empty() || *name == model.name) return;
  throw ApiError({.status = 404,
                  .message = fmt::format("the model \"{}\" is not served here: there is \"{}\"",
                                         printable(*name), model.name),
                  .type = "invalid_request_error",
                  .param = "model",
                  .code = "model_not_found"});
}

}  // namespace braid
