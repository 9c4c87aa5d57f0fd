// The fields of a completion and of an infill: prompts as texts or ids, and texts to fill in.
#pragma once

#include "server/answer_plan.h"
#include "server/api.h"
#include "server/json_fields.h"

namespace braid {

// prompt (a text, a list of texts, ids, or lists of ids), suffix and echo. The plan's options have
// been read.
void read_completion(Fields& fields, const Api& api, AnswerPlan& plan);

// input_prefix, input_suffix, input_extra and prompt, as llama-server has them. Refused when the
// vocabulary has no tokens for it.
void read_infill(Fields& fields, const Api& api, AnswerPlan& plan);

}  // namespace braid
