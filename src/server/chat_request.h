// The fields of a request that make a conversation, and the prompt that becomes of them.
#pragma once

#include "server/answer_plan.h"
#include "server/api.h"
#include "server/json_fields.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace braid {

// What the model's template gets.
struct ChatRequest {
  std::shared_ptr<nlohmann::ordered_json> messages, tools,
      extra;                     // tools: null when there are none
  int64_t thinking_budget = -1;  // in tokens; below 0: none
  std::string steadied;          // a header of the first message that was made the same for all
};

// messages, tools, tool_choice, chat_template_kwargs, enable_thinking, reasoning_effort, a budget
// of thoughts, keep_volatile, and what OpenAI has beside them. Refuses what the template does not
// know.
ChatRequest read_chat(Fields& fields, const Api& api);

// Throws what the template says about the conversation as an ApiError.
struct RenderedChat {
  std::string text;
  PromptPlan plan;
};
RenderedChat render_chat(const ChatRequest& chat, const Api& api);

}  // namespace braid
