#include "device/cpu/cpu_ops.h"

#include <algorithm>

namespace braid::cpu {

Inputs take_inputs(Carver& carver, size_t rows, int64_t cols, InputForms forms) {
  Inputs room;
  room.cols = cols;
  if (forms.quantised) room.quantised = carver.take<uint8_t>(rows * Inputs::quantised_bytes(cols));
  if (forms.plain) room.plain = carver.take<float>(rows * static_cast<size_t>(cols));
  return room;
}

InputRows::InputRows(int64_t capacity, int64_t cols, InputForms forms, int threads, Carver& carver,
                     bool singles)
    : capacity_(capacity), cols_(cols), shared_(phases(capacity) > 0), singles_(singles) {
  room_ = take_inputs(carver, static_cast<size_t>(capacity * (shared_ ? 1 : threads)), cols, forms);
  normed_ = carver.take<float>(static_cast<size_t>(threads) * static_cast<size_t>(cols));
}

bool InputRows::prepare(const Kernels& k, const Tensor& x, const PackedNorm* norm, int rows,
                        const int32_t* which, const Share& share, const void* soon) {
  rows_ = rows;
  if (shared_ && share.phase > 0) return false;
  const int64_t begin = shared_ ? share.begin(rows) : 0, end = shared_ ? share.end(rows) : rows;
  float* normed = normed_ + share.thread * cols_;
  if (!shared_) {
    if (norm)
      ask(impl<Vector>(norm->weight).data.data(), static_cast<size_t>(cols_) * sizeof(float));
    if (soon) ask(soon, kWeightsAhead);
  }
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
  return room_.from(copy(share) * static_cast<size_t>(capacity_), rows_);
}

Inputs InputRows::single(int row, const Share& share) const {
  return room_.from(copy(share) * static_cast<size_t>(capacity_) + static_cast<size_t>(row), 1);
}

void add_product(const Matrix& m, int64_t begin, int64_t end, const Inputs& in, const Tensor& x,
                 float* product, Counters* counters) {
  const Kernels& k = *m.kernels;
  const int64_t together = rows_in_cache(m);
  for (int64_t n = begin; n < end; n += together) {
    const int64_t width = std::min(together, end - n);
    for (int t = 0; t < in.tiling().tiles(); ++t) {
      const Inputs tile = in.tile(t);
      const bool last = t + 1 == in.tiling().tiles();
      multiply(m, n, n + width, tile, product, width, t == 0 ? counters : nullptr,
               last && n + width < end ? place_of(m, n + width) : nullptr);
      for (int r = 0; r < tile.rows; ++r)
        k.add_scaled(x.row(in.tiling().first(t) + r) + n, product + r * width, 1.0f, width);
    }
  }
}

}  // namespace braid::cpu
