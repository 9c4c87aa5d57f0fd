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

enum class KvType { kF32, kF16, kBF16, kQ8_0 };
constexpr int kKvTypes = 4;

// Queries are padded with zeros to a multiple of this many numbers: whole vectors of any set.
constexpr int kQueryPad = 64;
// Rows of an f32 cache that are looked at together: they stay in the first cache.
constexpr int kKvStrip = 16;
// Queries that a tile of words may have at most: room is taken for whole tiles.
constexpr int kMostWordQueries = 8;

// Queries of one kv head against a partial of its keys. For query i over the keys that it sees:
// top[i] is its largest score, sum[i] the sum of e^(score - top), out[i] the sum of
// e^(score - top) value.
struct AttentionPartial {
  int dim, padded;  // of a head; in the queries and the output
  int keys;         // of the partial
  KvType key_type, value_type;
  const void* const* key_pages;  // the head's parts of pages (kv_layout.h)
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
  // Scratch. Here and in query_unit, weights and out there is room for whole tiles of queries.
  void* strip;             // [kKvStrip, padded] floats
  int16_t* q_words;        // [queries, padded]
  int16_t* scales;         // [2, padded]
  float *units, *factors;  // [kKvPage]
  int16_t* page_weights;   // [queries, kKvPage]
  float* page_units;       // [queries]
};

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

  // Matrices: strip[type][n] for tiles of n rows.
  StripProduct strip[kPackedTypes][kTileRows + 1];
  // Row y of a tile of n rows, from f32 or from row y0 of another tile of n0 rows.
  void (*quantise)(const float* x, int64_t cols, uint8_t* tile, int n, int y);
  void (*copy_quantised)(const uint8_t* from, int n0, int y0, int64_t subs, uint8_t* to, int n,
                         int y);

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

  // Attention.
  void (*attend)(const AttentionPartial&);
  // x as words; returns what a unit of them is worth. `out` may be x.
  float (*pack_query)(const float* x, int n, void* out);
  void (*merge)(float* o, float old_factor, const float* x, float factor,
                int n);  // o = old_factor o + factor x
  // Rounds a row into its place in a part.
  void (*store_key[kKvTypes])(const float* x, int dim, int position, void* part);
  void (*store_value[kKvTypes])(const float* x, int dim, int position, void* part);
};

// Every instruction set fills the whole table; cpu_device.cpp picks one.
namespace portable {
void fill_packed(Kernels&);
void fill_packed_plain(Kernels&);
void fill_rows(Kernels&);
void fill_delta(Kernels&);
void fill_delta_rows(Kernels&);
void fill_attention(Kernels&);
}  // namespace portable
namespace avx2 {
void fill_packed(Kernels&);
void fill_packed_avx2(Kernels&);  // stays in place in avx512
void fill_rows(Kernels&);
void fill_delta(Kernels&);
void fill_delta_rows(Kernels&);
void fill_attention(Kernels&);
}  // namespace avx2
namespace avx512 {
void fill_packed(Kernels&);
void fill_rows(Kernels&);
void fill_delta(Kernels&);
void fill_delta_rows(Kernels&);
void fill_attention(Kernels&);
}  // namespace avx512
// Only what it has beyond avx2.
namespace avxvnni {
void fill_packed_avx2(Kernels&);
void fill_attention(Kernels&);
}  // namespace avxvnni
// Only what it has beyond avx512.
namespace avx512vnni {
void fill_packed_vnni(Kernels&);
void fill_attention(Kernels&);
}  // namespace avx512vnni

// 64-bit ARM.
namespace neon {
void fill_packed(Kernels&);
void fill_packed_neon(Kernels&);
void fill_rows(Kernels&);
void fill_delta(Kernels&);
void fill_delta_rows(Kernels&);
void fill_attention(Kernels&);
}  // namespace neon
// Only what they have beyond neon.
namespace dotprod {
void fill_packed_neon(Kernels&);
}
namespace i8mm {
void fill_packed_neon(Kernels&);
}

}  // namespace braid
