#include "sample/typical.h"

#include <span>

#include "sample/extend_sorted.h"

namespace braid {

void apply_typical(Candidates& candidates, float p, size_t min_keep, TypicalScratch& scratch) {
  if (p >= 1) return;
  const auto items = candidates.items();
  const Softmax softmax = candidates.softmax();
  const double log_sum = std::log(softmax.sum);
  const auto surprise = [&](const Candidate& c) {
    return softmax.max + log_sum - static_cast<double>(c.logit);
  };
  double entropy = 0;
  for (const Candidate& c : items) {
    // Not the product of an underflowed probability and an overflowed surprise.
    const double probability = softmax.probability(c.logit);
    if (probability > 0) entropy += probability * surprise(c);
  }
  scratch.scores.clear();
  for (uint32_t i = 0; i < items.size(); ++i) {
    scratch.scores.push_back({std::abs(surprise(items[i]) - entropy), items[i].id, i});
  }

  const auto nearer = [](const TypicalScratch::Score& a, const TypicalScratch::Score& b) {
    return a.distance < b.distance || (a.distance == b.distance && a.id < b.id);
  };
  scratch.keep.assign(items.size(), 0);
  size_t sorted = 0;
  double sum = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i >= sorted) {
      sorted = extend_sorted(std::span(scratch.scores), sorted, next_sorted(sorted, i), nearer);
    }
    const uint32_t index = scratch.scores[i].index;
    scratch.keep[index] = 1;
    sum += softmax.probability(items[index].logit);
    if (sum > static_cast<double>(p) && i + 1 >= min_keep) break;
  }
  candidates.keep_if([&](size_t i) { return scratch.keep[i] != 0; });
}

}  // namespace braid
