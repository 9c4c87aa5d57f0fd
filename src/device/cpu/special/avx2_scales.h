// Scales and minima of packed strips for AVX2 and AVX-VNNI: those of a record at once, as floats
// or, where a record has one float and integers, as words that vpmaddwd multiplies with.
#pragma once

#include "device/cpu/special/avx2_codes.h"

#include <immintrin.h>

namespace braid::BRAID_ISA {
namespace {

[[gnu::always_inline]] inline __m256 halves(const uint8_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
[[gnu::always_inline]] inline __m256i bytes(const uint8_t* p) {
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
// The bits of `mask` of each integer from bit `at` on.
[[gnu::always_inline]] inline __m256i field(__m256i x, int at, int mask) {
  return _mm256_and_si256(_mm256_srl_epi32(x, _mm_cvtsi32_si128(at)), _mm256_set1_epi32(mask));
}
[[gnu::always_inline]] inline __m256i six(__m256i low, __m256i high) {
  return _mm256_or_si256(low, _mm256_slli_epi32(high, 4));
}

// 2^(e - 128), subnormal for e < 2.
[[gnu::always_inline]] inline __m256 half_of_e8m0(__m256i e) {
  const __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(1)), 23);
  const __m256i small = _mm256_sllv_epi32(_mm256_set1_epi32(0x200000), e);
  const __m256i below = _mm256_cmpgt_epi32(_mm256_set1_epi32(2), e);
  return _mm256_castsi256_ps(_mm256_blendv_epi8(normal, small, below));
}

// Floats of 7 bits: those of an f16 but for three bits of exponent and seven of mantissa; halved,
// since the table of E2M1 is doubled.
[[gnu::always_inline]] inline __m256 half_of_e4m3(const uint8_t* p) {
  const __m128i e = _mm_cvtepu8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  return _mm256_mul_ps(_mm256_cvtph_ps(_mm_slli_epi16(e, 7)), _mm256_set1_ps(128.0f));
}

// What the scales of a record in half h of the strip are made of: scale(i) and minimum(i) of its
// i-th stretch of 32 or 16 columns.
template <PackedType T>
struct ScaleCodes {
  static constexpr Scales kind = kInfo<T>.scales;
  const uint8_t *large, *small;  // this half's first of f16 and of bytes
  __m256 d, dmin;

  [[gnu::always_inline]] ScaleCodes(const uint8_t* p, int h) : large(p + 16 * h), small(p + 8 * h) {
    if constexpr (kind != Scales::kHalf32 && kind != Scales::kHalfMin32 && kind != Scales::kE8M0 &&
                  kind != Scales::kE4M3)
      d = halves(large);
    if constexpr (kInfo<T>.unit() != 1) d = _mm256_mul_ps(d, _mm256_set1_ps(kInfo<T>.unit()));
    if constexpr (kind == Scales::kSixMin32 || kind == Scales::kNibbleMin16)
      dmin = halves(large + 32);
  }
  [[gnu::always_inline]] __m256 scale(int i) const {
    if constexpr (kind == Scales::kHalf32 || kind == Scales::kHalfMin32)
      return halves(large + 32 * i);
    if constexpr (kind == Scales::kE8M0) return half_of_e8m0(bytes(small + 16 * i));
    if constexpr (kind == Scales::kE4M3) return half_of_e4m3(small + 16 * i);
    return _mm256_mul_ps(d, _mm256_cvtepi32_ps(integer(i)));
  }
  // Twice 16 bits of each integer.
  [[gnu::always_inline]] __m256i words(int i) const {
    const __m256i twice = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 1, 0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13));
    return _mm256_shuffle_epi8(integer(i), twice);
  }
  // Added for each input unit.
  [[gnu::always_inline]] __m256 minimum(int i) const {
    if constexpr (kind == Scales::kHalfMin32) return halves(large + 256 + 32 * i);
    if constexpr (kind == Scales::kOddShift32) {
      const __m256i sign =
          _mm256_slli_epi32(field(bytes(small + 32 + i / 2 * 16), i % 2 * 4 + 3, 1), 31);
      return _mm256_xor_ps(_mm256_mul_ps(scale(i), _mm256_set1_ps(0.125f)),
                           _mm256_castsi256_ps(sign));
    }
    __m256i m;
    if constexpr (kind == Scales::kSixMin32)
      m = six(_mm256_srli_epi32(bytes(small + 64 + 16 * i), 4),
              field(bytes(small + 192 + i / 2 * 16), i % 2 * 4 + 2, 3));
    if constexpr (kind == Scales::kNibbleMin16)
      m = _mm256_srli_epi32(bytes(small + 64 + 16 * i), 4);
    return _mm256_mul_ps(dmin, _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_setzero_si256(), m)));
  }

 private:
  [[gnu::always_inline]] __m256i integer(int i) const {
    if constexpr (kind == Scales::kSix32 || kind == Scales::kSix16) {
      const uint8_t* high = small + 32 + (kind == Scales::kSix32 ? 64 : 128);
      const __m256i s = six(field(bytes(small + 32 + i / 2 * 16), i % 2 * 4, 15),
                            field(bytes(high + i / 4 * 16), i % 4 * 2, 3));
      return _mm256_sub_epi32(s, _mm256_set1_epi32(32));
    }
    if constexpr (kind == Scales::kSixMin32)
      return six(field(bytes(small + 64 + 16 * i), 0, 15),
                 field(bytes(small + 192 + i / 2 * 16), i % 2 * 4, 3));
    if constexpr (kind == Scales::kNibbleMin16) return field(bytes(small + 64 + 16 * i), 0, 15);
    if constexpr (kind == Scales::kOdd32 || kind == Scales::kOdd16 || kind == Scales::kOddShift32) {
      const __m256i n =
          field(bytes(small + 32 + i / 2 * 16), i % 2 * 4, kind == Scales::kOddShift32 ? 7 : 15);
      return _mm256_add_epi32(_mm256_add_epi32(n, n), _mm256_set1_epi32(1));
    }
    return _mm256_cvtepi8_epi32(
        _mm_loadl_epi64(reinterpret_cast<const __m128i*>(small + 32 + 16 * i)));
  }
};

// The scales of a record, made at once: for one sub-block after the other the shifts would cost
// more than the arithmetic. Floats, or with integers these and a float for the record.
template <PackedType T>
struct RecordScales {
  static constexpr int kCount = kRecordCols / kInfo<T>.scale_cols;
  __m256 record[2];
  __m256 scale[kIntegers<T> ? 1 : kCount][2];
  __m256i integer[kIntegers<T> ? kCount : 1][2];
  __m256 minimum[kInfo<T>.has_minimum() ? kCount : 1][2];

  [[gnu::always_inline]] void read(const uint8_t* p) {
    const ScaleCodes<T> halves[2] = {{p, 0}, {p, 1}};
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      if constexpr (kIntegers<T>) record[h] = halves[h].d;
#pragma GCC unroll 16
      for (int i = 0; i < kCount; ++i) {
        if constexpr (kIntegers<T>)
          integer[i][h] = halves[h].words(i);
        else
          scale[i][h] = halves[h].scale(i);
        if constexpr (kInfo<T>.has_minimum()) minimum[i][h] = halves[h].minimum(i);
      }
    }
  }
};

}  // namespace
}  // namespace braid::BRAID_ISA
