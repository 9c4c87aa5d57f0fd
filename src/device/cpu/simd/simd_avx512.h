// The vector vocabulary on AVX-512 (F, BW, DQ, VL). Same names as in the other simd_*.h.
#pragma once

#include <immintrin.h>
#include <stdint.h>

namespace braid::BRAID_ISA {
namespace {

constexpr int kLanes = 16;
constexpr int kRegisters = 32;
constexpr int kTileW = 4, kTileX = 4;  // 16 accumulators and 8 operands of 32 registers
constexpr int kScoreQueries = 4;       // times 4 keys
constexpr int kWordQueries = 8;        // times 2 vectors
constexpr int kWeighQueries = 4, kWeighColumns = 4;

struct V {
  __m512 v;
};

[[gnu::always_inline]] inline V load(const float* p) { return {_mm512_loadu_ps(p)}; }
[[gnu::always_inline]] inline void store(float* p, V a) { _mm512_storeu_ps(p, a.v); }
// The last, partial vector of a row: missing lanes are zero and are not stored.
[[gnu::always_inline]] inline V load_part(const float* p, int64_t n) {
  return {_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p)};
}
[[gnu::always_inline]] inline void store_part(float* p, V a, int64_t n) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), a.v);
}
[[gnu::always_inline]] inline V set1(float x) { return {_mm512_set1_ps(x)}; }
[[gnu::always_inline]] inline V add(V a, V b) { return {_mm512_add_ps(a.v, b.v)}; }
[[gnu::always_inline]] inline V sub(V a, V b) { return {_mm512_sub_ps(a.v, b.v)}; }
[[gnu::always_inline]] inline V mul(V a, V b) { return {_mm512_mul_ps(a.v, b.v)}; }
[[gnu::always_inline]] inline V div(V a, V b) { return {_mm512_div_ps(a.v, b.v)}; }
[[gnu::always_inline]] inline V min(V a, V b) { return {_mm512_min_ps(a.v, b.v)}; }
[[gnu::always_inline]] inline V max(V a, V b) { return {_mm512_max_ps(a.v, b.v)}; }
[[gnu::always_inline]] inline V fma(V a, V b, V c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
[[gnu::always_inline]] inline V round(V a) { return {_mm512_roundscale_ps(a.v, 0)}; }
// a * 2^n for integral n of normal results.
[[gnu::always_inline]] inline V scale(V a, V n) { return {_mm512_scalef_ps(a.v, n.v)}; }
[[gnu::always_inline]] inline float sum(V a) { return _mm512_reduce_add_ps(a.v); }
// out[r] = the sum of a[r], each by the same tree.
[[gnu::always_inline]] inline void sum4(const V* a, float* out) {
  __m256 half[4];
  for (int r = 0; r < 4; ++r)
    half[r] = _mm256_add_ps(_mm512_castps512_ps256(a[r].v), _mm512_extractf32x8_ps(a[r].v, 1));
  const __m256 x = _mm256_hadd_ps(_mm256_hadd_ps(half[0], half[1]),  //
                                  _mm256_hadd_ps(half[2], half[3]));
  _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1)));
}
[[gnu::always_inline]] inline float largest(V a) { return _mm512_reduce_max_ps(a.v); }
[[gnu::always_inline]] inline V load_f16(const uint16_t* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
[[gnu::always_inline]] inline V load_bf16(const uint16_t* p) {
  const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16))};
}
[[gnu::always_inline]] inline void store_f16(uint16_t* p, V a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(a.v, 0));
}
[[gnu::always_inline]] inline void store_bf16(uint16_t* p, V a) {  // to nearest, ties to even
  const __m512i bits = _mm512_castps_si512(a.v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  const __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(1 << 22));
  const __mmask16 nan = _mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q);
  const __m512i kept = _mm512_mask_blend_epi32(nan, rounded, quiet);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_cvtepi32_epi16(_mm512_srli_epi32(kept, 16)));
}
[[gnu::always_inline]] inline V load_i8(const int8_t* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes))};
}
[[gnu::always_inline]] inline void store_i8(int8_t* p, V a) {  // to nearest, within +-127
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(a.v)));
}
[[gnu::always_inline]] inline float f16_value(uint16_t bits) { return _cvtsh_ss(bits); }
[[gnu::always_inline]] inline uint16_t f16_bits(float x) {
  return static_cast<uint16_t>(_cvtss_sh(x, 0));
}

// Lane i is the sum of a[i]: its halves are added, then the quarters, and so on, two vectors at a
// time.
[[gnu::always_inline]] inline V sums(const V (&a)[kLanes]) {
  __m512 b[8], c[4];
  for (int i = 0; i < 8; ++i) {
    const __m512 x = a[i + i / 4 * 4].v, y = a[i + i / 4 * 4 + 4].v;
    b[i] = _mm512_add_ps(_mm512_shuffle_f32x4(x, y, 0x44), _mm512_shuffle_f32x4(x, y, 0xee));
  }
  for (int i = 0; i < 4; ++i)
    c[i] = _mm512_add_ps(_mm512_shuffle_f32x4(b[i], b[i + 4], 0x88),
                         _mm512_shuffle_f32x4(b[i], b[i + 4], 0xdd));
  // Each quarter of c[i] holds what is left of a[i], a[i + 4], a[i + 8] or a[i + 12].
  const __m512 d0 = _mm512_add_ps(_mm512_unpacklo_ps(c[0], c[1]), _mm512_unpackhi_ps(c[0], c[1]));
  const __m512 d1 = _mm512_add_ps(_mm512_unpacklo_ps(c[2], c[3]), _mm512_unpackhi_ps(c[2], c[3]));
  return {_mm512_add_ps(_mm512_shuffle_ps(d0, d1, 0x44), _mm512_shuffle_ps(d0, d1, 0xee))};
}

// Integers: kLanes sums of 32 bits, and twice as many words of 16.
struct I {
  __m512i v;
};
struct W {
  __m512i v;
};
[[gnu::always_inline]] inline V abs(V a) { return {_mm512_abs_ps(a.v)}; }
[[gnu::always_inline]] inline I zeros() { return {_mm512_setzero_si512()}; }
[[gnu::always_inline]] inline V to_floats(I a) { return {_mm512_cvtepi32_ps(a.v)}; }
[[gnu::always_inline]] inline W load_words(const int16_t* p) { return {_mm512_loadu_si512(p)}; }
[[gnu::always_inline]] inline W same_pair(const int16_t* p) {  // in every lane
  int32_t pair;
  __builtin_memcpy(&pair, p, sizeof pair);
  return {_mm512_set1_epi32(pair)};
}
// Each lane's two products of words are added to its sum.
[[gnu::always_inline]] inline I dot(I sum, W a, W b) {
#ifdef __AVX512VNNI__
  // As the intrinsic, but in place: g++ 12 copies every accumulator of a loop twice.
  asm("vpdpwssd %2, %1, %0" : "+v"(sum.v) : "v"(a.v), "v"(b.v));
  return sum;
#else
  return {_mm512_add_epi32(sum.v, _mm512_madd_epi16(a.v, b.v))};
#endif
}
// Rounded to words: a and then b, which saturate.
[[gnu::always_inline]] inline void store_words(int16_t* p, V a, V b) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(a.v)));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + kLanes),
                      _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(b.v)));
}
// Words of a * x and b * y, lane by lane one of each; both must be in their range. Adding 1.5 *
// 2^23 leaves the integer in the low bits of the sum.
[[gnu::always_inline]] inline W pairs(V a, V x, V b, V y) {
  const __m512 magic = _mm512_set1_ps(12582912.0f);
  const __m512i low = _mm512_castps_si512(_mm512_fmadd_ps(a.v, x.v, magic));
  const __m512i high = _mm512_castps_si512(_mm512_fmadd_ps(b.v, y.v, magic));
  return {_mm512_mask_blend_epi16(0xaaaaaaaa, low, _mm512_slli_epi32(high, 16))};
}
[[gnu::always_inline]] inline void store_words(int16_t* p, W a) { _mm512_storeu_si512(p, a.v); }
// Of each word's two bytes the first or the second, times 256.
[[gnu::always_inline]] inline W load_bytes(const int8_t* p) { return {_mm512_loadu_si512(p)}; }
[[gnu::always_inline]] inline W first_bytes(W a) { return {_mm512_slli_epi16(a.v, 8)}; }
[[gnu::always_inline]] inline W second_bytes(W a) {
  return {_mm512_and_si512(a.v, _mm512_set1_epi16(static_cast<int16_t>(0xff00)))};
}
// Products times 2^-15, rounded.
[[gnu::always_inline]] inline W mul_high(W a, W b) { return {_mm512_mulhrs_epi16(a.v, b.v)}; }
// Lane by lane the larger of two words without their top bits, and the largest of all lanes.
[[gnu::always_inline]] inline W larger(W a, W b) {
  return {_mm512_max_epi16(a.v, _mm512_and_si512(b.v, _mm512_set1_epi16(0x7fff)))};
}
[[gnu::always_inline]] inline uint16_t largest(W a) {
  const __m256i half =
      _mm256_max_epi16(_mm512_castsi512_si256(a.v), _mm512_extracti64x4_epi64(a.v, 1));
  const __m128i quarter =
      _mm_max_epi16(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
  const __m128i least = _mm_minpos_epu16(_mm_xor_si128(quarter, _mm_set1_epi16(-1)));
  return static_cast<uint16_t>(~_mm_extract_epi16(least, 0));
}

}  // namespace
}  // namespace braid::BRAID_ISA
