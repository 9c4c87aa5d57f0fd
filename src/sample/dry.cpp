#include "sample/dry.h"

#include <algorithm>
#include <cmath>

namespace braid {
namespace {

// repeats[k]: how many tokens before the last k are the same as at the end of the history, that is
// the Z function of the history read backwards. Linear: [left, right) is the stretch furthest on
// that is known to equal the beginning, and no token right of it is looked at twice.
void find_repeats(std::span<const int32_t> history, std::vector<uint32_t>& repeats) {
  const size_t n = history.size();
  const auto from_end = [&](size_t i) { return history[n - 1 - i]; };
  repeats.assign(n, 0);
  size_t left = 0, right = 0;
  for (size_t k = 1; k < n; ++k) {
    size_t length = k < right ? std::min<size_t>(right - k, repeats[k - left]) : 0;
    while (k + length < n && from_end(length) == from_end(k + length)) ++length;
    repeats[k] = static_cast<uint32_t>(length);
    if (k + length > right) {
      left = k;
      right = k + length;
    }
  }
}

float penalty(size_t repeat, const SamplerOptions& options) {
  constexpr double kMost = 1e30;  // the logit stays finite
  const double exponent =
      static_cast<double>(repeat) - static_cast<double>(options.dry_allowed_length);
  return static_cast<float>(
      std::min(kMost, options.dry_multiplier * std::pow(options.dry_base, exponent)));
}

}  // namespace

BreakerTracker::BreakerTracker(std::vector<std::string> breakers, TokenBytes bytes)
    : breakers_(std::move(breakers)), bytes_(std::move(bytes)) {
  for (const std::string& breaker : breakers_) longest_ = std::max(longest_, breaker.size());
}

void BreakerTracker::accept(std::span<const int32_t> history) {
  // The bytes before this token that a breaker which ends in it may begin in.
  size_t first = history.size() - 1, before = 0;
  while (first > 0 && before + 1 < longest_) before += bytes_(history[--first]).size();
  text_.clear();
  for (const int32_t token : history.subspan(first)) text_ += bytes_(token);
  const bool ends = std::ranges::any_of(breakers_, [&](const std::string& breaker) {
    const size_t from = before + 1 > breaker.size() ? before + 1 - breaker.size() : 0;
    return text_.find(breaker, from) != std::string::npos;
  });
  ends_breaker_.push_back(ends);
}

size_t BreakerTracker::tokens_since(size_t most) const {
  const size_t n = std::min(most, ends_breaker_.size());
  const auto end = ends_breaker_.rbegin() + static_cast<std::ptrdiff_t>(n);
  return static_cast<size_t>(std::find(ends_breaker_.rbegin(), end, 1) - ends_breaker_.rbegin());
}

bool BreakerTracker::has_breaker(int32_t token) const {
  const std::string_view text = bytes_(token);
  return std::ranges::any_of(breakers_, [&](const std::string& breaker) {
    return text.find(breaker) != std::string_view::npos;
  });
}

void apply_dry(Candidates& candidates, std::span<const int32_t> history,
               const BreakerTracker& breakers, const SamplerOptions& options,
               std::vector<int32_t>& by_token, DryScratch& scratch) {
  const auto last_n = static_cast<size_t>(options.dry_penalty_last_n);
  if (options.dry_penalty_last_n > 0 && history.size() > last_n) history = history.last(last_n);
  const auto allowed = static_cast<size_t>(options.dry_allowed_length);
  const size_t limit = breakers.tokens_since(history.size());
  if (history.size() <= allowed || limit < allowed) return;

  // by_token: the longest repeat that the token lengthens, plus 1.
  find_repeats(history, scratch.repeats);
  scratch.repeats.push_back(0);  // nothing stands before the oldest token
  for (size_t k = 1; k <= history.size(); ++k) {
    const size_t repeat = std::min<size_t>(scratch.repeats[k], limit);
    if (repeat < allowed) continue;
    int32_t& longest = by_token[static_cast<size_t>(history[history.size() - k])];
    longest = std::max(longest, static_cast<int32_t>(repeat) + 1);
  }
  for (Candidate& c : candidates.change()) {
    const int32_t longest = by_token[static_cast<size_t>(c.id)];
    if (longest == 0 || breakers.has_breaker(c.id)) continue;
    c.logit -= penalty(static_cast<size_t>(longest - 1), options);
  }
  for (const int32_t token : history) by_token[static_cast<size_t>(token)] = 0;
}

}  // namespace braid
