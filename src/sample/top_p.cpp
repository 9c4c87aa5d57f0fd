#include "sample/top_p.h"

namespace braid {

void apply_top_p(Candidates& candidates, float p, size_t min_keep) {
  if (p >= 1) return;
  const Softmax softmax = candidates.softmax();
  double sum = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    sum += softmax.probability(candidates.descending(i).logit);
    if (sum >= static_cast<double>(p) && i + 1 >= min_keep) return candidates.keep_best(i + 1);
  }
}

}  // namespace braid
