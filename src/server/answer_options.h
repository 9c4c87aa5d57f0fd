// What a request says about its answers, beside the prompt: the fields that chat, completion and
// infill have in common.
#pragma once

#include "sample/loop_guard.h"
#include "sample/options.h"
#include "server/ban_fields.h"
#include "server/json_fields.h"
#include "server/served_model.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace braid {

// Answers of one request: prompts times choices, those of best_of included.
inline constexpr int64_t kMostAnswers = 128;
inline constexpr int64_t kMostTopLogprobs = 20;

enum class AnswerForm { kChat, kCompletion, kInfill };

struct AnswerOptions {
  SamplerOptions sampling{};
  int64_t max_tokens = -1;  // below 0: what fits
  bool own_length = true;   // the server's, which may be shorter where memory is
  std::vector<std::string> stops{};
  Bans bans{};
  LoopLimits loops{};
  int n = 1, best_of = 1;
  int logprobs = -1;  // of so many tokens beside the chosen one; below 0: none are told
  bool stream = false, include_usage = false, progress = false;
  bool tokens = false;           // told beside the text
  int64_t thinking_budget = -1;  // tokens; below 0: none
  int64_t indent = 0;            // of an infill's lines; 0: any
  int64_t predict_ms = 0;        // of an infill that has a line, from its first token; 0: no bound
  std::optional<std::vector<std::string>> told{};  // of an infill: these fields alone
  int priority = 0;
  std::optional<std::chrono::duration<double>> timeout{};
};

AnswerOptions read_answer_options(Fields& fields, const ServedModel& model, AnswerForm form);

// Refuses a model that is not the one served.
void check_model(Fields& fields, const ServedModel& model);

}  // namespace braid
