#include "sample/penalties.h"

namespace braid {

void apply_penalties(Candidates& candidates, std::span<const int32_t> history,
                     const SamplerOptions& options, std::vector<int32_t>& by_token) {
  if (!options.penalties_on()) return;
  const auto last_n = static_cast<size_t>(options.repeat_last_n);
  if (options.repeat_last_n > 0 && history.size() > last_n) history = history.last(last_n);
  for (const int32_t token : history) ++by_token[static_cast<size_t>(token)];
  for (Candidate& c : candidates.change()) {
    const int32_t count = by_token[static_cast<size_t>(c.id)];
    if (count == 0) continue;
    c.logit = c.logit > 0 ? c.logit / options.repeat_penalty : c.logit * options.repeat_penalty;
    c.logit -= static_cast<float>(count) * options.frequency_penalty + options.presence_penalty;
  }
  for (const int32_t token : history) by_token[static_cast<size_t>(token)] = 0;
}

}  // namespace braid
