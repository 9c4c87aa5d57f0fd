#include "device/cpu/cpu_ops.h"

#include "quant/dtype.h"

#include <algorithm>

namespace braid::cpu {
namespace {

struct RunRow {
  const RowRun* run;
  int64_t row;  // within the run
};

RunRow locate(const Matrix& m, int64_t row) {
  const auto after = std::upper_bound(m.first_row.begin(), m.first_row.end(), row);
  const auto run = static_cast<size_t>(after - m.first_row.begin()) - 1;
  return {&m.file.runs[run], row - m.first_row[run]};
}

void decode_rows(const Matrix& m, const RunRow& at, int64_t count, float* out) {
  const size_t bytes = row_bytes(m.file.dtype, m.file.cols);
  const int64_t weights = count * m.file.cols;  // rows are whole blocks and lie end to end
  decode_row(m.file.dtype, at.run->data + static_cast<size_t>(at.row) * bytes, weights, out);
  if (at.run->scale != 1.0f)
    for (int64_t i = 0; i < weights; ++i) out[i] *= at.run->scale;
}

}  // namespace

void multiply(const Matrix& m, int64_t begin, int64_t end, const float* const* x, int rows,
              float* const* out, int64_t at, float* strip, Counters* counters) {
  if (rows == 0) return;
  const int64_t cols = m.file.cols;
  const size_t bytes = row_bytes(m.file.dtype, cols);
  for (int64_t n = begin; n < end;) {
    const RunRow from = locate(m, n);
    const int64_t count = std::min({int64_t{kStrip}, end - n, from.run->rows - from.row});
    const float* w = strip;
    const std::byte* first = from.run->data + static_cast<size_t>(from.row) * bytes;
    if (m.file.dtype == DType::F32 && from.run->scale == 1.0f &&
        reinterpret_cast<uintptr_t>(first) % alignof(float) == 0)
      w = reinterpret_cast<const float*>(first);
    else
      decode_rows(m, from, count, strip);
    m.kernels->gemm(w, static_cast<int>(count), x, rows, cols, out, at + n - begin);
    counters->weight_bytes += static_cast<size_t>(count) * bytes;
    n += count;
  }
}

void decode(const Matrix& m, int64_t row, float* out, Counters* counters) {
  decode_rows(m, locate(m, row), 1, out);
  counters->weight_bytes += row_bytes(m.file.dtype, m.file.cols);
}

NormedRows::NormedRows(int64_t capacity, int64_t cols, int threads, Carver& carver)
    : capacity_(capacity),
      cols_(cols),
      shared_(phases(capacity) > 0),
      data_(carver.take<float>(static_cast<size_t>(capacity * cols * (shared_ ? 1 : threads)))) {}

bool NormedRows::prepare(const Tensor& x, const PackedNorm& norm, int rows, const int32_t* which,
                         const Share& share) {
  if (shared_ && share.phase > 0) return false;
  const Vector& weight = impl<Vector>(norm.weight);
  const int64_t begin = shared_ ? share.begin(rows) : 0, end = shared_ ? share.end(rows) : rows;
  for (int64_t r = begin; r < end; ++r)
    weight.kernels->rms_norm(x.row(which ? which[r] : r), weight.data.data(), norm.eps, cols_,
                             row(r, share.thread));
  return shared_;
}

}  // namespace braid::cpu
