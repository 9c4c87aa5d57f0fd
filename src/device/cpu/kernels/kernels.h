// The table of vector kernels, one per instruction set, below the CPU's op table.
//
// All numbers are f32 unless said otherwise. The order of every sum depends on the shapes in its
// own arguments alone, never on how many rows are handed over at once: that is what makes a
// sequence give the same bits in any batch (docs/numerics.md).
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace braid {

enum class KvType { kF32, kF16, kBF16 };
constexpr int kKvTypes = 3;

// Aligned positions that the delta rule takes together: a block (device/state_view.h).
constexpr int kDeltaBlock = 16;
// Elements of a key or query that lie together in a panel, in which a block's vectors wait for the
// sweep of S: [dk / kDeltaPanel][2*kDeltaBlock][kDeltaPanel], key and query of each token in turn.
constexpr int kDeltaPanel = 128;
constexpr int kMaxTaps = 8;  // of the convolution

// out[t][c] = silu(sum_j weight[j*stride + c] in[t + j][c]) for `rows` tokens one after the other,
// taps from the oldest input to the newest.
struct ConvPiece {
  const float* const* in;  // taps - 1 + rows of them
  const float* weight;
  int64_t stride, channels;
  int taps, rows;
  float* out;  // [rows, channels]
};

// b becomes sigmoid(b), and a the log decay of its token: rate * softplus(a + bias).
struct DeltaGates {
  float *b, *a;  // [rows]
  int64_t rows;
  float bias, rate;
};

// Products of the keys of a block, up to a token's own, with the token's key and query, for the
// tokens at the places first .. first + count - 1; and the panel of these tokens.
struct KeyProducts {
  const float* keys;     // [kDeltaBlock, dk], of which first + count are there
  const float* queries;  // [count, dk]
  int dk, first, count;
  float *key_key, *key_query;  // [count, kDeltaBlock], entries after a token's own undefined
  float* panel;
};

// A value head's tokens of one block at the places first .. first + count - 1: the form of
// docs/decisions/0003. S is [dk, dv].
struct DeltaPiece {
  int dk, dv, first, count;
  const float* state;                 // S at the start of the block
  const float* soon;                  // the S that is swept next, to be fetched in time
  bool from_memory;                   // this is the first use of S in the step
  float* next;                        // S at its end, null unless the piece ends the block
  const float *keys, *panel;          // as in KeyProducts
  const float *key_key, *key_query;   // from there
  const float *values, *beta, *gate;  // [count, dv], [count], [count] log decay of each token
  float* decay;                       // [kDeltaBlock], log decay since the start of the block
  float* updates;                     // [kDeltaBlock, dv]
  float* products;  // [2*kDeltaBlock, dv] of room; the answer of token t is left in row 2t + 1
};

// out[t] = x[t] / rms(x[t]) * weight * silu(gate[t]) for up to kDeltaBlock rows of n.
struct GatedNorm {
  const float *x, *gate, *weight;
  int64_t x_stride, gate_stride, out_stride, n;
  int rows;
  float eps;
  float* out;
};

struct Kernels {
  const char* isa;

  // out[r][at + n] = w_n . x[r] for w_rows rows of w that lie `cols` apart.
  void (*gemm)(const float* w, int w_rows, const float* const* x, int x_rows, int64_t cols,
               float* const* out, int64_t at);

  // Row functions.
  void (*rms_norm)(const float* x, const float* weight, float eps, int64_t n, float* out);
  void (*silu_mul)(const float* gate, const float* up, int64_t n, float* out);  // silu(gate) * up
  void (*mul_sigmoid)(float* x, const float* gate, int64_t n);       // x *= sigmoid(gate)
  void (*add_scaled)(float* y, const float* x, float a, int64_t n);  // y += a x
  void (*scale_to)(const float* x, float a, int64_t n, float* out);  // out = a x
  float (*dot)(const float* a, const float* b, int64_t n);

  // Gated DeltaNet.
  void (*conv_silu)(const ConvPiece&);
  // Up to kDeltaBlock rows of n scaled to the length `scale`: x *= scale / sqrt(|x|^2 + eps).
  void (*unit_rows)(float* x, int rows, int64_t n, float eps, float scale);
  void (*delta_gates)(const DeltaGates&);
  void (*key_products)(const KeyProducts&);
  void (*delta_rule)(const DeltaPiece&);
  void (*gated_norm)(const GatedNorm&);

  // Attention over `n` keys or values that lie in a row, of the type that indexes the array.
  void (*scores[kKvTypes])(const float* q, const void* keys, int n, int dim, float factor,
                           float* out);
  float (*exp_sum)(float* s, int n, float largest);  // s = e^(s - largest); the sum
  void (*weigh[kKvTypes])(const float* p, const void* values, int n, int dim,
                          float* acc);  // acc += p V
};

// Every instruction set fills the whole table; cpu_device.cpp picks one.
namespace portable {
void fill_matrix(Kernels&);
void fill_rows(Kernels&);
void fill_delta(Kernels&);
void fill_delta_rows(Kernels&);
void fill_attention(Kernels&);
}  // namespace portable
namespace avx2 {
void fill_matrix(Kernels&);
void fill_rows(Kernels&);
void fill_delta(Kernels&);
void fill_delta_rows(Kernels&);
void fill_attention(Kernels&);
}  // namespace avx2
namespace avx512 {
void fill_matrix(Kernels&);
void fill_rows(Kernels&);
void fill_delta(Kernels&);
void fill_delta_rows(Kernels&);
void fill_attention(Kernels&);
}  // namespace avx512

}  // namespace braid
