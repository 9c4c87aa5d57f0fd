#include "base/check.h"
#include "device/cpu/pack.h"
#include "models/qwen_config.h"
#include "tools/doctor.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace braid {
namespace {

// As published: shapes of the family's models; every fourth layer is one of attention, heads of
// 256, 16 key heads of 128 and value heads of 128 in the others.
struct Shape {
  const char* name;
  int64_t layers, d_model, heads, kv_heads, value_heads;
  int64_t d_ff;  // dense, or of each expert and the shared one
  int64_t experts, top_k;
  int64_t vocabulary;
  bool tied;
};
constexpr Shape kShapes[] = {
    {"Qwen3.5-0.8B", 24, 1024, 8, 2, 16, 3584, 0, 0, 248320, true},
    {"Qwen3.5-2B", 24, 2048, 8, 2, 16, 6144, 0, 0, 248320, true},
    {"Qwen3.5-4B", 32, 2560, 16, 4, 32, 9216, 0, 0, 248320, true},
    {"Qwen3.5-9B", 32, 4096, 16, 4, 32, 12288, 0, 0, 248320, false},
    {"Qwen3.5-27B", 64, 5120, 24, 4, 48, 17408, 0, 0, 248320, false},
    {"Qwen3.5-35B-A3B", 40, 2048, 16, 2, 32, 512, 256, 8, 248320, false},
    {"Qwen3-Next-80B-A3B", 48, 2048, 16, 2, 32, 512, 512, 10, 151936, false},
    {"Qwen3-Coder-Next", 48, 2048, 16, 2, 32, 512, 512, 10, 151936, false},
    {"Qwen3.5-122B-A10B", 48, 3072, 32, 2, 64, 1024, 256, 8, 248320, false},
    {"Qwen3.5-397B-A17B", 60, 4096, 32, 2, 64, 1024, 512, 10, 248320, false},
};
// Bits of a weight in the usual files: a Q4_K_M mixes Q4_K with Q6_K, Q8_0 has a scale for 32.
struct Type {
  const char* name;
  double bits;
};
constexpr Type kTypes[] = {{"Q4", 4.85}, {"Q8", 8.5}};

struct Weights {
  double all = 0, active = 0;
};
Weights weights_of(const Shape& s) {
  const int64_t attention = s.layers / 4, recurrent = s.layers - attention;
  const int64_t key_dim = 2048, value_dim = s.value_heads * 128, head_dim = 256;
  const int64_t gdn = s.d_model * (2 * key_dim + 2 * value_dim + 2 * s.value_heads) +  // in
                      value_dim * s.d_model + 4 * (2 * key_dim + value_dim);
  const int64_t attn = s.d_model * head_dim * (2 * s.heads + 2 * s.kv_heads) +  // q, gate, k, v
                       s.d_model * head_dim * s.heads;
  const int64_t ffn = 3 * s.d_model * s.d_ff;
  const int64_t mixers = recurrent * gdn + attention * attn;
  const int64_t head = s.vocabulary * s.d_model;
  const int64_t router = s.experts > 0 ? s.d_model * (s.experts + 1) + ffn : 0;  // and shared
  const int64_t stored = s.experts > 0 ? s.experts * ffn : ffn;
  const int64_t used = s.experts > 0 ? s.top_k * ffn : ffn;
  return {static_cast<double>(mixers + s.layers * (router + stored) + head * (s.tied ? 1 : 2)),
          static_cast<double>(mixers + s.layers * (router + used) + head)};
}

size_t gdn_state(int64_t layers, int64_t value_heads, int64_t key_dim, int64_t value_dim,
                 int64_t conv_dim, int64_t taps) {
  return static_cast<size_t>(layers * 4 *
                             (value_heads * key_dim * value_dim + (taps - 1) * conv_dim));
}

bool is_expert(std::string_view name) {
  return name.find("_exps") != std::string_view::npos ||
         name.find(".experts.") != std::string_view::npos;
}
bool is_embedding(std::string_view name) {
  return name.starts_with("token_embd.") || name.find("embed_tokens.") != std::string_view::npos;
}
bool is_head(std::string_view name) {
  return name == "output.weight" || name.ends_with("lm_head.weight");
}
// A layer that drafts, which a plain token does not run through.
bool is_draft(std::string_view name, int layers) {
  if (name.find("mtp.") != std::string_view::npos) return true;
  if (!name.starts_with("blk.")) return false;
  int layer = 0;
  std::from_chars(name.data() + 4, name.data() + name.size(), layer);
  return layer >= layers;
}
// Pictures are nothing that a token of text looks at.
bool is_vision(std::string_view name) {
  return name.starts_with("v.") || name.starts_with("mm.") ||
         name.find("visual.") != std::string_view::npos;
}
// Matrices are packed; of embeddings, single rows are read from the file.
double memory_of(const FileTensor& t, bool tied) {
  if (t.shape.size() < 2 || (is_embedding(t.name) && !tied))
    return static_cast<double>(t.bytes.size());
  return static_cast<double>(t.elements()) * cpu::packed_bits(t.dtype) / 8;
}

}  // namespace

std::vector<ModelNeed> known_models() {
  std::vector<ModelNeed> models;
  for (const Shape& s : kShapes) {
    const Weights weights = weights_of(s);
    for (const Type& type : kTypes) {
      ModelNeed need{.name = s.name, .type = type.name};
      need.bytes = static_cast<size_t>(weights.all * type.bits / 8);
      need.active_bytes = static_cast<size_t>(weights.active * type.bits / 8);
      need.state_bytes = gdn_state(s.layers - s.layers / 4, s.value_heads, 128, 128,
                                   4096 + s.value_heads * 128, 4);
      need.kv_bytes = static_cast<size_t>(s.layers / 4 * 2 * s.kv_heads * 256 * 2 * kDoctorContext);
      models.push_back(need);
    }
  }
  return models;
}

ModelNeed need_of(const TensorFile& file) {
  ModelNeed need{.name = file.path()};
  const bool tied = std::none_of(file.tensors().begin(), file.tensors().end(),
                                 [](const FileTensor& t) { return is_head(t.name); });
  double all = 0;
  for (const FileTensor& tensor : file.tensors())
    if (!is_vision(tensor.name)) all += memory_of(tensor, tied);
  need.bytes = static_cast<size_t>(all);
  QwenConfig c;
  try {
    c = read_qwen_config(file);
  } catch (const Error&) {
    return need;  // of a kind that Braid does not know; inspect says why
  }
  need.type = c.architecture;
  double active = 0;
  for (const FileTensor& tensor : file.tensors()) {
    if (is_vision(tensor.name) || is_draft(tensor.name, c.layers())) continue;
    if (is_embedding(tensor.name) && !tied) continue;  // one row of it
    const double share = is_expert(tensor.name) && c.moe.experts > 0
                             ? static_cast<double>(c.moe.top_k) / c.moe.experts
                             : 1;
    active += share * memory_of(tensor, tied);
  }
  need.active_bytes = static_cast<size_t>(active);
  const auto recurrent = std::count(c.recurrent.begin(), c.recurrent.end(), true);
  need.state_bytes = gdn_state(recurrent, c.gdn.value_heads, c.gdn.key_dim, c.gdn.value_dim,
                               c.gdn.conv_dim(), c.gdn.taps);
  need.kv_bytes = static_cast<size_t>((c.layers() - recurrent) * 2 * c.attention.kv_heads *
                                      c.attention.head_dim * 2 * kDoctorContext);
  return need;
}

Fit fit_of(const ModelNeed& need, const Machine& machine) {
  std::optional<size_t> most = machine.memory, now = machine.available;
  if (machine.memory_limit) {
    const size_t limit = *machine.memory_limit;
    most = std::min(most.value_or(limit), limit);
    // What the group has read from files makes way, but how much that is, it does not say here.
    now = std::min(now.value_or(limit), limit);
  }
  if (!most) return Fit::kUnknown;
  if (need.needed() > *most) return Fit::kNo;
  return now && need.needed() > *now ? Fit::kTight : Fit::kYes;
}

double most_tokens_per_second(const ModelNeed& need, const Bandwidth& bandwidth) {
  const double best = std::max(bandwidth.all_threads, bandwidth.one_thread);
  return need.active_bytes == 0 ? 0 : best / static_cast<double>(need.active_bytes);
}

}  // namespace braid
