// Packed strips and their inputs over the vector vocabulary and plain C++: what every instruction
// set has, and the twin that the special ones are tested against.
#include "device/cpu/kernels/packed.h"

#include "device/cpu/kernels/kernels.h"
#include "device/cpu/simd/simd.h"

#include <string.h>

namespace braid::BRAID_ISA {
namespace {

// Inputs ------------------------------------------------------------------------------------------

// Quantises row y of a tile of n rows. Columns beyond the last count as zero.
void quantise(const float* x, int64_t cols, uint8_t* tile, int n, int y) {
  for (int64_t at = 0; at < cols; at += kSubCols, tile += n * kTileBytes) {
    float part[kSubCols];
    const int64_t left = cols - at < kSubCols ? cols - at : kSubCols;
    V top = set1(0.0f);
    for (int i = 0; i < kSubCols; i += kLanes) {
      const V v = left - i > 0 ? load_upto(x + at + i, left - i) : set1(0.0f);
      store(part + i, v);
      top = max(top, max(v, sub(set1(0.0f), v)));
    }
    const float most = largest(top);
    const float scale = most / 127.0f;
    // A sub-block of tiny numbers has no inverse in f32: they count as zeros.
    const float inverse = most > 1e-35f ? 127.0f / most : 0.0f;
    for (int i = 0; i < kSubCols; i += kLanes)
      store(part + i, round(mul(load(part + i), set1(inverse))));
    int8_t* q = reinterpret_cast<int8_t*>(tile) + 32 * y;
    int32_t half[2] = {0, 0};
    for (int h = 0; h < 2; ++h)
      for (int i = 16 * h; i < 16 * h + 16; ++i) {
        const int32_t integer = static_cast<int32_t>(part[i]);
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

// Row y of a tile of n rows from row y0 of one of n0 rows.
void copy_quantised(const uint8_t* from, int n0, int y0, int64_t subs, uint8_t* to, int n, int y) {
  for (int64_t s = 0; s < subs; ++s, from += n0 * kTileBytes, to += n * kTileBytes) {
    const TileView a = tile_view(from, n0), b = tile_view(to, n);
    memcpy(const_cast<int8_t*>(b.q) + 32 * y, a.q + 32 * y0, 32);
    const_cast<int32_t*>(b.less)[y] = a.less[y0];
    const_cast<float*>(b.scale)[y] = a.scale[y0];
    const_cast<float*>(b.sum)[y] = a.sum[y0];
    for (int h = 0; h < 2; ++h) {
      const_cast<int32_t*>(b.less16)[h * n + y] = a.less16[h * n0 + y0];
      const_cast<float*>(b.sum16)[h * n + y] = a.sum16[h * n0 + y0];
    }
  }
}

// Quantised strips --------------------------------------------------------------------------------

float f32_of_half(const uint8_t* p) {
  uint16_t h;
  memcpy(&h, p, 2);
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000) << 16, exponent = h >> 10 & 31;
  const uint32_t fraction = h & 1023;
  if (exponent == 0) {
    const float small = static_cast<float>(fraction) * 0x1p-24f;
    return sign ? -small : small;
  }
  const uint32_t bits =
      sign | (exponent == 31 ? 255u << 23 : (exponent + 112) << 23) | fraction << 13;
  float f;
  memcpy(&f, &bits, 4);
  return f;
}

constexpr int8_t kIq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                             1,    13,   25,  38,  53,  69,  89,  113};
constexpr int8_t kE2M1[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// The integer that column 4g + b of a sub-block holds for row r, offset and table applied.
template <PackedType T>
[[gnu::always_inline]] inline int value(const uint8_t* sub, int g, int byte) {
  constexpr PackedInfo info = kPackedInfo[static_cast<int>(T)];
  constexpr int bits = info.bits;
  int code = 0;
  if constexpr (bits == 8) return sub[64 * g + byte] - info.offset;
  if constexpr (bits < 4) {
    code = sub[64 * (g / 4) + byte] >> (2 * (g % 4)) & 3;
    if constexpr (bits == 3) code |= (sub[128 + byte] >> g & 1) << 2;
  } else {
    code = sub[64 * (g % 4) + byte] >> (4 * (g / 4)) & 15;
    if constexpr (bits == 5) code |= (sub[256 + byte] >> g & 1) << 4;
    if constexpr (bits == 6) code |= (sub[256 + 64 * (g / 4) + byte] >> (2 * (g % 4)) & 3) << 4;
  }
  if constexpr (info.codes == Codes::kIq4) return kIq4[code];
  if constexpr (info.codes == Codes::kE2M1) return kE2M1[code];
  return code - info.offset;
}

// Scale and minimum (added) of stretch i of a record for row r.
template <PackedType T>
void scale_of(const uint8_t* p, int i, int r, float* scale, float* minimum) {
  constexpr Scales kind = kPackedInfo[static_cast<int>(T)].scales;
  const auto nibble = [&](int at) { return p[at + i / 2 * 16 + r] >> (i % 2 * 4) & 15; };
  const auto pair = [&](int at) { return p[at + i / 4 * 16 + r] >> (i % 4 * 2) & 3; };
  const float d = f32_of_half(p + 2 * r);
  *minimum = 0;
  if constexpr (kind == Scales::kHalf32 || kind == Scales::kHalfMin32)
    *scale = f32_of_half(p + 32 * i + 2 * r);
  if constexpr (kind == Scales::kHalfMin32) *minimum = f32_of_half(p + 256 + 32 * i + 2 * r);
  if constexpr (kind == Scales::kE8M0) {
    const uint32_t e = p[16 * i + r], bits = e < 2 ? 0x200000u << e : (e - 1) << 23;
    memcpy(scale, &bits, 4);
  }
  if constexpr (kind == Scales::kSix32)
    *scale = d * static_cast<float>((nibble(32) | pair(96) << 4) - 32);
  if constexpr (kind == Scales::kSix16)
    *scale = d * static_cast<float>((nibble(32) | pair(160) << 4) - 32);
  if constexpr (kind == Scales::kByte32 || kind == Scales::kByte16)
    *scale = d * static_cast<float>(static_cast<int8_t>(p[32 + 16 * i + r]));
  if constexpr (kind == Scales::kSixMin32) {
    const int low = p[64 + 16 * i + r], high = p[192 + i / 2 * 16 + r] >> (i % 2 * 4);
    *scale = d * static_cast<float>((low & 15) | (high & 3) << 4);
    *minimum = -f32_of_half(p + 32 + 2 * r) * static_cast<float>(low >> 4 | (high >> 2 & 3) << 4);
  }
  if constexpr (kind == Scales::kNibbleMin16) {
    const int s = p[64 + 16 * i + r];
    *scale = d * static_cast<float>(s & 15);
    *minimum = -f32_of_half(p + 32 + 2 * r) * static_cast<float>(s >> 4);
  }
}

// Groups [begin, end) of a sub-block, which share scale i.
template <PackedType T>
void stretch(const uint8_t* sub, const uint8_t* scales, int i, int begin, int end,
             const TileView& x, const float* sum, int n, float* acc) {
  int8_t w[32][kStripRows];
  float scale[kStripRows], minimum[kStripRows];
  for (int r = 0; r < kStripRows; ++r) {
    scale_of<T>(scales, i, r, scale + r, minimum + r);
    for (int g = begin; g < end; ++g)
      for (int b = 0; b < 4; ++b)
        w[4 * g + b][r] = static_cast<int8_t>(value<T>(sub, g, 4 * r + b));
  }
  for (int y = 0; y < n; ++y) {
    int32_t t[kStripRows] = {};
    float f[kStripRows];
    const int8_t* q = x.q + 32 * y;
    for (int k = 4 * begin; k < 4 * end; ++k)
      for (int r = 0; r < kStripRows; ++r) t[r] += w[k][r] * q[k];
    for (int r = 0; r < kStripRows; ++r) f[r] = static_cast<float>(t[r]);
    for (int r = 0; r < kStripRows; r += kLanes) {
      float* a = acc + y * kStripRows + r;
      const V product = fma(load(f + r), mul(load(scale + r), set1(x.scale[y])), load(a));
      store(a, fma(load(minimum + r), set1(sum[y]), product));
    }
  }
}

template <PackedType T, int N>
void product(const uint8_t* strip, int64_t groups, const void* tile, float* out, int64_t stride) {
  constexpr PackedInfo info = kPackedInfo[static_cast<int>(T)];
  const auto* x = static_cast<const uint8_t*>(tile);
  float acc[kTileRows * kStripRows] = {};
  for (; groups > 0; groups -= 8, strip += info.record_bytes())
    for (int s = 0; s < 8 && s < groups; ++s, x += N * kTileBytes) {
      const uint8_t* sub = strip + s * 64 * info.bits;
      const uint8_t* scales = strip + info.code_bytes();
      const TileView view = tile_view(x, N);
      if constexpr (info.scale_cols == 32) {
        stretch<T>(sub, scales, s, 0, 8, view, view.sum, N, acc);
      } else {
        stretch<T>(sub, scales, 2 * s, 0, 4, view, view.sum16, N, acc);
        stretch<T>(sub, scales, 2 * s + 1, 4, 8, view, view.sum16 + N, N, acc);
      }
    }
  for (int y = 0; y < N; ++y) memcpy(out + y * stride, acc + y * kStripRows, 4 * kStripRows);
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
void product_f32(const uint8_t* strip, int64_t cols, const void* tile, float* out, int64_t stride) {
  constexpr int kSize = T == PackedType::kF32 ? 4 : 2, kParts = kStripRows / kLanes;
  // As many rows at once as registers hold two sums of.
  constexpr int kRows = kParts * N * 2 <= 24 ? N : 24 / (2 * kParts) < 1 ? 1 : 24 / (2 * kParts);
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
        __builtin_prefetch(w + 4096);
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
  if constexpr (static_cast<int>(T) < kQuantisedTypes)
    k.strip[static_cast<int>(T)][N] = product<T, N>;
  else
    k.strip[static_cast<int>(T)][N] = product_f32<T, N>;
  if constexpr (N < kTileRows) fill_size<T, N + 1>(k);
}

}  // namespace

void fill_packed(Kernels& k) {
  k.quantise = quantise;
  k.copy_quantised = copy_quantised;
#define BRAID_FILL(name, ...) fill_size<PackedType::name, 1>(k);
  BRAID_PACKED_TYPES(BRAID_FILL)
#undef BRAID_FILL
  fill_size<PackedType::kF32, 1>(k);
  fill_size<PackedType::kF16, 1>(k);
  fill_size<PackedType::kBF16, 1>(k);
}

}  // namespace braid::BRAID_ISA
