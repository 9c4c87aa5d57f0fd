// From a request's body to its answers: what chats, completions and infills have in common.
#pragma once

#include "server/answer_plan.h"
#include "server/api.h"
#include "server/json_fields.h"

#include <functional>
#include <memory>

namespace braid {

// Reads the body with the options that all forms share; `read` adds the prompts and all else that
// its form has. Answers in any case: errors at once.
void answer_request(Api& api, const std::shared_ptr<Exchange>& exchange, AnswerForm form,
                    const std::function<void(Fields& fields, AnswerPlan& plan)>& read);

}  // namespace braid
