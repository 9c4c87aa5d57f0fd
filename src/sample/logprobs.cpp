#include "sample/logprobs.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace braid {
namespace {

// log p = (logit - max) - log_sum; in this order nothing is lost when the logits are large.
struct LogSoftmax {
  double max, log_sum;
  double of(double logit) const { return logit - max - log_sum; }
};

LogSoftmax log_softmax(std::span<const float> logits) {
  float max = -std::numeric_limits<float>::infinity();
  for (size_t i = 0; i < logits.size(); ++i) {
    if (!(logits[i] < std::numeric_limits<float>::infinity())) {
      throw InternalError(
          fmt::format("the logit of token {} of {} is {}: the model computed no answer", i,
                      logits.size(), logits[i]));
    }
    max = std::max(max, logits[i]);
  }
  if (std::isinf(max)) fail("none of {} tokens has a finite logit", logits.size());
  double sum = 0;
  for (const float logit : logits)
    sum += std::exp(static_cast<double>(logit) - static_cast<double>(max));
  return {static_cast<double>(max), std::log(sum)};
}

std::vector<TokenLogprob> best_of(std::span<const float> logits, size_t k,
                                  const LogSoftmax& softmax) {
  const auto before = [](const TokenLogprob& a, const TokenLogprob& b) {
    return a.logprob > b.logprob || (a.logprob == b.logprob && a.id < b.id);
  };
  // A heap of the k best so far with the worst of them on top; logits until the end.
  std::vector<TokenLogprob> best;
  k = std::min(k, logits.size());
  best.reserve(k + 1);
  for (size_t i = 0; k > 0 && i < logits.size(); ++i) {
    const TokenLogprob token{static_cast<int32_t>(i), static_cast<double>(logits[i])};
    if (best.size() == k && !before(token, best.front())) continue;
    best.push_back(token);
    std::push_heap(best.begin(), best.end(), before);
    if (best.size() <= k) continue;
    std::pop_heap(best.begin(), best.end(), before);
    best.pop_back();
  }
  std::sort_heap(best.begin(), best.end(), before);
  for (TokenLogprob& token : best) token.logprob = softmax.of(token.logprob);
  return best;
}

void check_id(std::span<const float> logits, int32_t id) {
  CHECK_THAT(id >= 0 && static_cast<size_t>(id) < logits.size(), "token {} of {}", id,
             logits.size());
}

}  // namespace

std::vector<TokenLogprob> top_logprobs(std::span<const float> logits, size_t k) {
  return best_of(logits, k, log_softmax(logits));
}

TokenLogprobs logprobs_of(std::span<const float> logits, int32_t id, size_t k) {
  check_id(logits, id);
  const LogSoftmax softmax = log_softmax(logits);
  return {softmax.of(static_cast<double>(logits[static_cast<size_t>(id)])),
          best_of(logits, k, softmax)};
}

double logprob(std::span<const float> logits, int32_t id) {
  check_id(logits, id);
  return log_softmax(logits).of(static_cast<double>(logits[static_cast<size_t>(id)]));
}

}  // namespace braid
