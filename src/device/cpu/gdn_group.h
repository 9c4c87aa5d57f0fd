// What a key head and the value heads that read it do once their projections are there:
// convolution, norms, gates, the delta rule over the sequences of the step, and the gated norm. A
// group needs nothing of other groups.
#pragma once

#include "device/cpu/cpu_ops.h"

namespace braid::cpu {

// Projections of a set of consecutive key heads and the value heads that read them, all rows of the
// step. Value heads lie in the model's order, as if the set were all of it.
struct GdnProjected {
  GdnProjected() = default;
  GdnProjected(const GdnShape& shape, int key_heads, int64_t rows, Carver& carver);

  GdnShape set;                      // the shape with the heads of the set
  float *q = nullptr, *k = nullptr;  // [R, heads * Dk]
  float *v = nullptr, *z = nullptr;  // [R, heads * r * Dv]
  // Of the key head that is at work, [r, R]; gdn_group turns them into beta and log decay.
  float *b = nullptr, *a = nullptr;

  int64_t key_stride() const { return int64_t{set.key_heads} * set.key_dim; }
  int64_t value_stride() const { return int64_t{set.value_heads} * set.value_dim; }
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

// Key head `key_head`, which is number `place` of the set.
void gdn_group(const GdnMixArgs& args, int key_head, const GdnProjected& in, int place,
               const GdnScratch& scratch);

}  // namespace braid::cpu
