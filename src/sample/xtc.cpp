#include "sample/xtc.h"

namespace braid {

void apply_xtc(Candidates& candidates, float probability, float threshold, double draw,
               size_t min_keep) {
  if (draw >= static_cast<double>(probability) || threshold > 0.5f) return;
  const Softmax softmax = candidates.softmax();
  const auto is_top = [&](const Candidate& c) {
    return softmax.probability(c.logit) >= static_cast<double>(threshold);
  };
  size_t top = 0;
  while (top < candidates.size() && is_top(candidates.descending(top))) ++top;
  if (top < 2 || candidates.size() - (top - 1) < min_keep) return;
  candidates.remove_best(top - 1);
}

}  // namespace braid
