// The table of vector kernels, one per instruction set, below the CPU's op table.
//
// All numbers are f32 unless said otherwise. The order of every sum depends on the shapes in its
// own arguments alone, never on how many rows are handed over at once: that is what makes a
// sequence give the same bits in any batch (docs/numerics.md).
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace braid {

enum class KvType { kF32, kF16, kBF16, kQ8_0 };
constexpr int kKvTypes = 4;

// Queries are padded with zeros to a multiple of this many numbers: whole vectors of any set.
constexpr int kQueryPad = 32;
// Keys, and values of an f32 cache, that are made ready at a time: they stay in the first cache.
constexpr int kKvStrip = 16;

// Queries of one kv head against a partial of its keys. For query i over the keys that it sees:
// top[i] is its largest score, sum[i] the sum of e^(score - top), out[i] the sum of
// e^(score - top) value.
struct AttentionPartial {
  int dim, padded;      // of a head; in the queries and the output
  int keys, page_keys;  // of the partial; of a page
  KvType key_type, value_type;
  const void* const* key_pages;
  const void* const* value_pages;
  const void* next_key;  // what will be read after this, or null
  // Queries with the factor of the scores in them: floats for f32 keys, else words of pack_query.
  int queries;
  const void* const* q;
  const float* query_unit;  // of words: what their product with a key's is worth
  float key_factor;         // makes words of keys
  const int* visible;       // keys that each sees, 1 to `keys`
  float* weights;           // [queries, weights_stride], a stride of whole vectors
  int weights_stride;
  float *top, *sum;  // [queries]
  float* out;        // [queries, padded]
  // Scratch.
  void* strip;            // the larger of [kKvStrip, padded] floats and [page_keys, padded] words
  float* units;           // [page_keys]
  int16_t* page_weights;  // [queries, page_keys]
  float* page_units;      // [queries]
};

struct Kernels {
  const char* isa;

  // out[r][at + n] = w_n . x[r] for w_rows rows of w that lie `cols` apart.
  void (*gemm)(const float* w, int w_rows, const float* const* x, int x_rows, int64_t cols,
               float* const* out, int64_t at);

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

  // Attention.
  void (*attend)(const AttentionPartial&);
  // x as words; returns what a unit of them is worth. `out` may be x.
  float (*pack_query)(KvType keys, const float* x, int n, void* out);
  void (*merge)(float* o, float old_factor, const float* x, float factor,
                int n);                                            // o = old_factor o + factor x
  void (*store_kv[kKvTypes])(const float* x, int dim, void* row);  // rounds a row of the cache
};

// Every instruction set fills the whole table; cpu_device.cpp picks one.
namespace portable {
void fill_matrix(Kernels&);
void fill_rows(Kernels&);
void fill_delta(Kernels&);
void fill_attention(Kernels&);
}  // namespace portable
namespace avx2 {
void fill_matrix(Kernels&);
void fill_rows(Kernels&);
void fill_delta(Kernels&);
void fill_attention(Kernels&);
}  // namespace avx2
namespace avx512 {
void fill_matrix(Kernels&);
void fill_rows(Kernels&);
void fill_delta(Kernels&);
void fill_attention(Kernels&);
}  // namespace avx512
// Only what it has beyond avx512.
namespace avx512vnni {
void fill_attention(Kernels&);
}  // namespace avx512vnni

}  // namespace braid
