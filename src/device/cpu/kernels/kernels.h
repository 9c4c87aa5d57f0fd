// The table of vector kernels, one per instruction set, below the CPU's op table.
//
// All numbers are f32 unless said otherwise. The order of every sum depends on the shapes in its
// own arguments alone, never on how many rows are handed over at once: that is what makes a
// sequence give the same bits in any batch (docs/numerics.md).
#pragma once

#include "device/cpu/kernels/packed.h"

#include <stddef.h>
#include <stdint.h>

namespace braid {

enum class KvType { kF32, kF16, kBF16 };
constexpr int kKvTypes = 3;

struct Kernels {
  const char* isa;

  // Matrices: strip[type][n] for tiles of n rows.
  StripProduct strip[kPackedTypes][kTileRows + 1];
  // Row y of a tile of n rows, from f32 or from row y0 of another tile of n0 rows.
  void (*quantise)(const float* x, int64_t cols, uint8_t* tile, int n, int y);
  void (*copy_quantised)(const uint8_t* from, int n0, int y0, int64_t subs, uint8_t* to, int n,
                         int y);

  // Row functions.
  void (*rms_norm)(const float* x, const float* weight, float eps, int64_t n, float* out);
  void (*l2_norm)(float* x, float eps, int64_t n);  // x *= rsqrt(|x|^2 + eps)
  void (*silu_mul)(const float* gate, const float* up, int64_t n, float* out);  // silu(gate) * up
  void (*mul_silu)(float* x, const float* gate, int64_t n);                     // x *= silu(gate)
  void (*mul_sigmoid)(float* x, const float* gate, int64_t n);       // x *= sigmoid(gate)
  void (*add_scaled)(float* y, const float* x, float a, int64_t n);  // y += a x
  void (*scale_to)(const float* x, float a, int64_t n, float* out);  // out = a x
  float (*dot)(const float* a, const float* b, int64_t n);

  // out[c] = silu(sum_j weight[j*stride + c] in[j][c]), taps from the oldest input to the newest.
  void (*conv_silu)(const float* const* in, const float* weight, int64_t stride, int taps,
                    int64_t n, float* out);

  // The delta rule. S is [dk][dv].
  // out[m] = S^T vector[m] for `count` vectors of dk.
  void (*state_products)(const float* state, int dk, int dv, const float* const* vector, int count,
                         float* const* out);
  // next = decay S + sum_i coefficient[i] k[i] u[i]^T
  void (*state_fold)(const float* state, int dk, int dv, float decay, const float* const* k,
                     const float* const* u, const float* coefficient, int count, float* next);

  // Attention over `n` keys or values that lie in a row, of the type that indexes the array.
  void (*scores[kKvTypes])(const float* q, const void* keys, int n, int dim, float factor,
                           float* out);
  float (*exp_sum)(float* s, int n, float largest);  // s = e^(s - largest); the sum
  void (*weigh[kKvTypes])(const float* p, const void* values, int n, int dim,
                          float* acc);  // acc += p V
};

// Every instruction set fills the whole table; cpu_device.cpp picks one.
namespace portable {
void fill_packed(Kernels&);
void fill_rows(Kernels&);
void fill_delta(Kernels&);
void fill_attention(Kernels&);
}  // namespace portable
namespace avx2 {
void fill_packed(Kernels&);
void fill_rows(Kernels&);
void fill_delta(Kernels&);
void fill_attention(Kernels&);
}  // namespace avx2
namespace avx512 {
void fill_packed(Kernels&);
void fill_rows(Kernels&);
void fill_delta(Kernels&);
void fill_attention(Kernels&);
}  // namespace avx512
namespace avx512vnni {
void fill_packed_vnni(Kernels&);
}  // namespace avx512vnni

}  // namespace braid
