#include "models/qwen_binding.h"

#include "base/check.h"
#include "device/device.h"
#include "models/checkpoint.h"
#include "models/qwen_names.h"

#include <algorithm>
#include <cmath>

namespace braid {
namespace {

using namespace qwen_names;

// The tensors of one layer.
class LayerBinding {
 public:
  LayerBinding(const Checkpoint& ck, const QwenConfig& c, Device& device, std::string prefix)
      : ck_(ck), c_(c), device_(device), prefix_(std::move(prefix)) {}

  std::string name(const Name& n) const { return prefix_ + (c_.hugging_face ? n.hf : n.gguf); }
  bool has(const Name& n) const { return *(c_.hugging_face ? n.hf : n.gguf) && ck_.has(name(n)); }
  FileMatrix matrix(const Name& n, int64_t rows, int64_t cols, const std::string& why) const {
    return ck_.matrix(name(n), rows, cols, why);
  }
  std::vector<float> vector(const Name& n, int64_t size, const std::string& why) const {
    return ck_.vector(name(n), size, why);
  }

  // HF stores norm weights around zero and adds one when it computes; GGUF has the sum.
  std::vector<float> norm_weight(const Name& n, int64_t size) const {
    std::vector<float> w = vector(n, size, "norm");
    if (c_.hugging_face) {
      for (float& x : w) x += 1.0f;
    } else if (std::count_if(w.begin(), w.end(), [](float x) { return x < 0; }) * 4 > size) {
      fail(
          "{}: {}: over a quarter of this norm's weights are negative: the converter left out the "
          "+1 that GGUF "
          "files of this family contain; convert the model again",
          ck_.file().path(), name(n));
    }
    return w;
  }
  PackedNorm norm(const Name& n, int64_t size) const {
    return {device_.prepare(norm_weight(n, size)), c_.eps};
  }

  LayerWeights layer(int index, bool recurrent) const {
    LayerWeights w;
    w.index = index;
    w.mixer_norm = norm(kMixerNorm, c_.d_model);
    if (recurrent) {
      w.mixer = device_.prepare(gdn());
      const int64_t width = int64_t{c_.gdn.value_heads} * c_.gdn.value_dim;
      w.mixer_out =
          device_.prepare(matrix(kGdnOut, c_.d_model, width, "d_model x value heads x value dim"),
                          MatrixUse::kProduct);
    } else {
      w.mixer = device_.prepare(attention());
      const int64_t width = int64_t{c_.attention.heads} * c_.attention.head_dim;
      w.mixer_out =
          device_.prepare(matrix(kAttentionOut, c_.d_model, width, "d_model x heads x head dim"),
                          MatrixUse::kProduct);
    }
    w.ffn_norm = norm(kFfnNorm, c_.d_model);
    if (has(kRouter))
      w.ffn = MoeWeights{device_.prepare(router()), device_.prepare(experts())};
    else
      w.ffn = device_.prepare(mlp(kGate, kUp, kDown, c_.d_ff));
    return w;
  }

 private:
  GdnFileWeights gdn() const {
    const GdnShape& s = c_.gdn;
    const int64_t keys = int64_t{s.key_heads} * s.key_dim,
                  values = int64_t{s.value_heads} * s.value_dim;
    GdnFileWeights w;
    w.shape = s;
    if (has(kQkvz)) {  // rows of each key head: q, k, its value heads' v, their z
      const FileMatrix all =
          matrix(kQkvz, 2 * keys + 2 * values, c_.d_model, "q, k, v and z of all heads");
      const int64_t group = s.ratio() * int64_t{s.value_dim};
      w.qkv = stack({take_groups(all, s.key_heads, 0, s.key_dim),
                     take_groups(all, s.key_heads, s.key_dim, s.key_dim),
                     take_groups(all, s.key_heads, 2 * s.key_dim, group)},
                    name(kQkvz));
      w.z = take_groups(all, s.key_heads, 2 * s.key_dim + group, group);
    } else {
      w.qkv = matrix(kQkv, 2 * keys + values, c_.d_model, "q, k and v of all heads");
      w.z = matrix(kZ, values, c_.d_model, "value heads x value dim");
    }
    if (has(kBa)) {  // rows of each key head: b of its value heads, their a
      const FileMatrix all =
          matrix(kBa, 2 * s.value_heads, c_.d_model, "b and a of all value heads");
      w.b = take_groups(all, s.key_heads, 0, s.ratio());
      w.a = take_groups(all, s.key_heads, s.ratio(), s.ratio());
    } else {
      w.b = matrix(kB, s.value_heads, c_.d_model, "value heads");
      w.a = matrix(kA, s.value_heads, c_.d_model, "value heads");
    }
    w.conv = vector(kConv, int64_t{s.conv_dim()} * s.taps, "channels x taps");
    w.dt_bias = vector(kDtBias, s.value_heads, "value heads");
    w.decay = vector(kDecay, s.value_heads, "value heads");
    if (c_.hugging_face)
      for (float& x : w.decay) x = -std::exp(x);
    if (std::any_of(w.decay.begin(), w.decay.end(), [](float x) { return x >= 0; }))
      fail(
          "{}: {}: not all below zero: GGUF files of this family hold -exp(A_log); convert the "
          "model again",
          ck_.file().path(), name(kDecay));
    w.norm = vector(kGatedNorm, s.value_dim, "value dim");
    return w;
  }

  AttentionFileWeights attention() const {
    const AttentionShape& s = c_.attention;
    const int64_t q = int64_t{s.heads} * 2 * s.head_dim, kv = int64_t{s.kv_heads} * s.head_dim;
    AttentionFileWeights w;
    w.shape = s;
    if (has(kFusedQkv)) {
      const FileMatrix all = matrix(kFusedQkv, q + 2 * kv, c_.d_model, "q with gate, k and v");
      w.qg = take_groups(all, 1, 0, q);
      w.k = take_groups(all, 1, q, kv);
      w.v = take_groups(all, 1, q + kv, kv);
    } else {
      w.qg = matrix(kQueryGate, q, c_.d_model, "heads x (q and gate) x head dim");
      w.k = matrix(kKey, kv, c_.d_model, "kv heads x head dim");
      w.v = matrix(kValue, kv, c_.d_model, "kv heads x head dim");
    }
    w.q_norm = norm_weight(kQueryNorm, s.head_dim);
    w.k_norm = norm_weight(kKeyNorm, s.head_dim);
    return w;
  }

  MlpFileWeights mlp(const Name& gate, const Name& up, const Name& down, int64_t d_ff) const {
    return {matrix(gate, d_ff, c_.d_model, "feed-forward x d_model"),
            matrix(up, d_ff, c_.d_model, "feed-forward x d_model"),
            matrix(down, c_.d_model, d_ff, "d_model x feed-forward")};
  }

  RouterFileWeights router() const {
    RouterFileWeights w;
    w.shape = c_.moe;
    w.router = matrix(kRouter, c_.moe.experts, c_.d_model, "experts x d_model");
    if (has(kSharedRouter)) w.shared_gate = vector(kSharedRouter, c_.d_model, "d_model");
    return w;
  }

  // Experts stored one by one, as HF has them in some checkpoints.
  FileMatrix single_experts(const Name& n, int64_t rows, int64_t cols) const {
    std::vector<FileMatrix> parts;
    for (int e = 0; e < c_.moe.experts; ++e)
      parts.push_back(ck_.matrix(fmt::format("{}mlp.experts.{}.{}", prefix_, e, n.hf), rows, cols,
                                 "an expert"));
    return stack(parts, fmt::format("{}: {}mlp.experts", ck_.file().path(), prefix_));
  }

  ExpertsFileWeights experts() const {
    const MoeShape& s = c_.moe;
    const int64_t inner = int64_t{s.experts} * s.d_ff, outer = int64_t{s.experts} * s.d_model;
    ExpertsFileWeights w;
    w.shape = s;
    if (has(kExpertGateUp)) {  // rows of each expert: gate, then up
      const FileMatrix both =
          matrix(kExpertGateUp, 2 * inner, s.d_model, "experts x (gate and up) x feed-forward");
      w.gate = take_groups(both, s.experts, 0, s.d_ff);
      w.up = take_groups(both, s.experts, s.d_ff, s.d_ff);
      w.down = matrix(kStackedDown, outer, s.d_ff, "experts x d_model");
    } else if (c_.hugging_face) {
      w.gate = single_experts(kExpertGate, s.d_ff, s.d_model);
      w.up = single_experts(kExpertUp, s.d_ff, s.d_model);
      w.down = single_experts(kExpertDown, s.d_model, s.d_ff);
    } else {
      w.gate = matrix(kExpertGate, inner, s.d_model, "experts x feed-forward");
      w.up = matrix(kExpertUp, inner, s.d_model, "experts x feed-forward");
      w.down = matrix(kExpertDown, outer, s.d_ff, "experts x d_model");
    }
    if (s.d_shared > 0) w.shared = mlp(kSharedGate, kSharedUp, kSharedDown, s.d_shared);
    return w;
  }

  const Checkpoint& ck_;
  const QwenConfig& c_;
  Device& device_;
  std::string prefix_;
};

}  // namespace

QwenWeights bind_qwen(const TensorFile& file, const QwenConfig& c, Device& device) {
  const Checkpoint ck(file);
  const LayerBinding global(ck, c, device, c.prefix);
  QwenWeights w;
  const auto vocabulary = [&](const LayerBinding& from, const Name& n, MatrixUse use) {
    return device.prepare(from.matrix(n, c.vocabulary, c.d_model, "vocabulary x d_model"), use);
  };
  const LayerBinding top(ck, c, device, "");  // HF: the head stands outside the trunk's prefix
  const bool tied = !top.has(kHead);
  w.embedding = vocabulary(global, kEmbedding, tied ? MatrixUse::kBoth : MatrixUse::kLookup);
  w.final_norm = global.norm(kFinalNorm, c.d_model);
  w.head = tied ? w.embedding : vocabulary(top, kHead, MatrixUse::kProduct);

  const auto layer_prefix = [&](int i) {
    return c.hugging_face ? fmt::format("{}layers.{}.", c.prefix, i) : fmt::format("blk.{}.", i);
  };
  for (int i = 0; i < c.layers(); ++i)
    w.layers.push_back(
        LayerBinding(ck, c, device, layer_prefix(i)).layer(i, c.recurrent[static_cast<size_t>(i)]));

  if (c.mtp_layers > 0) {
    const std::string block = c.hugging_face ? "mtp.layers.0." : layer_prefix(c.layers());
    const LayerBinding joint(ck, c, device, c.hugging_face ? "mtp." : block);
    QwenWeights::Mtp& m = w.mtp.emplace();
    m.embedding = joint.has(kMtpEmbedding) ? vocabulary(joint, kMtpEmbedding, MatrixUse::kLookup)
                                           : w.embedding;
    m.head = joint.has(kMtpHead) ? vocabulary(joint, kMtpHead, MatrixUse::kProduct) : w.head;
    m.joint = device.prepare(MtpJointFileWeights{
        joint.matrix(kMtpJoint, c.d_model, 2 * c.d_model, "d_model x (embedding and hidden)"),
        joint.norm_weight(kMtpEmbeddingNorm, c.d_model),
        joint.norm_weight(kMtpHiddenNorm, c.d_model), c.eps});
    m.layer = LayerBinding(ck, c, device, block).layer(c.layers(), false);
    m.final_norm = joint.has(kMtpFinalNorm) ? joint.norm(kMtpFinalNorm, c.d_model) : w.final_norm;
  }
  return w;
}

}  // namespace braid
