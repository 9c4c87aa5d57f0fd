#include "sample/candidates.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "sample/extend_sorted.h"

namespace braid {
namespace {

bool before(const Candidate& a, const Candidate& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

}  // namespace

Softmax softmax_of(std::span<const Candidate> candidates) {
  CHECK(!candidates.empty());
  const float max = std::ranges::max(candidates, {}, &Candidate::logit).logit;
  CHECK_THAT(std::isfinite(max), "the largest logit of {} is {}", candidates.size(), max);
  Softmax result{.max = max, .sum = 0};
  for (const Candidate& c : candidates) result.sum += result.weight(c.logit);
  return result;
}

void Candidates::assign(std::span<const float> logits) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  bool all_good = true;
  items_.resize(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) {
    items_[i] = {static_cast<int32_t>(i), logits[i]};
    all_good &= logits[i] < kInfinity;  // false for NaN
  }
  sorted_ = 0;
  if (all_good) return;
  const auto bad = std::ranges::find_if(logits, [](float logit) { return !(logit < kInfinity); });
  throw InternalError(fmt::format("the logit of token {} of {} is {}: the model computed no answer",
                                  bad - logits.begin(), logits.size(), *bad));
}

float Candidates::max_logit() const { return items_[best()].logit; }

size_t Candidates::best() const {
  CHECK(!items_.empty());
  if (sorted_ > 0) return 0;
  size_t best = 0;
  for (size_t i = 1; i < items_.size(); ++i) {
    if (before(items_[i], items_[best])) best = i;
  }
  return best;
}

const Candidate& Candidates::descending(size_t i) {
  if (i >= sorted_) {
    sorted_ = extend_sorted(std::span(items_), sorted_, next_sorted(sorted_, i), before);
  }
  return items_[i];
}

void Candidates::keep_best(size_t n) {
  if (n >= items_.size()) return;
  sorted_ = extend_sorted(std::span(items_), sorted_, n, before);
  items_.resize(n);
  sorted_ = n;
}

void Candidates::remove_best(size_t n) {
  n = std::min(n, items_.size());
  sorted_ = extend_sorted(std::span(items_), sorted_, n, before);
  items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(n));
  sorted_ -= n;
}

}  // namespace braid
