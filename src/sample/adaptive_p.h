// Adaptive-p (as in ik_llama.cpp): chooses tokens whose probability is near a target, and moves the
// target against what was chosen so far.
//
//   target' = clamp(2 target - weighted_sum / total_weight, 0, 1)
//   d = |p - target'| / 0.3;   l' = 5 - 10 d^2 / (1 + d);   the choice is by softmax(l')
//   after a choice of probability p > 0:   weighted_sum = decay * weighted_sum + p
//                                          total_weight = decay * total_weight + 1
//
// at first target / (1 - decay) and 1 / (1 - decay), as if the target had always been met. It lifts
// unlikely tokens, so a truncating stage belongs before it.
#pragma once

#include "sample/candidates.h"
#include "sample/options.h"

namespace braid {

struct AdaptiveState {
  double weighted_sum = 0;
  double total_weight = 0;
  bool operator==(const AdaptiveState&) const = default;
};

AdaptiveState adaptive_start(const SamplerOptions& options);
AdaptiveState adaptive_after(AdaptiveState state, double probability,
                             const SamplerOptions& options);

void apply_adaptive_p(Candidates& candidates, AdaptiveState state, const SamplerOptions& options);

}  // namespace braid
