// A vocabulary given as the texts of its tokens, and random logits, for the tests of sampling.
#pragma once

#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "sample/sampler.h"

namespace braid {

inline SamplerVocabulary vocabulary_of(std::vector<std::string> tokens) {
  const auto texts = std::make_shared<const std::vector<std::string>>(std::move(tokens));
  return {.n_tokens = static_cast<int32_t>(texts->size()),
          .unused = {},
          .bytes = [texts](int32_t id) -> std::string_view {
            return texts->at(static_cast<size_t>(id));
          }};
}

// So many tokens that all read "x".
inline SamplerVocabulary plain_vocabulary(int32_t n_tokens) {
  return {.n_tokens = n_tokens, .unused = {}, .bytes = [](int32_t) { return "x"; }};
}

inline std::vector<float> random_logits(size_t n, uint32_t seed, double spread = 3) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(0, spread);
  std::vector<float> logits(n);
  for (float& logit : logits) logit = static_cast<float>(normal(random));
  return logits;
}

// Everything that truncates or penalises switched off.
inline SamplerOptions plain_options(int64_t seed = 1) {
  SamplerOptions options;
  options.temperature = 1;
  options.top_k = 0;
  options.top_p = 1;
  options.min_p = 0;
  options.seed = seed;
  return options;
}

}  // namespace braid
