// A qwen3next model without a file: metadata, and tensors of any size whose bytes nobody has
// written.
#pragma once

#include "base/check.h"
#include "format/metadata.h"
#include "format/tensor_file.h"

#include <sys/mman.h>

#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace braid {

struct SyntheticShape {
  uint32_t layers = 48, d_model = 2048, heads = 16, kv_heads = 2, head_dim = 256;
  uint32_t key_heads = 16, value_heads = 32, gdn_dim = 128;
  uint32_t experts = 512, top_k = 10, d_ff = 512, d_shared = 512;
  int64_t vocabulary = 151936;
  DType matrices = DType::IQ4_XS, head = DType::Q6_K, router = DType::F32, small = DType::Q8_0;
};

class SyntheticModel final : public TensorFile {
 public:
  explicit SyntheticModel(const SyntheticShape& s) : shape_(s) {
    path_ = "synthetic";
    metadata();
    describe();
    size_t total = 0;
    for (const FileTensor& t : tensors_) total += size_of_tensor(t);
    size_ = total;
    // Address space alone: pages come into being where the small tensors are written below.
    void* base = mmap(nullptr, total, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) fail("no address space for {} bytes", total);
    base_ = static_cast<std::byte*>(base);
    size_t at = 0;
    for (FileTensor& t : tensors_) {
      t.bytes = {base_ + at, size_of_tensor(t)};
      if (t.name.ends_with("ssm_a")) {
        const std::vector<float> negative(static_cast<size_t>(t.elements()), -1.0f);
        std::memcpy(base_ + at, negative.data(), t.bytes.size());
      }
      at += t.bytes.size();
    }
    index();
  }
  ~SyntheticModel() override { munmap(base_, size_); }

  const Metadata* metadata() const override { return metadata_.get(); }
  std::byte* base() { return base_; }
  size_t size() const { return size_; }

 private:
  static size_t size_of_tensor(const FileTensor& t) {
    return static_cast<size_t>(t.rows()) * row_bytes(t.dtype, t.columns());
  }

  void metadata() {
    std::vector<MetaEntry> entries;
    const auto text = [&](std::string key, std::string value) {
      names_.push_back(std::move(key));
      names_.push_back(std::move(value));
      entries.push_back(
          {.key = names_[names_.size() - 2], .type = MetaType::String, .strings = {names_.back()}});
    };
    const auto number = [&]<class T>(std::string key, T value, MetaType type) {
      names_.push_back("qwen3next." + key);
      numbers_.emplace_back(sizeof value);
      std::memcpy(numbers_.back().data(), &value, sizeof value);
      entries.push_back({.key = names_.back(), .type = type, .bytes = std::span(numbers_.back())});
    };
    const auto integer = [&](std::string key, uint32_t value) {
      number(std::move(key), value, MetaType::U32);
    };
    const SyntheticShape& s = shape_;
    text("general.architecture", "qwen3next");
    integer("block_count", s.layers);
    integer("context_length", 262144);
    integer("embedding_length", s.d_model);
    integer("feed_forward_length", 5120);
    integer("attention.head_count", s.heads);
    integer("attention.head_count_kv", s.kv_heads);
    integer("attention.key_length", s.head_dim);
    integer("rope.dimension_count", s.head_dim / 4);
    number("rope.freq_base", 1e7f, MetaType::F32);
    number("attention.layer_norm_rms_epsilon", 1e-6f, MetaType::F32);
    integer("ssm.group_count", s.key_heads);
    integer("ssm.time_step_rank", s.value_heads);
    integer("ssm.state_size", s.gdn_dim);
    integer("ssm.inner_size", s.value_heads * s.gdn_dim);
    integer("ssm.conv_kernel", 4);
    integer("expert_count", s.experts);
    integer("expert_used_count", s.top_k);
    metadata_ = std::make_unique<Metadata>(path_, std::move(entries));
  }

  void add(std::string name, DType type, std::vector<int64_t> shape) {
    tensors_.push_back({std::move(name), type, std::move(shape), {}, path_});
  }

  void describe() {
    const SyntheticShape& s = shape_;
    const int64_t d = s.d_model, keys = int64_t{s.key_heads} * s.gdn_dim,
                  values = int64_t{s.value_heads} * s.gdn_dim;
    add("token_embd.weight", s.matrices, {s.vocabulary, d});
    add("output_norm.weight", DType::F32, {d});
    add("output.weight", s.head, {s.vocabulary, d});
    for (uint32_t i = 0; i < s.layers; ++i) {
      const std::string b = fmt::format("blk.{}.", i);
      add(b + "attn_norm.weight", DType::F32, {d});
      add(b + "post_attention_norm.weight", DType::F32, {d});
      if ((i + 1) % 4 == 0) {
        add(b + "attn_q.weight", s.matrices, {int64_t{2} * s.heads * s.head_dim, d});
        add(b + "attn_k.weight", s.matrices, {int64_t{s.kv_heads} * s.head_dim, d});
        add(b + "attn_v.weight", s.matrices, {int64_t{s.kv_heads} * s.head_dim, d});
        add(b + "attn_output.weight", s.matrices, {d, int64_t{s.heads} * s.head_dim});
        add(b + "attn_q_norm.weight", DType::F32, {s.head_dim});
        add(b + "attn_k_norm.weight", DType::F32, {s.head_dim});
      } else {
        add(b + "attn_qkv.weight", s.matrices, {2 * keys + values, d});
        add(b + "attn_gate.weight", s.matrices, {values, d});
        add(b + "ssm_ba.weight", s.small, {int64_t{2} * s.value_heads, d});
        add(b + "ssm_conv1d.weight", DType::F32, {2 * keys + values, 4});
        add(b + "ssm_dt.bias", DType::F32, {s.value_heads});
        add(b + "ssm_a", DType::F32, {s.value_heads});
        add(b + "ssm_norm.weight", DType::F32, {s.gdn_dim});
        add(b + "ssm_out.weight", s.matrices, {d, values});
      }
      add(b + "ffn_gate_inp.weight", s.router, {s.experts, d});
      add(b + "ffn_gate_exps.weight", s.matrices, {s.experts, s.d_ff, d});
      add(b + "ffn_up_exps.weight", s.matrices, {s.experts, s.d_ff, d});
      add(b + "ffn_down_exps.weight", s.matrices, {s.experts, d, s.d_ff});
      add(b + "ffn_gate_inp_shexp.weight", DType::F32, {d});
      add(b + "ffn_gate_shexp.weight", s.matrices, {s.d_shared, d});
      add(b + "ffn_up_shexp.weight", s.matrices, {s.d_shared, d});
      add(b + "ffn_down_shexp.weight", s.matrices, {d, s.d_shared});
    }
  }

  SyntheticShape shape_;
  std::deque<std::string> names_;
  std::deque<std::vector<std::byte>> numbers_;
  std::unique_ptr<Metadata> metadata_;
  std::byte* base_ = nullptr;
  size_t size_ = 0;
};

}  // namespace braid
