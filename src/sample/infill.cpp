#include "sample/infill.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace braid {
namespace {

constexpr size_t kMost = 256;  // each is held against each
constexpr double kEndsCount = 3, kLeast = 0.2;

using Tokens = std::vector<InfillScratch::Token>;

bool related(std::string_view a, std::string_view b) {
  if (a.empty() || b.empty()) return false;
  return a.starts_with(b) || b.starts_with(a);
}

// `tokens` belong to the candidates in descending order.
void merge(std::span<const Candidate> items, Tokens& tokens,
           const std::function<std::string_view(int32_t)>& bytes) {
  const auto takes_part = [&](size_t i) { return !tokens[i].end && tokens[i].p > 0; };
  for (size_t i = 0; i < items.size(); ++i) {
    if (!takes_part(i)) continue;
    for (size_t k = i + 1; k < items.size(); ++k)
      if (takes_part(k) && related(bytes(items[i].id), bytes(items[k].id)))
        tokens[i].p += std::exchange(tokens[k].p, 0);
  }
}

void end_here(Candidates& candidates, std::span<const int32_t> ends, const Tokens& tokens) {
  if (std::ranges::any_of(tokens, &InfillScratch::Token::end))
    return candidates.keep_if([&](size_t i) { return tokens[i].end; });
  candidates.keep_best(1);
  if (!ends.empty()) candidates.change()[0].id = ends.front();
}

}  // namespace

void apply_infill(Candidates& candidates, std::span<const int32_t> ends,
                  const std::function<std::string_view(int32_t)>& bytes, InfillScratch& scratch) {
  candidates.keep_best(kMost);
  const size_t n = candidates.size();
  candidates.descending(n - 1);
  const Softmax softmax = candidates.softmax();
  Tokens& tokens = scratch.tokens;
  tokens.clear();
  double of_ends = 0, of_text = 0;
  for (const Candidate& c : candidates.items()) {
    const bool end = std::ranges::find(ends, c.id) != ends.end();
    const double p = softmax.probability(c.logit);
    tokens.push_back({p, end});
    (end ? of_ends : of_text) += p;
  }
  if (kEndsCount * of_ends * static_cast<double>(n) > of_text)
    return candidates.keep_if([&](size_t i) { return tokens[i].end; });

  merge(candidates.items(), tokens, bytes);
  double left = of_ends, texts = 0;
  for (auto& token : tokens) {
    if (token.end) continue;
    if (token.p < kLeast) token.p = 0;
    left += token.p;
    texts += token.p > 0;
  }
  if (texts == 0) return end_here(candidates, ends, tokens);
  const auto items = candidates.change();
  for (size_t i = 0; i < n; ++i) {
    if (!tokens[i].end && tokens[i].p * (texts + 1) < left) tokens[i].p = 0;
    if (tokens[i].p > 0) items[i].logit = static_cast<float>(std::log(tokens[i].p));
  }
  candidates.keep_if([&](size_t i) { return tokens[i].p > 0; });
}

}  // namespace braid
