// DRY, "don't repeat yourself" (p-e-w 2024): a token is penalised by the length of the repeat that
// it would lengthen.
//
//   ... a b c d ... x a b c | d?      the last n = 3 tokens stand earlier, followed by d
//   l'(d) = l(d) - multiplier * base^(n - allowed_length)      if n >= allowed_length
//
// with the longest such n. A repeat does not reach over a breaker ("\n", ":"): the tokens since the
// last one bound n, and a token whose own text has a breaker in it is never penalised. Breakers are
// found in the text, however it is cut into tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sample/candidates.h"
#include "sample/options.h"

namespace braid {

using TokenBytes = std::function<std::string_view(int32_t)>;

// Knows behind which tokens of a growing history a breaker ends.
class BreakerTracker {
 public:
  BreakerTracker() = default;
  BreakerTracker(std::vector<std::string> breakers, TokenBytes bytes);

  // The last token of `history` is new; those before it were told one by one.
  void accept(std::span<const int32_t> history);
  void truncate(size_t n_tokens) { ends_breaker_.resize(n_tokens); }

  // How many tokens there are since the last breaker, of at most `most`.
  size_t tokens_since(size_t most) const;
  bool has_breaker(int32_t token) const;

 private:
  std::vector<std::string> breakers_;
  size_t longest_ = 0;
  TokenBytes bytes_;
  std::vector<uint8_t> ends_breaker_;  // one per token of the history
  std::string text_;                   // what accept looks at, kept for its memory
};

struct DryScratch {
  std::vector<uint32_t> repeats;
};

// `by_token`: a zero for each token of the vocabulary, again at the end.
void apply_dry(Candidates& candidates, std::span<const int32_t> history,
               const BreakerTracker& breakers, const SamplerOptions& options,
               std::vector<int32_t>& by_token, DryScratch& scratch);

}  // namespace braid
