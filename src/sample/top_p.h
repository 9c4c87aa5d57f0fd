// Top-p, nucleus sampling (Holtzman et al. 2019): keeps the fewest most likely tokens whose
// probabilities add up to at least p.
#pragma once

#include "sample/candidates.h"

namespace braid {

// p = 1: off; p = 0 leaves one. Never leaves fewer than min_keep.
void apply_top_p(Candidates& candidates, float p, size_t min_keep = 0);

}  // namespace braid
