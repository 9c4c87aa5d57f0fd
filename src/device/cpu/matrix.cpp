#include "device/cpu/matrix.h"

#include "quant/dtype.h"

#include <algorithm>

namespace braid::cpu {
namespace {

// Strips that are multiplied with a tile before the next tile comes: their weights stay in L2.
constexpr size_t kStripsInCache = 384 << 10;

struct RunRow {
  const RowRun* run;
  int64_t row;  // within the run
};

RunRow locate(const Matrix& m, int64_t row) {
  const auto after = std::upper_bound(m.first_row.begin(), m.first_row.end(), row);
  const auto run = static_cast<size_t>(after - m.first_row.begin()) - 1;
  return {&m.file.runs[run], row - m.first_row[run]};
}

const std::byte* file_row(const Matrix& m, int64_t row) {
  const RunRow at = locate(m, row);
  return at.run->data + static_cast<size_t>(at.row) * row_bytes(m.file.dtype, m.file.cols);
}

class Product {
 public:
  explicit Product(const Matrix& m)
      : m_(m),
        groups_(m.quantised() ? Inputs::subs(m.cols()) : m.cols()),
        kernels_(m.kernels->strip[static_cast<int>(m.type)]) {}

  // Columns [from, to) of strip `strip` for the rows of a tile, to out[row * stride].
  void strip(int64_t strip, int from, int to, const Inputs& tile, float* out, int64_t stride,
             const Course& course) const {
    const uint8_t* w =
        reinterpret_cast<const uint8_t*>(m_.strips) + static_cast<size_t>(strip) * m_.strip_bytes;
    const void* x = m_.quantised() ? static_cast<const void*>(tile.quantised) : tile.plain;
    const bool whole = from == 0 && to == kStripRows;
    float edge[kTileRows * kStripRows];
    float* product = whole ? out : edge;
    const int64_t step = whole ? stride : kStripRows;
    kernels_[tile.rows](w, groups_, x, product, step, course);
    if (!m_.scale.empty())
      for (int r = 0; r < tile.rows; ++r)
        for (int n = 0; n < kStripRows; ++n)
          product[r * step + n] *= m_.scale[static_cast<size_t>(strip * kStripRows + n)];
    if (!whole)
      for (int r = 0; r < tile.rows; ++r)
        std::copy(edge + r * kStripRows + from, edge + r * kStripRows + to, out + r * stride);
  }

 private:
  const Matrix& m_;
  int64_t groups_;
  const StripProduct* kernels_;
};

}  // namespace

Matrix describe(const Kernels& kernels, const FileMatrix& file, int64_t group_rows) {
  Matrix m;
  m.kernels = &kernels;
  m.file = file;
  int64_t row = 0;
  bool scaled = false;
  for (const RowRun& run : file.runs) {
    m.first_row.push_back(row);
    row += run.rows;
    scaled = scaled || run.scale != 1.0f;
  }
  m.first_row.push_back(row);
  m.group_rows = group_rows > 0 ? group_rows : row;
  m.group_strips = (m.group_rows + kStripRows - 1) / kStripRows;
  if (!scaled) return m;
  m.scale.assign(static_cast<size_t>(m.strip_count() * kStripRows), 1.0f);
  for (size_t run = 0; run < file.runs.size(); ++run)
    for (int64_t r = m.first_row[run]; r < m.first_row[run + 1]; ++r) {
      const int64_t at = r / m.group_rows * m.group_strips * kStripRows + r % m.group_rows;
      m.scale[static_cast<size_t>(at)] = file.runs[run].scale;
    }
  return m;
}

void Inputs::ask() const {
  const auto n = static_cast<size_t>(rows);
  if (quantised) cpu::ask(quantised, n * quantised_bytes(cols));
  if (plain) cpu::ask(plain, n * static_cast<size_t>(cols) * sizeof(float));
}

void Inputs::put(const Kernels& k, int row, const float* x) const {
  const int t = tiling().tile_of(row), y = row - tiling().first(t);
  const Inputs to = tile(t);
  if (quantised) k.quantise(x, cols, to.quantised, to.rows, y);
  if (plain)
    for (int64_t i = 0; i < cols; ++i) to.plain[i * to.rows + y] = x[i];
}

void strip_rows(const Matrix& m, int64_t strip, const std::byte* (&rows)[kStripRows]) {
  const int64_t group = strip / m.group_strips, first = strip % m.group_strips * kStripRows;
  for (int r = 0; r < kStripRows; ++r)
    rows[r] = first + r < m.group_rows ? file_row(m, group * m.group_rows + first + r) : nullptr;
}

int64_t rows_in_cache(const Matrix& m) {
  return std::max<int64_t>(1, static_cast<int64_t>(kStripsInCache / m.strip_bytes)) * kStripRows;
}

const std::byte* place_of(const Matrix& m, int64_t row) {
  const int64_t strip = row / m.group_rows * m.group_strips + row % m.group_rows / kStripRows;
  return m.strips + static_cast<size_t>(strip) * m.strip_bytes;
}

void multiply(const Matrix& m, int64_t begin, int64_t end, const Inputs& x, float* out,
              int64_t stride, Counters* counters, const void* soon) {
  if (x.rows == 0 || begin >= end) return;
  const Product product(m);
  const Tiling tiling = x.tiling();
  const auto* last = reinterpret_cast<const uint8_t*>(place_of(m, end - 1)) + m.strip_bytes;
  const Course course{
      last,
      soon ? reinterpret_cast<intptr_t>(soon) - reinterpret_cast<intptr_t>(last) : -kWeightsAhead};
  const int64_t together = rows_in_cache(m) / kStripRows;
  // Rows of the matrix [n, stop) lie in one group.
  for (int64_t n = begin; n < end;) {
    const int64_t group = n / m.group_rows, base = group * m.group_rows;
    const int64_t first = (n - base) / kStripRows;
    const int64_t stop =
        std::min({end, base + m.group_rows, base + (first + together) * kStripRows});
    const int64_t strips = (stop - base - first * kStripRows + kStripRows - 1) / kStripRows;
    for (int t = 0; t < tiling.tiles(); ++t) {
      const Inputs tile = x.tile(t);
      float* to_tile = out + tiling.first(t) * stride;
      for (int64_t s = first; s < first + strips; ++s) {
        const int64_t at = base + s * kStripRows;
        const int from = static_cast<int>(std::max(n, at) - at);
        const int to = static_cast<int>(std::min<int64_t>(stop - at, kStripRows));
        product.strip(group * m.group_strips + s, from, to, tile, to_tile + at + from - begin,
                      stride, course);
      }
    }
    n = stop;
  }
  if (counters)
    counters->weight_bytes += static_cast<size_t>(end - begin) * row_bytes(m.file.dtype, m.cols());
}

void decode(const Matrix& m, int64_t row, float* out, Counters* counters) {
  const RunRow at = locate(m, row);
  decode_row(m.file.dtype, file_row(m, row), m.cols(), out);
  if (at.run->scale != 1.0f)
    for (int64_t i = 0; i < m.cols(); ++i) out[i] *= at.run->scale;
  counters->weight_bytes += row_bytes(m.file.dtype, m.cols());
}

}  // namespace braid::cpu
