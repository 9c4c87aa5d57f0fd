// The rows of a step as a forward pass sees them: capacities, and where the contents will lie.
#pragma once

#include "device/ops_table.h"

#include <span>

namespace braid {

struct Batch {
  BatchView view;
  int64_t rows = 0;                                // of the row bucket that is being recorded
  int64_t logit_rows = 0;                          // most rows whose logits a step may want
  std::span<const KvPool> kv_pools;                // by layer, MTP layers after the trunk's
  std::span<const RecurrentPool> recurrent_pools;  // likewise

  const KvPool& kv(int layer) const { return kv_pools[static_cast<size_t>(layer)]; }
  const RecurrentPool& recurrent(int layer) const {
    return recurrent_pools[static_cast<size_t>(layer)];
  }
};

}  // namespace braid
