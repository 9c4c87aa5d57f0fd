#include "device/cpu/cpu_ops.h"

#include <algorithm>

namespace braid::cpu {

InputRows::InputRows(int64_t capacity, int64_t cols, InputForms forms, int threads, Carver& carver,
                     bool singles)
    : capacity_(capacity),
      cols_(cols),
      forms_(forms),
      shared_(phases(capacity) > 0),
      singles_(singles) {
  const auto rows = static_cast<size_t>(capacity * (shared_ ? 1 : threads));
  quantised_ = carver.take<uint8_t>(forms.quantised ? rows * Inputs::quantised_bytes(cols) : 0);
  plain_ = carver.take<float>(forms.plain ? rows * static_cast<size_t>(cols) : 0);
  normed_ = carver.take<float>(static_cast<size_t>(threads) * static_cast<size_t>(cols));
}

bool InputRows::prepare(const Kernels& k, const Tensor& x, const PackedNorm* norm, int rows,
                        const int32_t* which, const Share& share) {
  rows_ = rows;
  if (shared_ && share.phase > 0) return false;
  const int64_t begin = shared_ ? share.begin(rows) : 0, end = shared_ ? share.end(rows) : rows;
  float* normed = normed_ + share.thread * cols_;
  for (int64_t r = begin; r < end; ++r) {
    const float* row = x.row(which ? which[r] : r);
    if (norm) {
      k.rms_norm(row, impl<Vector>(norm->weight).data.data(), norm->eps, cols_, normed);
      row = normed;
    }
    if (singles_)
      single(static_cast<int>(r), share).put(k, 0, row);
    else
      inputs(share).put(k, static_cast<int>(r), row);
  }
  return shared_;
}

Inputs InputRows::inputs(const Share& share) const {
  const size_t first = copy(share) * static_cast<size_t>(capacity_);
  return {forms_.quantised ? quantised_ + first * Inputs::quantised_bytes(cols_) : nullptr,
          forms_.plain ? plain_ + first * static_cast<size_t>(cols_) : nullptr, rows_, cols_};
}

Inputs InputRows::single(int row, const Share& share) const {
  const size_t at = copy(share) * static_cast<size_t>(capacity_) + static_cast<size_t>(row);
  return {forms_.quantised ? quantised_ + at * Inputs::quantised_bytes(cols_) : nullptr,
          forms_.plain ? plain_ + at * static_cast<size_t>(cols_) : nullptr, 1, cols_};
}

void add_product(const Matrix& m, int64_t begin, int64_t end, const Inputs& in, const Tensor& x,
                 float* product, float* scratch, Counters* counters) {
  const Kernels& k = *m.kernels;
  const int64_t together = rows_in_cache(m);
  for (int64_t n = begin; n < end; n += together) {
    const int64_t width = std::min(together, end - n);
    for (int t = 0; t < in.tiling().tiles(); ++t) {
      const Inputs tile = in.tile(t);
      multiply(m, n, n + width, tile, product, width, scratch, t == 0 ? counters : nullptr);
      for (int r = 0; r < tile.rows; ++r)
        k.add_scaled(x.row(in.tiling().first(t) + r) + n, product + r * width, 1.0f, width);
    }
  }
}

}  // namespace braid::cpu
