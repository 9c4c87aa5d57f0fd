// Answers in the shape that a client asked for: OpenAI's chat completions and completions, whole or
// as the chunks of a stream, and llama-server's infill.
#pragma once

#include "server/answer_json.h"
#include "server/api.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

struct AnswerHead {
  std::string id;
  int64_t created = 0;  // seconds since 1970
};

class AnswerWriter {
 public:
  using Json = nlohmann::ordered_json;

  // Refers to all three.
  AnswerWriter(const Api& api, const AnswerPlan& plan, AnswerHead head);

  // All answers, prompt by prompt; of best_of the best are told.
  Json whole(std::span<const AnswerState> answers) const;

  // Of a stream. `index` counts the choices of all prompts.
  Json role_chunk(int64_t index) const;  // the first of a choice; of chats
  Json piece_chunk(int64_t index, const AnswerPiece& piece) const;
  Json finish_chunk(int64_t index, const AnswerState& answer) const;
  Json usage_chunk(std::span<const AnswerState> answers) const;
  Json progress_chunk(int64_t index, const PromptProgress& progress, double seconds) const;

 private:
  bool chat() const { return plan_.form == AnswerForm::kChat; }
  const PromptPlan& prompt_of(int64_t index) const;
  Json envelope(bool chunk) const;
  Json chunk(Json choice) const;
  Json choice(int64_t index, const AnswerPiece& text, bool whole) const;
  Json logprobs_of(const AnswerPiece& text, int64_t before) const;
  Json infill(int64_t index, const AnswerPiece& text, const AnswerState* ended) const;

  const Api& api_;
  const AnswerPlan& plan_;
  AnswerHead head_;
};

}  // namespace braid
