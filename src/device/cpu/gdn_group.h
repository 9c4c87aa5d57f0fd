// What a key head and the value heads that read it do once their projections are there:
// convolution, norms, gates, the delta rule over the sequences of the step, and the gated norm. A
// group needs nothing of other groups.
#pragma once

#include "device/cpu/cpu_ops.h"

namespace braid::cpu {

// A group's projections, all rows of the step.
struct GdnProjected {
  GdnProjected() = default;
  GdnProjected(const GdnShape& shape, int64_t rows, Carver& carver);

  float *q = nullptr, *k = nullptr;  // [R, Dk]
  float *v = nullptr, *z = nullptr;  // [r, R, Dv]
  float *b = nullptr, *a = nullptr;  // [r, R]; gdn_group turns them into beta and log decay
};

// Room for one block of one value head and what its key head shares; it stays in L1 and L2.
struct GdnScratch {
  GdnScratch() = default;
  GdnScratch(const GdnShape& shape, Carver& carver);

  float *q = nullptr, *v = nullptr;                // [kBlock, Dk], [kBlock, Dv], convolved
  float* products = nullptr;                       // [2*kBlock, Dv]: S^T k and S^T q of each token
  float* panel = nullptr;                          // keys and queries as the sweep of S wants them
  float *key_key = nullptr, *key_query = nullptr;  // [kBlock, kBlock]: k_i . k_t and k_i . q_t, by
                                                   // t's place in the piece and i's in the block
};

void gdn_group(const GdnMixArgs& args, int key_head, const GdnProjected& in,
               const GdnScratch& scratch);

}  // namespace braid::cpu
