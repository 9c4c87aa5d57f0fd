// The names of the family's tensors, as GGUF and as Hugging Face spell them, side by side. They
// appear nowhere else but in the binding.
#pragma once

#include <string>

namespace braid::qwen_names {

struct Name {
  const char* gguf;
  const char* hf;
};

// Global. HF: after the trunk's prefix, except the head.
inline constexpr Name kEmbedding = {"token_embd.weight", "embed_tokens.weight"};
inline constexpr Name kFinalNorm = {"output_norm.weight", "norm.weight"};
inline constexpr Name kHead = {"output.weight", "lm_head.weight"};

// Of a layer: after "blk.N." or "<prefix>layers.N.".
inline constexpr Name kMixerNorm = {"attn_norm.weight", "input_layernorm.weight"};
inline constexpr Name kFfnNorm = {"post_attention_norm.weight", "post_attention_layernorm.weight"};

// Attention.
inline constexpr Name kQueryGate = {"attn_q.weight", "self_attn.q_proj.weight"};
inline constexpr Name kKey = {"attn_k.weight", "self_attn.k_proj.weight"};
inline constexpr Name kValue = {"attn_v.weight", "self_attn.v_proj.weight"};
inline constexpr Name kAttentionOut = {"attn_output.weight", "self_attn.o_proj.weight"};
inline constexpr Name kQueryNorm = {"attn_q_norm.weight", "self_attn.q_norm.weight"};
inline constexpr Name kKeyNorm = {"attn_k_norm.weight", "self_attn.k_norm.weight"};
inline constexpr Name kFusedQkv = {"attn_qkv.weight", ""};  // rows q with gate | k | v

// Gated DeltaNet. Qwen3-Next interleaves by key head (kQkvz, kBa), Qwen3.5 does not.
inline constexpr Name kQkv = {"attn_qkv.weight", "linear_attn.in_proj_qkv.weight"};
inline constexpr Name kZ = {"attn_gate.weight", "linear_attn.in_proj_z.weight"};
inline constexpr Name kQkvz = {"ssm_in.weight", "linear_attn.in_proj_qkvz.weight"};
inline constexpr Name kBa = {"ssm_ba.weight", "linear_attn.in_proj_ba.weight"};
inline constexpr Name kB = {"ssm_beta.weight", "linear_attn.in_proj_b.weight"};
inline constexpr Name kA = {"ssm_alpha.weight", "linear_attn.in_proj_a.weight"};
inline constexpr Name kConv = {"ssm_conv1d.weight", "linear_attn.conv1d.weight"};
inline constexpr Name kDtBias = {"ssm_dt.bias", "linear_attn.dt_bias"};
inline constexpr Name kDecay = {"ssm_a", "linear_attn.A_log"};
inline constexpr Name kGatedNorm = {"ssm_norm.weight", "linear_attn.norm.weight"};
inline constexpr Name kGdnOut = {"ssm_out.weight", "linear_attn.out_proj.weight"};

// Dense FFN.
inline constexpr Name kGate = {"ffn_gate.weight", "mlp.gate_proj.weight"};
inline constexpr Name kUp = {"ffn_up.weight", "mlp.up_proj.weight"};
inline constexpr Name kDown = {"ffn_down.weight", "mlp.down_proj.weight"};

// Mixture of experts. HF has them one by one ("mlp.experts.N.gate_proj.weight") or stacked.
inline constexpr Name kRouter = {"ffn_gate_inp.weight", "mlp.gate.weight"};
inline constexpr Name kExpertGate = {"ffn_gate_exps.weight", "gate_proj.weight"};
inline constexpr Name kExpertUp = {"ffn_up_exps.weight", "up_proj.weight"};
inline constexpr Name kExpertDown = {"ffn_down_exps.weight", "down_proj.weight"};
inline constexpr Name kExpertGateUp = {"ffn_gate_up_exps.weight", "mlp.experts.gate_up_proj"};
inline constexpr Name kStackedDown = {"ffn_down_exps.weight", "mlp.experts.down_proj"};
inline constexpr Name kSharedGate = {"ffn_gate_shexp.weight", "mlp.shared_expert.gate_proj.weight"};
inline constexpr Name kSharedUp = {"ffn_up_shexp.weight", "mlp.shared_expert.up_proj.weight"};
inline constexpr Name kSharedDown = {"ffn_down_shexp.weight", "mlp.shared_expert.down_proj.weight"};
inline constexpr Name kSharedRouter = {"ffn_gate_inp_shexp.weight",
                                       "mlp.shared_expert_gate.weight"};

// MTP. GGUF: of layer `trunk`; HF: after "mtp.".
inline constexpr Name kMtpJoint = {"nextn.eh_proj.weight", "fc.weight"};
inline constexpr Name kMtpEmbeddingNorm = {"nextn.enorm.weight", "pre_fc_norm_embedding.weight"};
inline constexpr Name kMtpHiddenNorm = {"nextn.hnorm.weight", "pre_fc_norm_hidden.weight"};
inline constexpr Name kMtpFinalNorm = {"nextn.shared_head_norm.weight", "norm.weight"};
inline constexpr Name kMtpEmbedding = {"nextn.embed_tokens.weight", "embed_tokens.weight"};
inline constexpr Name kMtpHead = {"nextn.shared_head_head.weight", "shared_head.head.weight"};

}  // namespace braid::qwen_names
