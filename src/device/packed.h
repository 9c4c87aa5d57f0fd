// A block's weights as the file has them, and the handles of what a device made from them.
//
// A block is the unit of packing, caching, sharding and streaming: everything that one entry of the
// op table reads (architecture decision 5). The bind() functions of nn/ fill the *FileWeights from
// a checkpoint; Device::prepare turns each into a Packed* handle, once, at load.
#pragma once

#include "quant/dtype.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace braid {

// A matrix as runs of whole rows in the file. Interleaved tensors, experts stored one by one and
// merged ones all become one list of runs, and no integer of the file is touched.
struct RowRun {
  const std::byte* data = nullptr;
  int64_t rows = 0;
  float scale = 1;  // multiplies the decoded weights (NVFP4's per-tensor scale)
};

struct FileMatrix {
  DType dtype = DType::F32;
  int64_t cols = 0;
  std::vector<RowRun> runs;

  int64_t rows() const {
    int64_t n = 0;
    for (const RowRun& run : runs) n += run.rows;
    return n;
  }
  size_t bytes() const { return static_cast<size_t>(rows()) * row_bytes(dtype, cols); }
  explicit operator bool() const { return !runs.empty(); }
};

// What a matrix is for: products alone, rows looked up (an embedding), or both (a tied head).
enum class MatrixUse { kProduct, kLookup, kBoth };

// Gated DeltaNet: Hk key heads of Dk, Hv value heads of Dv, r = Hv / Hk value heads to a key head.
struct GdnShape {
  int d_model = 0, key_heads = 0, value_heads = 0, key_dim = 0, value_dim = 0, taps = 4;
  bool tiled = false;  // value head h reads key head h % Hk (tiled) or h / r (grouped)
  float eps = 1e-6f;   // of the gated norm

  int ratio() const { return value_heads / key_heads; }
  int conv_dim() const { return 2 * key_heads * key_dim + value_heads * value_dim; }
  int value_head(int key_head, int i) const {  // the i-th value head that reads key_head
    return tiled ? i * key_heads + key_head : key_head * ratio() + i;
  }
};

struct GdnFileWeights {
  GdnShape shape;
  FileMatrix qkv;              // [conv_dim, d_model], rows q | k | v
  FileMatrix z;                // [Hv*Dv, d_model]
  FileMatrix b, a;             // [Hv, d_model] each
  std::vector<float> conv;     // [conv_dim, taps], the last tap meets the current token
  std::vector<float> dt_bias;  // [Hv]
  std::vector<float> decay;    // [Hv], -exp(A_log)
  std::vector<float> norm;     // [Dv]
};

// Gated attention: q heads of D with a gate of D each.
struct AttentionShape {
  int d_model = 0, heads = 0, kv_heads = 0, head_dim = 0, rope_dims = 0;
  float rope_theta = 0, eps = 1e-6f;
};

struct AttentionFileWeights {
  AttentionShape shape;
  FileMatrix qg;                      // [heads*2*head_dim, d_model], rows per head: q, then gate
  FileMatrix k, v;                    // [kv_heads*head_dim, d_model]
  std::vector<float> q_norm, k_norm;  // [head_dim]
};

struct MlpFileWeights {
  FileMatrix gate, up;  // [d_ff, d_model]
  FileMatrix down;      // [d_model, d_ff]
};

struct MoeShape {
  int d_model = 0, experts = 0, top_k = 0, d_ff = 0, d_shared = 0;  // d_shared 0: no shared expert
};

struct RouterFileWeights {
  MoeShape shape;
  FileMatrix router;               // [E, d_model]
  std::vector<float> shared_gate;  // [d_model]; empty: the shared expert's weight is 1
};

struct ExpertsFileWeights {
  MoeShape shape;
  FileMatrix gate, up;    // [E*d_ff, d_model], expert by expert
  FileMatrix down;        // [E*d_model, d_ff]
  MlpFileWeights shared;  // empty when d_shared is 0
};

// The joint of an MTP layer: u = W [RMS(embedding); RMS(hidden)].
struct MtpJointFileWeights {
  FileMatrix w;                                    // [d_model, 2*d_model]
  std::vector<float> embedding_norm, hidden_norm;  // [d_model]
  float eps = 1e-6f;
};

// Handles. `impl` belongs to the device that prepared it and lives as long as the device; `bytes`
// is what the block occupies there, all experts included.
struct PackedBlock {
  const void* impl = nullptr;
  size_t bytes = 0;
};
struct PackedMatrix : PackedBlock {
  int64_t rows = 0, cols = 0;
};  // linear, embedding, head
struct PackedVector : PackedBlock {
  int64_t size = 0;
};
struct PackedNorm {
  PackedVector weight;
  float eps = 1e-6f;
};
struct PackedGdn : PackedBlock {
  GdnShape shape;
};
struct PackedAttention : PackedBlock {
  AttentionShape shape;
};
struct PackedMlp : PackedBlock {
  int d_model = 0, d_ff = 0;
};
struct PackedRouter : PackedBlock {
  MoeShape shape;
};
struct PackedExperts : PackedBlock {
  MoeShape shape;
  size_t expert_bytes = 0;
};  // of one routed expert
struct PackedMtpJoint : PackedBlock {
  int d_model = 0;
};

}  // namespace braid
