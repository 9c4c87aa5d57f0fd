// Products of packed strips in plain C++: what a machine without a special form runs, and the twin
// that those are tested against.
#include "device/cpu/kernels/packed.h"

#include "device/cpu/kernels/kernels.h"
#include "device/cpu/simd/simd.h"

#include <string.h>

namespace braid::BRAID_ISA {
namespace {

float f32_of_half(const uint8_t* p) {
  uint16_t bits;
  memcpy(&bits, p, 2);
  return f16_value(bits);
}

// The integer that column 4g + b of a sub-block holds for row r, offset and table applied.
template <PackedType T>
[[gnu::always_inline]] inline int value(const uint8_t* sub, int g, int byte) {
  constexpr PackedInfo info = kPackedInfo[static_cast<int>(T)];
  constexpr int bits = info.bits;
  int code = 0;
  if constexpr (bits == 8) return sub[64 * g + byte] - info.offset;
  if constexpr (bits == 2) {
    code = sub[64 * (g / 4) + byte] >> (2 * (g % 4)) & 3;
  } else if constexpr (bits == 3) {
    if (g < 6) code = sub[64 * (g / 2) + byte] >> (4 * (g % 2)) & 7;
    for (int j = 0; g >= 6 && j < 3; ++j) code |= (sub[64 * j + byte] >> (4 * g - 21) & 1) << j;
  } else {
    code = sub[64 * (g % 4) + byte] >> (4 * (g / 4)) & 15;
    if constexpr (bits == 5) code |= (sub[256 + byte] >> g & 1) << 4;
    if constexpr (bits == 6) code |= (sub[256 + 64 * (g / 4) + byte] >> (2 * (g % 4)) & 3) << 4;
  }
  if constexpr (info.codes == Codes::kPlain) return code - info.offset;
  return kCodeTable[static_cast<int>(info.codes)][code];
}

// Scale and minimum (added) of stretch i of a record for row r.
template <PackedType T>
void scale_of(const uint8_t* p, int i, int r, float* scale, float* minimum) {
  constexpr Scales kind = kPackedInfo[static_cast<int>(T)].scales;
  const auto nibble = [&](int at) { return p[at + i / 2 * 16 + r] >> (i % 2 * 4) & 15; };
  const auto pair = [&](int at) { return p[at + i / 4 * 16 + r] >> (i % 4 * 2) & 3; };
  const float d = f32_of_half(p + 2 * r) * kPackedInfo[static_cast<int>(T)].unit();
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
  if constexpr (kind == Scales::kOdd32 || kind == Scales::kOdd16)
    *scale = d * static_cast<float>(2 * nibble(32) + 1);
  if constexpr (kind == Scales::kOddShift32) {
    *scale = d * static_cast<float>(2 * (nibble(32) & 7) + 1);
    *minimum = *scale * (nibble(32) & 8 ? -0.125f : 0.125f);
  }
  if constexpr (kind == Scales::kE4M3) {
    // The bits of an f16 but for the bias of the exponent; halved, as kE8M0.
    const uint16_t bits = static_cast<uint16_t>(p[16 * i + r] << 7);
    *scale = f16_value(bits) * 128.0f;
  }
  if constexpr (kind == Scales::kByte16)
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
void product(const uint8_t* strip, int64_t groups, const void* tile, float* out, int64_t stride,
             const Course& /*course*/) {
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

template <PackedType T, int N>
void fill_size(Kernels& k) {
  k.strip[static_cast<int>(T)][N] = product<T, N>;
  if constexpr (N < kTileRows) fill_size<T, N + 1>(k);
}

}  // namespace

void fill_packed_plain(Kernels& k) {
#define BRAID_FILL(name, ...) fill_size<PackedType::name, 1>(k);
  BRAID_PACKED_TYPES(BRAID_FILL)
#undef BRAID_FILL
}

}  // namespace braid::BRAID_ISA
