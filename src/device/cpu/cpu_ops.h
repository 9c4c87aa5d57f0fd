// What the CPU made of the weights, and the tools that its operations share.
//
// Threads own rows of the weights, and take all rows of the step with them: each weight is read
// once a step whatever the number of sequences.
#pragma once

#include "device/cpu/matrix.h"

#include <atomic>
#include <vector>

namespace braid::cpu {

struct Vector {
  const Kernels* kernels;
  std::vector<float> data;
};

struct Gdn {
  const Kernels* kernels;
  Matrix qkv, z;
  Matrix b, a;              // rows by key head
  std::vector<float> conv;  // [taps, conv_dim]: transposed, so that channels are contiguous
  std::vector<float> dt_bias, decay, norm;
};

struct Attention {
  const Kernels* kernels;
  Matrix qg, k, v;
  std::vector<float> q_norm, k_norm;
  std::vector<float> frequency;  // [rope_dims/2]
};

struct Mlp {
  Matrix gate, up, down;
};

struct Router {
  Matrix router;
  std::vector<float> shared_gate;
  mutable std::atomic<int> arrived{
      0};  // threads that have written their logits of a one-phase step
};

struct Experts {
  Matrix gate, up, down;
  Mlp shared;
};

struct MtpJoint {
  Matrix w;
  std::vector<float> embedding_norm, hidden_norm;
  float eps;
};

template <class Impl>
const Impl& impl(const PackedBlock& block) {
  return *static_cast<const Impl*>(block.impl);
}

// Hands out pieces of a workspace; with a null base it only adds up how much is needed, so that one
// function describes both the size and the layout.
class Carver {
 public:
  explicit Carver(std::byte* base) : base_(base) {}

  template <class T>
  T* take(size_t count) {
    T* piece = base_ ? reinterpret_cast<T*>(base_ + size_) : nullptr;
    size_ += (count * sizeof(T) + 63) / 64 * 64;
    return piece;
  }
  size_t size() const { return size_; }

 private:
  std::byte* base_;
  size_t size_ = 0;
};

// Room for rows in the forms that are wanted.
Inputs take_inputs(Carver& carver, size_t rows, int64_t cols, InputForms forms);

// Rows as matrices take them, made from rows of f32, normed or as they are. For a few rows each
// thread makes them for itself, which costs less than a barrier; for many they are a phase of their
// own. `singles`: each row is a tile of its own, for those who put tiles together themselves.
class InputRows {
 public:
  static constexpr int kFew = 8;
  static int phases(int64_t rows) { return rows > kFew ? 1 : 0; }

  InputRows(int64_t capacity, int64_t cols, InputForms forms, int threads, Carver& carver,
            bool singles = false);
  // Does this phase's part for `rows` rows of x (or for those that `which` lists). Returns true
  // when the phase is over with that. What the thread reads first afterwards, `soon`, comes from
  // memory meanwhile.
  bool prepare(const Kernels& k, const Tensor& x, const PackedNorm* norm, int rows,
               const int32_t* which, const Share& share, const void* soon = nullptr);
  Inputs inputs(const Share& share) const;  // of the rows that prepare() last got
  Inputs single(int row, const Share& share) const;
  bool shared() const { return shared_; }

 private:
  size_t copy(const Share& share) const { return shared_ ? 0 : static_cast<size_t>(share.thread); }

  int64_t capacity_, cols_;
  bool shared_, singles_;
  int rows_ = 0;
  Inputs room_;
  float* normed_;  // a row for each thread
};

// x[r][begin .. end) += (rows [begin, end) of m) . in[r], tile by tile. `product` has room for
// kTileRows * rows_in_cache(m) floats.
void add_product(const Matrix& m, int64_t begin, int64_t end, const Inputs& in, const Tensor& x,
                 float* product, Counters* counters);

// rows[r] = base + r * stride
template <class T>
void point(T** rows, T* base, int64_t stride, int count) {
  for (int r = 0; r < count; ++r) rows[r] = base + r * stride;
}

void fill_embed(Ops&);
void fill_gdn_mix(Ops&);
void fill_attn_mix(Ops&);
void fill_linear_add(Ops&);
void fill_mlp(Ops&);
void fill_route(Ops&);
void fill_experts(Ops&);
void fill_head(Ops&);
void fill_mtp(Ops&);  // norm_rows and mtp_joint

}  // namespace braid::cpu
