// The parts of an answer as JSON: its usage, Braid's own field, log-probabilities.
#pragma once

#include "engine/request.h"
#include "server/answer_plan.h"
#include "server/answer_reader.h"
#include "text/tokenizer.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

// One answer as it stands.
struct AnswerState {
  AnswerPiece text{};  // of a whole answer all, of a streamed one what has not been sent
  Outcome outcome{};
  std::string stopped_by{};  // the stop string, if one ended it
  int64_t tokens = 0, thinking_tokens = 0;
  int64_t rewinds = 0, taken_back = 0;  // by banned texts: times, tokens
  std::string thoughts_ended{};         // by Braid: "budget", "loop"
  double logprobs = 0;                  // the sum over its tokens, for best_of
};

// As OpenAI names ends: "stop", "length".
std::string_view finish_reason(EndReason reason);

// Whole characters; bytes that are none become U+FFFD.
std::string token_text(const Tokenizer& tokenizer, int32_t id);

// Prompts counted once, answers all.
nlohmann::ordered_json usage_json(const AnswerPlan& plan, std::span<const AnswerState> answers);

// What was reused and why no more, times, the seed.
nlohmann::ordered_json braid_json(const AnswerState& answer, const PromptPlan& prompt,
                                  const Tokenizer& tokenizer);

nlohmann::ordered_json timings_json(const AnswerState& answer, const PromptPlan& prompt);

nlohmann::ordered_json chat_logprobs(std::span<const NotedToken> notes, const Tokenizer& tokenizer);
// `before`: characters in front of the content.
nlohmann::ordered_json completion_logprobs(std::span<const NotedToken> notes,
                                           const Tokenizer& tokenizer, int64_t before);

}  // namespace braid
