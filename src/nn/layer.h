// A layer of the hybrid family: a mixer and an FFN, each added to the residual stream.
#pragma once

#include "nn/ops.h"

#include <variant>

namespace braid {

struct MoeWeights {
  PackedRouter router;
  PackedExperts experts;
};

struct LayerWeights {
  int index = 0;  // of its state: MTP layers come after the trunk's
  PackedNorm mixer_norm;
  std::variant<PackedGdn, PackedAttention> mixer;
  PackedMatrix mixer_out;  // [D, heads * dim]
  PackedNorm ffn_norm;
  std::variant<PackedMlp, MoeWeights> ffn;
};

// x += mixer(x); x += ffn(x)
void layer(Exec& ex, const Batch& b, Tensor x, const LayerWeights& w);

}  // namespace braid
