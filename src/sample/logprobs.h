// Log-probabilities of the model itself, before any stage of sampling: what an API reports.
//
//   log p(t) = l(t) - max - log sum_u exp(l(u) - max), in double
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace braid {

struct TokenLogprob {
  int32_t id;
  double logprob;
};

// The k most likely tokens, most likely first, equal ones by the lower id. `logits` are those of
// the tokenizer's tokens, without padding. Throws InternalError for NaN and +inf, Error when all
// are -inf, as logprob does.
std::vector<TokenLogprob> top_logprobs(std::span<const float> logits, size_t k);

// Both with one pass for the sum.
struct TokenLogprobs {
  double own = 0;
  std::vector<TokenLogprob> top;
};
TokenLogprobs logprobs_of(std::span<const float> logits, int32_t id, size_t k);

double logprob(std::span<const float> logits, int32_t id);

}  // namespace braid
