// Qwen3-Next, Qwen3.5 and Qwen3.5-MoE: Gated DeltaNet layers with a full-attention layer every few,
// dense or mixture-of-experts FFNs, and an optional MTP layer that drafts. One trunk for any rows
// on any device.
#include "models/registry.h"

#include "models/qwen_binding.h"

namespace braid {
namespace {

class QwenHybrid final : public Model {
 public:
  QwenHybrid(const TensorFile& file, Device& device)
      : config_(read_qwen_config(file)), w_(bind_qwen(file, config_, device)) {
    const QwenConfig& c = config_;
    spec_ = {c.architecture, c.vocabulary, c.d_model, c.context, c.layers(), c.mtp_layers, {}};
    for (int i = 0; i < c.layers() + c.mtp_layers; ++i) {
      const bool recurrent = i < c.layers() && c.recurrent[static_cast<size_t>(i)];
      const GdnShape& g = c.gdn;
      if (recurrent)
        spec_.state.layers.push_back(
            RecurrentLayout{g.key_heads, g.value_heads, g.key_dim, g.value_dim, g.conv_dim()});
      else
        spec_.state.layers.push_back(KvSpec{c.attention.kv_heads, c.attention.head_dim});
    }
  }

  const ModelSpec& spec() const override { return spec_; }

  void forward(Exec& ex, const Batch& b, const Outputs& out) const override {
    const Tensor x = embed(ex, b, w_.embedding);  // the residual stream, [R, D]
    for (const LayerWeights& w : w_.layers) layer(ex, b, x, w);
    if (out.hidden) norm_rows(ex, b, x, w_.final_norm, out.hidden);
    head(ex, b, x, w_.final_norm, w_.head, out.logits);
  }

  void draft(Exec& ex, const Batch& b, Tensor hidden, const Outputs& out) const override {
    const Tensor e = embed(ex, b, w_.mtp->embedding);
    const Tensor u = mtp_joint(ex, b, e, hidden, w_.mtp->joint);
    layer(ex, b, u, w_.mtp->layer);
    if (out.hidden) norm_rows(ex, b, u, w_.mtp->final_norm, out.hidden);
    head(ex, b, u, w_.mtp->final_norm, w_.mtp->head, out.logits);
  }

 private:
  QwenConfig config_;
  QwenWeights w_;
  ModelSpec spec_;
};

}  // namespace

std::unique_ptr<Model> make_qwen_hybrid(const TensorFile& file, Device& device) {
  return std::make_unique<QwenHybrid>(file, device);
}

}  // namespace braid
