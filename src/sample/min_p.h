// Min-p (Nguyen et al. 2024): keeps the tokens at least p times as likely as the most likely one,
// that is l >= max + log p.
#pragma once

#include "sample/candidates.h"

namespace braid {

// p = 0: off. Never leaves fewer than min_keep.
void apply_min_p(Candidates& candidates, float p, size_t min_keep = 0);

}  // namespace braid
