// f32 matrix products. Each output is one chain of vector multiply-adds along the columns and one
// reduction, whatever the tile it is computed in.
#include "device/cpu/kernels/kernels.h"
#include "device/cpu/simd/simd.h"

namespace braid::BRAID_ISA {
namespace {

// W rows of w times X rows of x.
template <int W, int X>
void tile(const float* w, const float* const* x, int64_t cols, float* const* out, int64_t at) {
  V acc[W][X];
  for (auto& row : acc)
    for (V& a : row) a = set1(0.0f);
  int64_t i = 0;
  for (; i + kLanes <= cols; i += kLanes) {
    V b[X];
    for (int r = 0; r < X; ++r) b[r] = load(x[r] + i);
    for (int n = 0; n < W; ++n) {
      const V a = load(w + n * cols + i);
      for (int r = 0; r < X; ++r) acc[n][r] = fma(a, b[r], acc[n][r]);
    }
  }
  if (i < cols) {
    for (int n = 0; n < W; ++n)
      for (int r = 0; r < X; ++r)
        acc[n][r] =
            fma(load_part(w + n * cols + i, cols - i), load_part(x[r] + i, cols - i), acc[n][r]);
  }
  for (int n = 0; n < W; ++n)
    for (int r = 0; r < X; ++r) out[r][at + n] = sum(acc[n][r]);
}

template <int W>
void rows_of_x(const float* w, const float* const* x, int x_rows, int64_t cols, float* const* out,
               int64_t at) {
  int r = 0;
  for (; r + kTileX <= x_rows; r += kTileX) tile<W, kTileX>(w, x + r, cols, out + r, at);
  for (; r < x_rows; ++r) tile<W, 1>(w, x + r, cols, out + r, at);
}

void gemm(const float* w, int w_rows, const float* const* x, int x_rows, int64_t cols,
          float* const* out, int64_t at) {
  int n = 0;
  for (; n + kTileW <= w_rows; n += kTileW)
    rows_of_x<kTileW>(w + n * cols, x, x_rows, cols, out, at + n);
  for (; n < w_rows; ++n) rows_of_x<1>(w + n * cols, x, x_rows, cols, out, at + n);
}

}  // namespace

void fill_matrix(Kernels& k) { k.gemm = gemm; }

}  // namespace braid::BRAID_ISA
