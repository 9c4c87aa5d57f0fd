// What is to be answered: prompts as the model reads them, and how to answer.
#pragma once

#include "server/answer_options.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

struct PromptPlan {
  std::vector<int32_t> ids;
  std::vector<int64_t> messages{};  // positions where messages end
  std::string echo{};               // stands before the answer
  std::string steadied{};           // a header whose value was made a constant
  bool opens_thinking = false;      // the answer begins inside of the thoughts
};

struct AnswerPlan {
  AnswerForm form = AnswerForm::kChat;
  std::vector<PromptPlan> prompts;
  AnswerOptions options;
  std::vector<int32_t> more_ends;  // tokens that end an answer beside the model's
};

// About what a plan and its requests take in memory until their answers have ended.
size_t bytes_of(const AnswerPlan& plan);

// Refuses a text before it is taken apart when the context cannot hold it in any case.
void check_bytes(size_t bytes, const ServedModel& model, std::string_view param);

// Refuses prompts that no step could run: empty, with ids that are not in the vocabulary, longer
// than the context. `param` is the field that they came in.
void check_each_prompt(const AnswerPlan& plan, const ServedModel& model, std::string_view param);
// And more answers than a request gets.
void check_prompts(const AnswerPlan& plan, const ServedModel& model, std::string_view param);

}  // namespace braid
