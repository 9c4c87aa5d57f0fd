#include "models/qwen_config.h"

#include "base/check.h"
#include "format/json_config.h"
#include "format/metadata.h"
#include "format/tensor_file.h"

#include <algorithm>
#include <array>
#include <map>

namespace braid {
namespace {

// No real model is near these; beyond them products of sizes could overflow an int.
constexpr int64_t kMost = 1 << 20;
constexpr int kMostTaps = 8;

int narrow(int64_t value) { return static_cast<int>(value); }

// --- GGUF ---

class GgufConfig {
 public:
  GgufConfig(const TensorFile& file, const std::string& architecture)
      : file_(file), meta_(*file.metadata()), prefix_(architecture + ".") {}

  int64_t get(const char* key, int64_t min = 1, int64_t max = kMost) const {
    return meta_.integer(prefix_ + key, min, max);
  }
  int64_t get_or(const char* key, int64_t otherwise, int64_t min = 0, int64_t max = kMost) const {
    return meta_.integer_or(prefix_ + key, otherwise, min, max);
  }
  float number(const char* key) const { return static_cast<float>(meta_.number(prefix_ + key)); }
  std::string key(const char* name) const { return prefix_ + name; }
  bool has_tensor(const std::string& name) const { return file_.find(name) != nullptr; }

  // The trunk's layers: those before the MTP layers. The tensors decide, for the key is missing in
  // some files that have an MTP layer and present in others from which it was stripped.
  void count_layers(QwenConfig& c) const {
    const int64_t blocks = get("block_count", 1, 4096),
                  named = get_or("nextn_predict_layers", 0, 0, blocks - 1);
    int64_t trunk = blocks;
    while (trunk > 1 && has_tensor(fmt::format("blk.{}.nextn.eh_proj.weight", trunk - 1))) --trunk;
    c.mtp_layers = narrow(blocks - trunk);
    if (c.mtp_layers == 0) trunk = blocks - named;
    if (c.mtp_layers > 0 && !has_tensor("blk.0.attn_norm.weight"))
      fail(
          "{}: holds an MTP layer alone, to be used beside the model that it belongs to; open that "
          "model",
          file_.path());
    c.recurrent = recurrent_layers(trunk, blocks);
  }

  std::vector<bool> recurrent_layers(int64_t trunk, int64_t blocks) const {
    std::vector<bool> recurrent(static_cast<size_t>(trunk));
    const int64_t interval = get_or("full_attention_interval", 4, 1);
    std::vector<int64_t> kinds(static_cast<size_t>(blocks), -1);
    const bool by_layer = meta_.has(key("attention.recurrent_layers"));
    if (by_layer)
      kinds =
          meta_.integers_per_layer(key("attention.recurrent_layers"), static_cast<size_t>(blocks));
    for (size_t i = 0; i < recurrent.size(); ++i) {
      recurrent[i] = by_layer ? kinds[i] != 0 : (static_cast<int64_t>(i) + 1) % interval != 0;
      const bool has_conv = has_tensor(fmt::format("blk.{}.ssm_conv1d.weight", i));
      if (has_conv != recurrent[i])
        fail(
            "{}: layer {} should be {} by the metadata, but blk.{}.ssm_conv1d.weight is {}: the "
            "file is incomplete "
            "or its metadata is wrong",
            file_.path(), i, recurrent[i] ? "Gated DeltaNet" : "attention", i,
            has_conv ? "there" : "missing");
    }
    return recurrent;
  }

  // Head counts stand once, or per layer with 0 for the recurrent ones.
  int heads(const char* name, int64_t blocks) const {
    int64_t most = 0;
    for (const int64_t n : meta_.integers_per_layer(key(name), static_cast<size_t>(blocks)))
      most = std::max(most, n);
    if (most < 1 || most > kMost) fail("{}: {} is {}", file_.path(), key(name), most);
    return narrow(most);
  }

  // qwen35 files reorder value heads; those of one other exporter say so, or else did not.
  bool tiled(const QwenConfig& c) const {
    if (c.architecture == "qwen3next" || c.gdn.value_heads == c.gdn.key_heads) return false;
    if (has_tensor("blk.0.ssm_ba.weight") || has_tensor("blk.0.ssm_in.weight")) return false;
    const bool other = meta_.has(key("rope.mrope_interleaved")) || meta_.has(key("mrope_sections"));
    return meta_.boolean_or(key("ssm.v_head_reordered"), !other);
  }

  QwenConfig read(const std::string& architecture) const {
    QwenConfig c;
    c.architecture = architecture;
    c.d_model = narrow(get("embedding_length"));
    c.context = get("context_length", 1, int64_t{1} << 31);
    c.eps = number("attention.layer_norm_rms_epsilon");
    c.vocabulary = file_.get("token_embd.weight").rows();
    count_layers(c);
    const int64_t blocks = get("block_count", 1, 4096);
    c.d_ff = narrow(get_or("feed_forward_length", 0));

    GdnShape& g = c.gdn;
    g.key_heads = narrow(get("ssm.group_count"));
    g.value_heads = narrow(get("ssm.time_step_rank"));
    g.key_dim = narrow(get("ssm.state_size"));
    const int64_t inner = get("ssm.inner_size", 1, kMost);
    if (inner % g.value_heads != 0)
      fail("{}: {} is {}, not a multiple of {} value heads", file_.path(), key("ssm.inner_size"),
           inner, g.value_heads);
    g.value_dim = narrow(inner / g.value_heads);
    g.taps = narrow(get("ssm.conv_kernel", 1, kMostTaps));

    AttentionShape& a = c.attention;
    a.heads = heads("attention.head_count", blocks);
    a.kv_heads = heads("attention.head_count_kv", blocks);
    a.head_dim = narrow(get("attention.key_length"));
    a.rope_dims = narrow(get_or("rope.dimension_count", a.head_dim / 4));
    a.rope_theta = number("rope.freq_base");

    if (has_tensor("blk.0.ffn_gate_inp.weight")) {
      MoeShape& m = c.moe;
      m.experts = narrow(get("expert_count"));
      m.top_k = narrow(get("expert_used_count"));
      m.d_ff = narrow(file_.get("blk.0.ffn_down_exps.weight").columns());
      m.d_shared = has_tensor("blk.0.ffn_down_shexp.weight")
                       ? narrow(file_.get("blk.0.ffn_down_shexp.weight").columns())
                       : 0;
    }
    g.tiled = tiled(c);
    return c;
  }

 private:
  const TensorFile& file_;
  const Metadata& meta_;
  std::string prefix_;
};

// --- Hugging Face ---

const std::map<std::string, std::string, std::less<>> kArchitectures = {
    {"qwen3_next", "qwen3next"},       {"qwen3_5", "qwen35"},
    {"qwen3_5_text", "qwen35"},        {"qwen3_5_moe", "qwen35moe"},
    {"qwen3_5_moe_text", "qwen35moe"},
};

class HfConfig {
 public:
  explicit HfConfig(const TensorFile& file) : file_(file), json_(*file.config()) {
    root_ = json_.has("text_config") ? "text_config." : "";
  }

  std::string key(const char* name) const { return root_ + name; }
  int64_t get(const char* name, int64_t min = 1, int64_t max = kMost) const {
    return json_.integer(key(name), min, max);
  }

  std::string prefix() const {
    for (const char* p : {"model.language_model.", "model."})
      if (file_.find(std::string(p) + "embed_tokens.weight")) return p;
    fail(
        "{}: no tensor model.embed_tokens.weight or model.language_model.embed_tokens.weight: not "
        "a checkpoint of "
        "this family as transformers saves it",
        file_.path());
  }

  std::vector<bool> recurrent_layers() const {
    const int64_t layers = get("num_hidden_layers", 1, 4096);
    std::vector<bool> recurrent(static_cast<size_t>(layers));
    const int64_t interval = json_.integer_or(key("full_attention_interval"), 4, 1);
    std::vector<std::string> types;
    if (json_.has(key("layer_types"))) {
      types = json_.strings(key("layer_types"));
      if (types.size() != recurrent.size())
        fail("{}: {} layer_types for {} layers", json_.path(), types.size(), layers);
    }
    for (size_t i = 0; i < recurrent.size(); ++i) {
      recurrent[i] = types.empty() ? (static_cast<int64_t>(i) + 1) % interval != 0
                                   : types[i] == "linear_attention";
      if (!types.empty() && !recurrent[i] && types[i] != "full_attention")
        fail("{}: layer_types[{}] is \"{}\"; Braid knows linear_attention and full_attention",
             json_.path(), i, types[i]);
    }
    return recurrent;
  }

  // rope_theta and partial_rotary_factor stand in rope_parameters or, in older configs, beside it.
  float rope(const char* name) const {
    const std::string nested = key("rope_parameters.") + name;
    return static_cast<float>(json_.number(json_.has(nested) ? nested : key(name)));
  }

  QwenConfig read(const std::string& architecture) const {
    QwenConfig c;
    c.architecture = architecture;
    c.hugging_face = true;
    c.prefix = prefix();
    c.d_model = narrow(get("hidden_size"));
    c.context = get("max_position_embeddings", 1, int64_t{1} << 31);
    c.eps = static_cast<float>(json_.number(key("rms_norm_eps")));
    c.vocabulary = get("vocab_size");
    c.recurrent = recurrent_layers();
    while (file_.find(fmt::format("mtp.layers.{}.input_layernorm.weight", c.mtp_layers)))
      ++c.mtp_layers;

    GdnShape& g = c.gdn;
    g.key_heads = narrow(get("linear_num_key_heads"));
    g.value_heads = narrow(get("linear_num_value_heads"));
    g.key_dim = narrow(get("linear_key_head_dim"));
    g.value_dim = narrow(get("linear_value_head_dim"));
    g.taps = narrow(get("linear_conv_kernel_dim", 1, kMostTaps));
    g.tiled = false;

    AttentionShape& a = c.attention;
    a.heads = narrow(get("num_attention_heads"));
    a.kv_heads = narrow(get("num_key_value_heads"));
    a.head_dim = narrow(json_.integer_or(key("head_dim"), c.d_model / a.heads, 1, kMost));
    a.rope_theta = rope("rope_theta");
    a.rope_dims = narrow(
        static_cast<int64_t>(static_cast<float>(a.head_dim) * rope("partial_rotary_factor")));

    if (json_.has(key("num_experts")) && architecture != "qwen35") {
      c.moe.experts = narrow(get("num_experts"));
      c.moe.top_k = narrow(get("num_experts_per_tok"));
      c.moe.d_ff = narrow(get("moe_intermediate_size"));
      c.moe.d_shared =
          narrow(json_.integer_or(key("shared_expert_intermediate_size"), 0, 0, kMost));
      if (!json_.boolean_or(key("norm_topk_prob"), true))
        fail(
            "{}: norm_topk_prob is false; Braid always renormalises the weights of the chosen "
            "experts, as all "
            "released models of this family do",
            json_.path());
    } else {
      c.d_ff = narrow(get("intermediate_size"));
    }
    return c;
  }

 private:
  const TensorFile& file_;
  const JsonConfig& json_;
  std::string root_;
};

void check(const QwenConfig& c, const std::string& path) {
  const GdnShape& g = c.gdn;
  const AttentionShape& a = c.attention;
  if (g.value_heads % g.key_heads != 0)
    fail("{}: {} value heads are not a multiple of {} key heads", path, g.value_heads, g.key_heads);
  if (g.taps != 4)
    fail("{}: a convolution of {} taps; Braid's state holds those of 4", path, g.taps);
  if (a.kv_heads < 1 || a.heads < 1 || a.heads % a.kv_heads != 0)
    fail("{}: {} query heads are not a multiple of {} key/value heads", path, a.heads, a.kv_heads);
  if (a.rope_dims < 2 || a.rope_dims % 2 != 0 || a.rope_dims > a.head_dim)
    fail("{}: rotary embedding of {} of {} dimensions", path, a.rope_dims, a.head_dim);
  if (!(a.rope_theta > 0)) fail("{}: rotary base {}", path, a.rope_theta);
  if (!(c.eps > 0 && c.eps < 1)) fail("{}: RMS epsilon {}", path, c.eps);
  if (c.moe.experts > 0 && (c.moe.top_k < 1 || c.moe.top_k > c.moe.experts))
    fail("{}: {} of {} experts per token", path, c.moe.top_k, c.moe.experts);
  if (c.mtp_layers > 1) fail("{}: {} MTP layers; Braid runs models with one", path, c.mtp_layers);
  // Products of these are row counts; each must fit an int with room to spare.
  const auto fits = [&](int64_t x, int64_t y, const char* what) {
    if (x * y > kMost) fail("{}: {} x {} {} is absurdly large", path, x, y, what);
  };
  fits(g.value_heads, g.value_dim, "value channels");
  fits(g.key_heads, g.key_dim, "key channels");
  fits(a.heads, 2 * a.head_dim, "query channels");
}

}  // namespace

std::string architecture_of(const TensorFile& file) {
  if (const Metadata* meta = file.metadata())
    return std::string(meta->string("general.architecture"));
  const JsonConfig* json = file.config();
  if (!json) fail("{}: no config.json beside it: open the folder that holds both", file.path());
  const std::string type = json->string_or("model_type", "");
  const auto known = kArchitectures.find(type);
  return known == kArchitectures.end() ? type : known->second;
}

QwenConfig read_qwen_config(const TensorFile& file) {
  const std::string architecture = architecture_of(file);
  QwenConfig c = file.metadata() ? GgufConfig(file, architecture).read(architecture)
                                 : HfConfig(file).read(architecture);
  c.gdn.d_model = c.attention.d_model = c.moe.d_model = c.d_model;
  c.gdn.eps = c.attention.eps = c.eps;
  check(c, file.path());
  return c;
}

}  // namespace braid
