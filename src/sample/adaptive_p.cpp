#include "sample/adaptive_p.h"

#include <algorithm>

namespace braid {

AdaptiveState adaptive_start(const SamplerOptions& options) {
  const double weight = 1 / (1 - static_cast<double>(options.adaptive_decay));
  return {static_cast<double>(options.adaptive_target) * weight, weight};
}

AdaptiveState adaptive_after(AdaptiveState state, double probability,
                             const SamplerOptions& options) {
  if (probability <= 0) return state;
  const auto decay = static_cast<double>(options.adaptive_decay);
  return {decay * state.weighted_sum + probability, decay * state.total_weight + 1};
}

void apply_adaptive_p(Candidates& candidates, AdaptiveState state, const SamplerOptions& options) {
  constexpr double kPeak = 5, kSharpness = 10, kWidth = 0.3;
  const double target = std::clamp(
      2 * static_cast<double>(options.adaptive_target) - state.weighted_sum / state.total_weight,
      0.0, 1.0);
  const Softmax softmax = candidates.softmax();
  for (Candidate& c : candidates.change()) {
    const double d = std::abs(softmax.probability(c.logit) - target) / kWidth;
    c.logit = static_cast<float>(kPeak - kSharpness * d * d / (1 + d));
  }
}

}  // namespace braid
