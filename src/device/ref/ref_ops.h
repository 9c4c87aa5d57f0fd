// What the reference made of the weights (nothing: it points into the file) and the few tools that
// its operations share.
//
// Only matrices count as weight bytes read; the norms and other vectors are a few kilobytes.
#pragma once

#include "base/arena.h"
#include "base/check.h"
#include "device/ops_table.h"
#include "device/ref/ref_math.h"

#include <vector>

namespace braid::ref {

// A matrix as the file has it, its rows decoded whenever they are needed.
class Matrix {
 public:
  Matrix() = default;
  explicit Matrix(const FileMatrix& file);

  int64_t cols() const { return file_.cols; }
  // Decodes row n and counts its bytes as read.
  void read(int64_t n, float* out, Counters* counters) const;

 private:
  FileMatrix file_;
  std::vector<int64_t> ends_;  // of the runs: first row behind each
};

using Vector = std::vector<float>;

struct Gdn {
  Matrix qkv, z, b, a;
  Vector conv, dt_bias, decay, norm;
};
struct Attention {
  Matrix qg, k, v;
  Vector q_norm, k_norm;
};
struct Mlp {
  Matrix gate, up, down;
};
struct Router {
  Matrix router;
  Vector shared_gate;
};
struct Experts {
  Matrix gate, up, down;
  Mlp shared;
};
struct MtpJoint {
  Matrix w;
  Vector embedding_norm, hidden_norm;
  float eps;
};

template <class Impl>
const Impl& impl(const PackedBlock& block) {
  return *static_cast<const Impl*>(block.impl);
}

// h[i] = RMS(row i of x), or of the rows that `which` lists.
inline void norm_rows(const Tensor& x, const PackedNorm& norm, int rows, double* h,
                      const int32_t* which = nullptr) {
  for (int i = 0; i < rows; ++i)
    rms_norm(x.row(which ? which[i] : i), impl<Vector>(norm.weight).data(), norm.eps, x.cols,
             h + i * x.cols);
}

// out(r, n - begin, w_n . x_r) for the rows begin <= n < end of a matrix and all rows of x [rows,
// cols]. `buffer` holds one row of the matrix.
template <class X, class Out>
void multiply(const Matrix& m, int64_t begin, int64_t end, const X* x, int rows, float* buffer,
              Counters* counters, Out&& out) {
  if (rows == 0) return;
  for (int64_t n = begin; n < end; ++n) {
    m.read(n, buffer, counters);
    for (int r = 0; r < rows; ++r) out(r, n - begin, dot(buffer, x + r * m.cols(), m.cols()));
  }
}

// The same into a matrix out [rows, end - begin].
template <class X>
void multiply_to(const Matrix& m, int64_t begin, int64_t end, const X* x, int rows, float* buffer,
                 Counters* counters, double* out) {
  multiply(m, begin, end, x, rows, buffer, counters,
           [&](int r, int64_t n, double y) { out[r * (end - begin) + n] = y; });
}

// Workspaces. An operation describes its scratch as a struct that takes pieces from an Arena in its
// constructor, `Scratch(args, arena)`: one of what the threads share (if anything), then one for
// each thread. The same constructors find the size.
template <class Scratch, class Args>
size_t scratch_bytes(const Args& args) {
  Arena imaginary;
  Scratch(args, imaginary);
  return imaginary.peak();
}
template <class Scratch, class Args>
Scratch own_scratch(const Args& args, const Share& share, size_t shared_bytes = 0) {
  const size_t bytes = scratch_bytes<Scratch>(args);
  Arena arena(share.workspace + shared_bytes + static_cast<size_t>(share.thread) * bytes, bytes);
  return Scratch(args, arena);
}
template <class Scratch, class Args>
Scratch shared_scratch(const Args& args, const Share& share) {
  Arena arena(share.workspace, scratch_bytes<Scratch>(args));
  return Scratch(args, arena);
}

template <class Args>
int checked_rows(const Args& args, const Tensor& x) {
  const int rows = args.batch.counts->rows;
  CHECK_THAT(rows >= 0 && rows <= x.rows, "{} rows in a bucket of {}", rows, x.rows);
  return rows;
}

void fill_embed(Ops& ops);
void fill_gdn_mix(Ops& ops);
void fill_attn_mix(Ops& ops);
void fill_linear_add(Ops& ops);
void fill_mlp(Ops& ops);
void fill_route(Ops& ops);
void fill_experts(Ops& ops);
void fill_norm_rows(Ops& ops);
void fill_mtp_joint(Ops& ops);
void fill_head(Ops& ops);

}  // namespace braid::ref
