#include "sample/temperature.h"

#include <algorithm>
#include <limits>

namespace braid {

void apply_temperature(Candidates& candidates, float temperature) {
  const auto divide = [&](double logit) { return logit / static_cast<double>(temperature); };
  // Where the largest would not fit into a float any more, the logits are first moved below 0: what
  // matters is their differences.
  const double max = static_cast<double>(candidates.max_logit());
  constexpr double kMost = std::numeric_limits<float>::max();
  const double shift = std::abs(divide(max)) > kMost ? max : 0;
  for (Candidate& c : candidates.change_keeping_order()) {
    const double logit = divide(static_cast<double>(c.logit) - shift);
    c.logit = static_cast<float>(std::max(logit, -kMost));
  }
}

}  // namespace braid
