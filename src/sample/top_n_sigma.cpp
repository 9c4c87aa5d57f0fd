#include "sample/top_n_sigma.h"

namespace braid {

void apply_top_n_sigma(Candidates& candidates, float n) {
  constexpr size_t kFewest = 4;
  if (n <= 0 || candidates.size() < kFewest) return;
  const auto items = candidates.items();
  const auto count = static_cast<double>(items.size());
  double mean = 0, variance = 0;
  for (const Candidate& c : items) mean += static_cast<double>(c.logit) / count;
  for (const Candidate& c : items) {
    const double off = static_cast<double>(c.logit) - mean;
    variance += off * off / count;
  }
  const double least =
      static_cast<double>(candidates.max_logit()) - static_cast<double>(n) * std::sqrt(variance);
  if (!std::isfinite(least)) return;
  candidates.keep_if([&](size_t i) { return static_cast<double>(items[i].logit) >= least; });
}

}  // namespace braid
