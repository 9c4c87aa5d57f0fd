#include "tools/perplexity_score.h"

#include "base/check.h"

#include <algorithm>
#include <cmath>

namespace braid {

Chunks::Piece Chunks::piece(int64_t position, int64_t max_rows, int64_t max_scored) const {
  CHECK(position >= 0 && position < rows() && max_rows >= 1 && max_scored >= 1);
  int64_t n = std::min(max_rows, rows() - position);
  const int64_t unscored = std::clamp<int64_t>(first_scored() - position, 0, n);
  const int64_t wanted = std::min(n - unscored, max_scored);
  n = unscored + wanted;
  return {n, wanted};
}

double loss_of(std::span<const float> logits, int32_t id) {
  CHECK(id >= 0 && static_cast<size_t>(id) < logits.size());
  const double highest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - highest);
  return std::log(sum) - (static_cast<double>(logits[static_cast<size_t>(id)]) - highest);
}

void PerplexityEstimate::add(double loss) {
  ++count_;
  sum_ += loss;
  squares_ += loss * loss;
}

double PerplexityEstimate::value() const { return std::exp(sum_ / static_cast<double>(count_)); }

double PerplexityEstimate::error() const {
  if (count_ < 2) return 0;
  const double n = static_cast<double>(count_), mean = sum_ / n;
  const double variance = squares_ / n - mean * mean;
  return variance > 0 ? std::sqrt(variance / (n - 1)) * value() : 0;
}

}  // namespace braid
