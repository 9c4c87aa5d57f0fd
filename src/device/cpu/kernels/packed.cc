// Inputs of packed strips, and products of strips that are not quantised, over the vector
// vocabulary. Products of quantised strips are written for the instructions of each set: special/.
#include "device/cpu/kernels/packed.h"

#include "device/cpu/kernels/kernels.h"
#include "device/cpu/simd/simd.h"

namespace braid::BRAID_ISA {
namespace {

// Inputs ------------------------------------------------------------------------------------------

// Quantises row y of a tile of n rows. Columns beyond the last count as zero.
void quantise(const float* x, int64_t cols, uint8_t* tile, int n, int y) {
  constexpr int kGroup = kScaleSubs * kSubCols;
  for (int64_t from = 0; from < cols; from += kGroup) {
    float part[kGroup];
    const int64_t left = cols - from < kGroup ? cols - from : kGroup;
    for (int i = 0; i < kGroup; i += 16) __builtin_prefetch(x + from + kInputsAhead + i);
    V top = set1(0.0f);
    for (int i = 0; i < kGroup; i += kLanes) {
      const V v = left - i > 0 ? load_upto(x + from + i, left - i) : set1(0.0f);
      store(part + i, v);
      top = max(top, max(v, sub(set1(0.0f), v)));
    }
    const float most = largest(top);
    const float scale = most / 127.0f;
    // A group of tiny numbers has no inverse in f32: they count as zeros.
    const float inverse = most > 1e-35f ? 127.0f / most : 0.0f;
    for (int i = 0; i < kGroup; i += kLanes)
      store(part + i, round(mul(load(part + i), set1(inverse))));
    for (int64_t s = 0; s * kSubCols < left; ++s, tile += n * kTileBytes) {
      int8_t* q = reinterpret_cast<int8_t*>(tile) + 32 * y;
      int32_t half[2] = {0, 0};
      for (int h = 0; h < 2; ++h)
        for (int i = 16 * h; i < 16 * h + 16; ++i) {
          const int32_t integer = static_cast<int32_t>(part[s * kSubCols + i]);
          q[i] = static_cast<int8_t>(integer);
          half[h] += integer;
        }
      const TileView v = tile_view(tile, n);
      const int32_t sum = half[0] + half[1];
      const_cast<int32_t*>(v.less)[y] = -128 * sum;
      const_cast<float*>(v.scale)[y] = scale;
      const_cast<float*>(v.sum)[y] = scale * static_cast<float>(sum);
      for (int h = 0; h < 2; ++h) {
        const_cast<int32_t*>(v.less16)[h * n + y] = -128 * half[h];
        const_cast<float*>(v.sum16)[h * n + y] = scale * static_cast<float>(half[h]);
      }
    }
  }
}

// Row y of a tile of n rows from row y0 of one of n0 rows.
void copy_quantised(const uint8_t* from, int n0, int y0, int64_t subs, uint8_t* to, int n, int y) {
  for (int64_t s = 0; s < subs; ++s, from += n0 * kTileBytes, to += n * kTileBytes)
    copy_sub_block(tile_view(from, n0), n0, y0, tile_view(to, n), n, y);
}

// Strips of floats --------------------------------------------------------------------------------

template <PackedType T>
[[gnu::always_inline]] inline V weights(const uint8_t* column, int lane) {
  if constexpr (T == PackedType::kF32) return load(reinterpret_cast<const float*>(column) + lane);
  if constexpr (T == PackedType::kF16)
    return load_f16(reinterpret_cast<const uint16_t*>(column) + lane);
  return load_bf16(reinterpret_cast<const uint16_t*>(column) + lane);
}

// Sums of 64 columns are added up: chains of thousands would lose digits.
constexpr int kChain = 64;

template <PackedType T, int N>
void product_f32(const uint8_t* strip, int64_t cols, const void* tile, float* out, int64_t stride,
                 const Course& course) {
  constexpr int kSize = T == PackedType::kF32 ? 4 : 2, kParts = kStripRows / kLanes;
  // As many rows at once as registers hold two sums of.
  constexpr int kFit = kRegisters * 3 / 4 / (2 * kParts), kRows = N < kFit   ? N
                                                                  : kFit < 1 ? 1
                                                                             : kFit;
  for (int first = 0; first < N; first += kRows) {
    const int rows = N - first < kRows ? N - first : kRows;
    const float* x = static_cast<const float*>(tile) + first;
    const uint8_t* w = strip;
    V total[kRows][kParts];
    for (auto& row : total)
      for (V& t : row) t = set1(0.0f);
    for (int64_t at = 0; at < cols; at += kChain) {
      V acc[kRows][kParts];
      for (auto& row : acc)
        for (V& a : row) a = set1(0.0f);
      const int n = cols - at < kChain ? static_cast<int>(cols - at) : kChain;
      for (int k = 0; k < n; ++k, w += kSize * kStripRows, x += N) {
        __builtin_prefetch(course.place(w + kWeightsAhead));
        for (int p = 0; p < kParts; ++p) {
          const V v = weights<T>(w, p * kLanes);
          for (int y = 0; y < kRows; ++y)
            acc[y][p] = fma(v, set1(y < rows ? x[y] : 0.0f), acc[y][p]);
        }
      }
      for (int y = 0; y < kRows; ++y)
        for (int p = 0; p < kParts; ++p) total[y][p] = add(total[y][p], acc[y][p]);
    }
    for (int y = 0; y < rows; ++y)
      for (int p = 0; p < kParts; ++p) store(out + (first + y) * stride + p * kLanes, total[y][p]);
  }
}

template <PackedType T, int N>
void fill_size(Kernels& k) {
  k.strip[static_cast<int>(T)][N] = product_f32<T, N>;
  if constexpr (N < kTileRows) fill_size<T, N + 1>(k);
}

}  // namespace

void fill_packed(Kernels& k) {
  k.quantise = quantise;
  k.copy_quantised = copy_quantised;
  fill_size<PackedType::kF32, 1>(k);
  fill_size<PackedType::kF16, 1>(k);
  fill_size<PackedType::kBF16, 1>(k);
}

}  // namespace braid::BRAID_ISA
