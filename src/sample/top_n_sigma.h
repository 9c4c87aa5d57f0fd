// Top-n-sigma (Tang et al. 2024): keeps l >= max - n * sigma, with the standard deviation of the
// logits of the list. Needs no probabilities; temperature does not change what it keeps.
#pragma once

#include "sample/candidates.h"

namespace braid {

// n <= 0: off. Fewer than four candidates have no spread worth the name and stay.
void apply_top_n_sigma(Candidates& candidates, float n);

}  // namespace braid
