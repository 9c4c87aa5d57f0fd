#include "sample/logit_bias.h"

namespace braid {

void apply_logit_bias(Candidates& candidates, const std::map<int32_t, float>& bias) {
  if (bias.empty()) return;
  const auto items = candidates.change();
  for (const auto& [id, value] : bias) items[static_cast<size_t>(id)].logit += value;
}

}  // namespace braid
