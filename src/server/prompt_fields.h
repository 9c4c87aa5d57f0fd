// A text or ids in a request, or a list of them: what completions and embeddings take.
#pragma once

#include "server/answer_plan.h"
#include "server/api.h"
#include "server/json_fields.h"

#include <string_view>
#include <vector>

namespace braid {

// Each with its text as `echo`.
std::vector<PromptPlan> read_prompts(Fields& fields, std::string_view name, const Api& api,
                                     size_t most = static_cast<size_t>(kMostAnswers));

}  // namespace braid
