// XTC, "exclude top choices" (p-e-w 2024): now and then, takes away all tokens with p >= threshold
// but the least likely of them. Above a threshold of 0.5 there is at most one and nothing happens.
#pragma once

#include "sample/candidates.h"

namespace braid {

// `draw`, uniform in [0, 1), decides: it happens when draw < probability. Nothing happens when
// fewer than min_keep would be left.
void apply_xtc(Candidates& candidates, float probability, float threshold, double draw,
               size_t min_keep = 0);

}  // namespace braid
