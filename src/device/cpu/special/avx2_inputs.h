// Rows as AVX2 and AVX-VNNI multiply them: int8 in tiles (kernels/packed.h).
#pragma once

#include "device/cpu/special/avx2_codes.h"

#include <immintrin.h>

namespace braid::BRAID_ISA {
namespace {

[[gnu::always_inline]] inline float largest(__m256 a) {
  __m128 x = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  x = _mm_max_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
}
[[gnu::always_inline]] inline int32_t sum_of(__m256i a) {
  __m128i x = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  x = _mm_add_epi32(x, _mm_shuffle_epi32(x, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(x, _mm_shuffle_epi32(x, 0xb1)));
}
// Of 8 columns each: the first two and the two four further on, then the others.
[[gnu::always_inline, maybe_unused]] inline __m128i sums_of_four(__m256i a, __m256i b) {
  const auto halves = [](__m256i x) {
    return _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  };
  return _mm_hadd_epi32(halves(a), halves(b));
}
// A mask of the first n of 8 lanes.
[[gnu::always_inline]] inline __m256i first_lanes(int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int32_t>(n)),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

// As in kernels/packed.cc but for the scale of avx2, which leaves room for two inputs and for four
// in 16 bits.
void quantise(const float* x, int64_t cols, uint8_t* tile, int n, int y) {
  constexpr int kCols = kSharing * kSubCols, kVectors = kCols / 8;
  // Rounding adds half a unit to each.
  constexpr float kMost = 127.0f, kMostOfTwo = kTwoInputs - 1, kMostOfFour = kFourInputs - 2;
  const __m256 sign = _mm256_set1_ps(-0.0f);
  for (int64_t from = 0; from < cols; from += kCols) {
    const int64_t left = cols - from;
    for (int i = 0; i < kCols; i += 16) __builtin_prefetch(x + from + kInputsAhead + i);
    __m256 v[kVectors], top = _mm256_setzero_ps(), two = top, four = top;
#pragma GCC unroll 16
    for (int i = 0; i < kVectors; ++i) {
      v[i] = left >= 8 * i + 8 ? _mm256_loadu_ps(x + from + 8 * i)
             : left > 8 * i    ? _mm256_maskload_ps(x + from + 8 * i, first_lanes(left - 8 * i))
                               : _mm256_setzero_ps();
      const __m256 size = _mm256_andnot_ps(sign, v[i]);
      top = _mm256_max_ps(top, size);
      const __m256 both = _mm256_add_ps(v[i], _mm256_permute_ps(v[i], 0xb1));
      two = _mm256_max_ps(two, _mm256_andnot_ps(sign, both));
      // Two columns beside each other and those four further on.
      const __m256 pairs = _mm256_add_ps(size, _mm256_permute_ps(size, 0xb1));
      four = _mm256_max_ps(four, _mm256_add_ps(pairs, _mm256_permute2f128_ps(pairs, pairs, 1)));
    }
    float most = largest(top);
    if constexpr (!kVnni) {
      static_assert(kMostOfTwo == kMost);
      const float sum = largest(four) * (kMost / kMostOfFour);
      most = largest(_mm256_max_ps(_mm256_set1_ps(sum), _mm256_max_ps(top, two)));
    }
    const float scale = most / kMost;
    // A group of tiny numbers has no inverse in f32: they count as zeros.
    const __m256 inverse = _mm256_set1_ps(most > 1e-35f ? kMost / most : 0.0f);
#pragma GCC unroll 4
    for (int s = 0; s < kSharing; ++s) {
      if (kSubCols * s >= left) break;
      __m256i q[4];
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) q[i] = _mm256_cvtps_epi32(_mm256_mul_ps(v[4 * s + i], inverse));
      // Packing leaves fours of bytes in the order 0 2 4 6 1 3 5 7.
      const __m256i bytes = _mm256_permutevar8x32_epi32(
          _mm256_packs_epi16(_mm256_packs_epi32(q[0], q[1]), _mm256_packs_epi32(q[2], q[3])),
          _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
      const TileView to = tile_view(tile, n);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(const_cast<int8_t*>(to.q) + 32 * y), bytes);
      int32_t sum = 0;
#pragma GCC unroll 2
      for (int h = 0; h < 2; ++h) {
        const int32_t half = sum_of(_mm256_add_epi32(q[2 * h], q[2 * h + 1]));
        const_cast<int32_t*>(to.less16)[h * n + y] = -128 * half;
        const_cast<float*>(to.sum16)[h * n + y] = scale * static_cast<float>(half);
        sum += half;
      }
      if constexpr (!kVnni) {
        const __m128i fours = _mm_packs_epi32(sums_of_four(q[0], q[1]), sums_of_four(q[2], q[3]));
        const __m128i less = _mm_sub_epi16(_mm_setzero_si128(), _mm_slli_epi16(fours, 7));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(const_cast<int16_t*>(to.less4) + 8 * y), less);
      }
      const_cast<int32_t*>(to.less)[y] = -128 * sum;
      const_cast<float*>(to.scale)[y] = scale;
      const_cast<float*>(to.sum)[y] = scale * static_cast<float>(sum);
      tile += n * kTileBytes;
    }
  }
}

// As in kernels/packed.cc, with less4 where it is there.
void copy_quantised(const uint8_t* from, int n0, int y0, int64_t subs, uint8_t* to, int n, int y) {
  for (int64_t s = 0; s < subs; ++s, from += n0 * kTileBytes, to += n * kTileBytes) {
    const TileView a = tile_view(from, n0), b = tile_view(to, n);
    copy_sub_block(a, n0, y0, b, n, y);
    if constexpr (!kVnni) memcpy(const_cast<int16_t*>(b.less4) + 8 * y, a.less4 + 8 * y0, 16);
  }
}

}  // namespace
}  // namespace braid::BRAID_ISA
