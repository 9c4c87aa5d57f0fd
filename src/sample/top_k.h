// Top-k: keeps the k largest logits.
#pragma once

#include "sample/candidates.h"

namespace braid {

// k <= 0: off. Never leaves fewer than min_keep.
void apply_top_k(Candidates& candidates, int32_t k, size_t min_keep = 0);

}  // namespace braid
