#include "server/answer_plan.h"

#include "server/api_error.h"

#include <fmt/format.h>

namespace braid {
namespace {

[[noreturn]] void refuse_length(std::string_view what, const ServedModel& model,
                                std::string_view param) {
  throw ApiError(
      {.status = 400,
       .message = fmt::format("the prompt has {}, the context of this server {}: shorten it, or "
                              "start the server with a larger one (-c)",
                              what, model.context),
       .type = "invalid_request_error",
       .param = std::string(param),
       .code = "context_length_exceeded"});
}

}  // namespace

size_t bytes_of(const AnswerPlan& plan) {
  constexpr size_t kAnswer = 4096, kBias = 64;
  const size_t each = kAnswer + kBias * plan.options.sampling.logit_bias.size();
  size_t bytes = 0;
  for (const PromptPlan& prompt : plan.prompts)
    bytes += prompt.ids.size() * sizeof(int32_t) + prompt.messages.size() * sizeof(int64_t) +
             prompt.echo.size() + each * static_cast<size_t>(plan.options.best_of);
  return bytes;
}

void check_bytes(size_t bytes, const ServedModel& model, std::string_view param) {
  const size_t least = model.tokenizer.least_ids(bytes);
  if (least > static_cast<size_t>(model.context))
    refuse_length(fmt::format("{} bytes, which are at least {} tokens", bytes, least), model,
                  param);
}

void check_each_prompt(const AnswerPlan& plan, const ServedModel& model, std::string_view param) {
  const int32_t tokens = model.sampler_vocabulary.n_tokens;
  for (const PromptPlan& prompt : plan.prompts) {
    if (prompt.ids.empty()) refuse(param, "the prompt is empty: it needs at least one token");
    for (const int32_t id : prompt.ids)
      if (id < 0 || id >= tokens)
        refuse(param, "token {} is outside of the vocabulary: ids are from 0 to {}", id,
               tokens - 1);
    const auto length = static_cast<int64_t>(prompt.ids.size());
    if (length > model.context) refuse_length(fmt::format("{} tokens", length), model, param);
  }
}

void check_prompts(const AnswerPlan& plan, const ServedModel& model, std::string_view param) {
  check_each_prompt(plan, model, param);
  const auto answers = static_cast<int64_t>(plan.prompts.size()) * plan.options.best_of;
  if (answers > model.scheduler.queue())
    refuse(plan.options.best_of > plan.options.n ? "best_of" : "n",
           "{} answers at a time are more than this server lets wait ({}, --queue)", answers,
           model.scheduler.queue());
  if (answers > kMostAnswers)
    refuse(plan.options.best_of > plan.options.n ? "best_of" : "n",
           "{} prompts with {} answers each are {} answers; at most {} are given to a request",
           plan.prompts.size(), plan.options.best_of, answers, kMostAnswers);
}

}  // namespace braid
