// What the CPU made of the weights, and the tools that its operations share.
//
// Matrices stay as the file has them; a strip of rows is decoded to f32 just before it is
// multiplied with all rows of the step, so each weight is read once a step whatever the number of
// sequences.
#pragma once

#include "device/cpu/kernels/kernels.h"
#include "device/ops_table.h"

#include <atomic>
#include <vector>

namespace braid::cpu {

struct Vector {
  const Kernels* kernels;
  std::vector<float> data;
};

struct Matrix {
  const Kernels* kernels = nullptr;
  FileMatrix file;
  std::vector<int64_t> first_row;  // of each run, and the number of rows at the end
};

struct Gdn {
  const Kernels* kernels;
  Matrix qkv, z, b, a;
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

// Rows of weights decoded and multiplied at a time: 16 rows of 2,048 are 128 KiB and stay in L2.
inline constexpr int kStrip = 16;

// out[r][at + n - begin] = (row n of m) . x[r], for the rows begin <= n < end of the matrix.
// `strip` has room for kStrip rows of m.
void multiply(const Matrix& m, int64_t begin, int64_t end, const float* const* x, int rows,
              float* const* out, int64_t at, float* strip, Counters* counters);

// Decodes one row.
void decode(const Matrix& m, int64_t row, float* out, Counters* counters);

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

// RMS-normalised rows as every thread needs them before it multiplies. For a few rows each thread
// makes them for itself, which costs less than a barrier; for many they are a phase of their own.
class NormedRows {
 public:
  static constexpr int kFew = 8;
  static int phases(int64_t rows) { return rows > kFew ? 1 : 0; }

  NormedRows(int64_t capacity, int64_t cols, int threads, Carver& carver);
  // Does this phase's part for `rows` rows of x (or for those that `which` lists). Returns true
  // when the phase is over with that.
  bool prepare(const Tensor& x, const PackedNorm& norm, int rows, const int32_t* which,
               const Share& share);
  float* row(int64_t r, int thread) const {
    return data_ + ((shared_ ? 0 : thread * capacity_) + r) * cols_;
  }
  bool shared() const { return shared_; }

 private:
  int64_t capacity_, cols_;
  bool shared_;
  float* data_;
};

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
