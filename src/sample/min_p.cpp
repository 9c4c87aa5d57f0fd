#include "sample/min_p.h"

#include <algorithm>

namespace braid {

void apply_min_p(Candidates& candidates, float p, size_t min_keep) {
  if (p <= 0) return;
  const double least =
      static_cast<double>(candidates.max_logit()) + std::log(static_cast<double>(p));
  const auto items = candidates.items();
  const auto enough = [&](const Candidate& c) { return static_cast<double>(c.logit) >= least; };
  const auto kept = static_cast<size_t>(std::ranges::count_if(items, enough));
  if (kept < min_keep) return candidates.keep_best(min_keep);
  candidates.keep_if([&](size_t i) { return enough(items[i]); });
}

}  // namespace braid
