// The fields of a request that say how tokens are chosen.
#pragma once

#include "sample/options.h"
#include "server/json_fields.h"
#include "server/served_model.h"

namespace braid {

// OpenAI's names and those of llama-server; where nothing is said, what the model was served with.
SamplerOptions read_sampling(Fields& fields, const ServedModel& model);

}  // namespace braid
