#include "tools/step_json.h"

namespace braid {

using Json = nlohmann::ordered_json;

Json bytes_json(const StepCost& cost, uint64_t repetitions) {
  const uint64_t n = std::max<uint64_t>(1, repetitions);
  Json parts;
  for (size_t op = 0; op < kOpNames.size(); ++op)
    if (cost.counted[op].weight_bytes > 0) parts[kOpNames[op]] = cost.counted[op].weight_bytes / n;
  if (cost.state_bytes > 0) parts["state"] = cost.state_bytes / n;
  if (cost.kv_bytes > 0) parts["kv"] = cost.kv_bytes / n;
  parts["total"] = cost.bytes() / n;
  return parts;
}

Json time_json(const StepCost& cost, uint64_t Counters::*time, uint64_t repetitions, int threads) {
  const uint64_t n = std::max<uint64_t>(1, repetitions) * static_cast<uint64_t>(threads);
  Json parts;
  for (size_t op = 0; op < kOpNames.size(); ++op)
    if (cost.counted[op].busy_ns > 0) parts[kOpNames[op]] = cost.counted[op].*time / n;
  return parts;
}

}  // namespace braid
