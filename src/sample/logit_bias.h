// Logit bias: l'(t) = l(t) + bias(t), first of all. A bias of -inf bans the token.
#pragma once

#include <map>

#include "sample/candidates.h"

namespace braid {

// The list is still the whole vocabulary in order of ids; the ids are in it.
void apply_logit_bias(Candidates& candidates, const std::map<int32_t, float>& bias);

}  // namespace braid
