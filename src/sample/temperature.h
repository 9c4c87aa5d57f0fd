// Temperature: l' = l / T for T > 0. Greedy choice, T = 0, is the sampler's.
#pragma once

#include "sample/candidates.h"

namespace braid {

void apply_temperature(Candidates& candidates, float temperature);

}  // namespace braid
