// Matrices as the CPU multiplies them, and the rows that they are multiplied with.
//
// A matrix is packed once, at load, into strips of 16 rows (kernels/packed.h). Inputs are tiles of
// up to kTileRows rows: int8 for quantised matrices, f32 for the others. Which rows share a tile
// never changes a result: each is computed by itself, column after column.
#pragma once

#include "device/cpu/kernels/kernels.h"
#include "device/ops_table.h"

#include <span>
#include <vector>

namespace braid::cpu {

// The part of the threads that reads `rows` rows, one behind the other: from `begin` to `end` of
// them, 0 being the first thread and 1 the last.
struct ReadShare {
  int64_t rows;
  double begin = 0, end = 1;
};

struct Matrix {
  const Kernels* kernels = nullptr;
  FileMatrix file;
  std::vector<int64_t> first_row;  // of each run, and the number of rows at the end

  PackedType type = PackedType::kF32;
  int64_t group_rows = 0;  // strips never hold rows of two groups: experts, mostly
  int64_t group_strips = 0;
  size_t strip_bytes = 0;
  const std::byte* strips = nullptr;
  // Who reads which rows, from the first row on and again and again; empty: now one, now another.
  std::vector<ReadShare> reads;
  std::vector<float> scale;  // of each row of each strip; empty when all are 1

  int64_t cols() const { return file.cols; }
  int64_t strip_count() const {
    return group_rows > 0 ? file.rows() / group_rows * group_strips : 0;
  }
  bool quantised() const { return static_cast<int>(type) < kQuantisedTypes; }
};

// A matrix of the file that is not packed. No strip of it holds rows of two groups; 0 rows: all are
// one group.
Matrix describe(const Kernels& kernels, const FileMatrix& file, int64_t group_rows = 0);

// Which inputs a set of matrices wants.
struct InputForms {
  bool quantised = false, plain = false;

  InputForms& with(const Matrix& m) {
    (m.quantised() ? quantised : plain) = true;
    return *this;
  }
};

// Rows shared out to tiles of nearly equal size.
struct Tiling {
  int rows = 0;

  int tiles() const { return (rows + kTileRows - 1) / kTileRows; }
  int first(int tile) const {
    const int n = tiles();
    return tile * (rows / n) + (tile < rows % n ? tile : rows % n);
  }
  int size(int tile) const { return first(tile + 1) - first(tile); }
  int tile_of(int row) const {
    const int n = tiles(), small = rows / n, large = rows % n;
    return row < large * (small + 1) ? row / (small + 1)
                                     : large + (row - large * (small + 1)) / small;
  }
};

// Asks memory for bytes that are read soon.
inline void ask(const void* from, size_t bytes) {
  for (size_t i = 0; i < bytes; i += 64) __builtin_prefetch(static_cast<const char*>(from) + i);
}

// Tiles of `rows` rows of `cols` columns, wherever they lie.
struct Inputs {
  uint8_t* quantised = nullptr;
  float* plain = nullptr;
  int rows = 0;
  int64_t cols = 0;

  static int64_t subs(int64_t cols) { return (cols + kSubCols - 1) / kSubCols; }
  static size_t quantised_bytes(int64_t cols) {  // of a row
    return static_cast<size_t>(subs(cols)) * kTileBytes;
  }
  Tiling tiling() const { return {rows}; }
  // `count` rows that begin where row `first` of tiles of any size would.
  Inputs from(size_t first, int count) const {
    return {quantised ? quantised + first * quantised_bytes(cols) : nullptr,
            plain ? plain + first * static_cast<size_t>(cols) : nullptr, count, cols};
  }
  Inputs tile(int t) const {
    return from(static_cast<size_t>(tiling().first(t)), tiling().size(t));
  }
  // Asks memory for all rows, which are not read in the order in which they lie.
  void ask() const;
  // Writes row `row`. Rows of a tile may be written by different threads.
  void put(const Kernels& k, int row, const float* x) const;
};

// out[r * stride + n - begin] = (row n of m) . x[r] for begin <= n < end. Without `counters` the
// weights are not counted, for a caller that takes its tiles one by one. `soon` is what the thread
// reads afterwards, mostly place_of() another row; null when nobody knows.
void multiply(const Matrix& m, int64_t begin, int64_t end, const Inputs& x, float* out,
              int64_t stride, Counters* counters, const void* soon = nullptr);

// Where the strip of a row lies.
const std::byte* place_of(const Matrix& m, int64_t row);

// Rows of the matrix that are best multiplied with one tile before the next: whole strips that stay
// in the cache together.
int64_t rows_in_cache(const Matrix& m);

// Decodes one row from the file.
void decode(const Matrix& m, int64_t row, float* out, Counters* counters);

// The 16 rows of a strip as the file has them, null where the strip has none.
void strip_rows(const Matrix& m, int64_t strip, const std::byte* (&rows)[kStripRows]);

}  // namespace braid::cpu
