#include "nn/layer.h"

namespace braid {

void layer(Exec& ex, const Batch& b, Tensor x, const LayerWeights& w) {
  const auto frame = ex.scratch.frame();
  const auto* attention = std::get_if<PackedAttention>(&w.mixer);
  const Tensor o = attention ? attn_mix(ex, b, x, w.mixer_norm, *attention, b.kv(w.index))
                             : gdn_mix(ex, b, x, w.mixer_norm, std::get<PackedGdn>(w.mixer),
                                       b.recurrent(w.index));
  linear_add(ex, b, x, w.mixer_out, o);
  if (const auto* dense = std::get_if<PackedMlp>(&w.ffn)) {
    mlp(ex, b, x, w.ffn_norm, *dense);
  } else {
    const auto& moe = std::get<MoeWeights>(w.ffn);
    experts(ex, b, x, w.ffn_norm, moe.experts, route(ex, b, x, w.ffn_norm, moe.router));
  }
}

}  // namespace braid
