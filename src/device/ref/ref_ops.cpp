#include "device/ref/ref_ops.h"

#include <algorithm>

namespace braid::ref {

Matrix::Matrix(const FileMatrix& file) : file_(file) {
  int64_t end = 0;
  for (const RowRun& run : file.runs) ends_.push_back(end += run.rows);
}

void Matrix::read(int64_t n, float* out, Counters* counters) const {
  CHECK_THAT(!ends_.empty() && n >= 0 && n < ends_.back(), "row {} of {}", n,
             ends_.empty() ? 0 : ends_.back());
  const auto at = std::upper_bound(ends_.begin(), ends_.end(), n) - ends_.begin();
  const RowRun& run = file_.runs[static_cast<size_t>(at)];
  const int64_t first = ends_[static_cast<size_t>(at)] - run.rows;
  const size_t bytes = row_bytes(file_.dtype, file_.cols);
  decode_row(file_.dtype, run.data + static_cast<size_t>(n - first) * bytes, file_.cols, out);
  for (int64_t i = 0; i < file_.cols; ++i) out[i] *= run.scale;
  counters->weight_bytes += bytes;
}

}  // namespace braid::ref
