// The vector vocabulary on AVX2 with FMA and F16C. Same names as in the other simd_*.h.
#pragma once

#include <immintrin.h>
#include <stdint.h>

namespace braid::BRAID_ISA {
namespace {

constexpr int kLanes = 8;
constexpr int kRegisters = 16;
constexpr int kTileW = 4, kTileX = 2;  // 8 accumulators and 6 operands of 16 registers
constexpr int kScoreQueries = 2;       // times 4 keys
constexpr int kWordQueries = 4;        // times 2 vectors
constexpr int kWeighQueries = 4, kWeighColumns = 2;

struct V {
  __m256 v;
};

[[gnu::always_inline]] inline V load(const float* p) { return {_mm256_loadu_ps(p)}; }
[[gnu::always_inline]] inline void store(float* p, V a) { _mm256_storeu_ps(p, a.v); }
[[gnu::always_inline]] inline __m256i first_lanes(int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
// The last, partial vector of a row: missing lanes are zero and are not stored.
[[gnu::always_inline]] inline V load_part(const float* p, int64_t n) {
  return {_mm256_maskload_ps(p, first_lanes(n))};
}
[[gnu::always_inline]] inline void store_part(float* p, V a, int64_t n) {
  _mm256_maskstore_ps(p, first_lanes(n), a.v);
}
[[gnu::always_inline]] inline V set1(float x) { return {_mm256_set1_ps(x)}; }
[[gnu::always_inline]] inline V add(V a, V b) { return {_mm256_add_ps(a.v, b.v)}; }
[[gnu::always_inline]] inline V sub(V a, V b) { return {_mm256_sub_ps(a.v, b.v)}; }
[[gnu::always_inline]] inline V mul(V a, V b) { return {_mm256_mul_ps(a.v, b.v)}; }
[[gnu::always_inline]] inline V div(V a, V b) { return {_mm256_div_ps(a.v, b.v)}; }
[[gnu::always_inline]] inline V min(V a, V b) { return {_mm256_min_ps(a.v, b.v)}; }
[[gnu::always_inline]] inline V max(V a, V b) { return {_mm256_max_ps(a.v, b.v)}; }
[[gnu::always_inline]] inline V fma(V a, V b, V c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
[[gnu::always_inline]] inline V round(V a) { return {_mm256_round_ps(a.v, 8)}; }  // to nearest
// a * 2^n for integral n of normal results.
[[gnu::always_inline]] inline V scale(V a, V n) {
  const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n.v), _mm256_set1_epi32(127));
  return {_mm256_mul_ps(a.v, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)))};
}
[[gnu::always_inline]] inline float sum(V a) {
  __m128 x = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  x = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}
// out[r] = the sum of a[r], each by the same tree.
[[gnu::always_inline]] inline void sum4(const V* a, float* out) {
  const __m256 x = _mm256_hadd_ps(_mm256_hadd_ps(a[0].v, a[1].v), _mm256_hadd_ps(a[2].v, a[3].v));
  _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1)));
}
[[gnu::always_inline]] inline float largest(V a) {
  __m128 x = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  x = _mm_max_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
}
[[gnu::always_inline]] inline V load_f16(const uint16_t* p) {
  return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
[[gnu::always_inline]] inline V load_bf16(const uint16_t* p) {
  const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16))};
}
[[gnu::always_inline]] inline void store_f16(uint16_t* p, V a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(a.v, 0));
}
[[gnu::always_inline]] inline void store_bf16(uint16_t* p, V a) {  // to nearest, ties to even
  const __m256i bits = _mm256_castps_si256(a.v);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(1 << 22));
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(a.v, a.v, _CMP_UNORD_Q));
  const __m256i kept = _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, nan), 16);
  _mm_storeu_si128(
      reinterpret_cast<__m128i*>(p),
      _mm_packus_epi32(_mm256_castsi256_si128(kept), _mm256_extracti128_si256(kept, 1)));
}
[[gnu::always_inline]] inline V load_i8(const int8_t* p) {
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes))};
}
[[gnu::always_inline]] inline void store_i8(int8_t* p, V a) {  // to nearest, within +-127
  const __m256i n = _mm256_cvtps_epi32(a.v);
  const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(n), _mm256_extracti128_si256(n, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(words, words));
}
[[gnu::always_inline]] inline float f16_value(uint16_t bits) { return _cvtsh_ss(bits); }
[[gnu::always_inline]] inline uint16_t f16_bits(float x) {
  return static_cast<uint16_t>(_cvtss_sh(x, 0));
}

// Lane i is the sum of a[i]: its halves are added, then the quarters, and so on, two vectors at a
// time.
[[gnu::always_inline]] inline V sums(const V (&a)[kLanes]) {
  __m256 b[4];
  for (int i = 0; i < 4; ++i)
    b[i] = _mm256_add_ps(_mm256_permute2f128_ps(a[i].v, a[i + 4].v, 0x20),
                         _mm256_permute2f128_ps(a[i].v, a[i + 4].v, 0x31));
  const __m256 c0 = _mm256_add_ps(_mm256_unpacklo_ps(b[0], b[1]), _mm256_unpackhi_ps(b[0], b[1]));
  const __m256 c1 = _mm256_add_ps(_mm256_unpacklo_ps(b[2], b[3]), _mm256_unpackhi_ps(b[2], b[3]));
  return {_mm256_add_ps(_mm256_shuffle_ps(c0, c1, 0x44), _mm256_shuffle_ps(c0, c1, 0xee))};
}

// Integers: kLanes sums of 32 bits, and twice as many words of 16.
struct I {
  __m256i v;
};
struct W {
  __m256i v;
};
[[gnu::always_inline]] inline V abs(V a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }
[[gnu::always_inline]] inline I zeros() { return {_mm256_setzero_si256()}; }
[[gnu::always_inline]] inline V to_floats(I a) { return {_mm256_cvtepi32_ps(a.v)}; }
[[gnu::always_inline]] inline W load_words(const int16_t* p) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
}
[[gnu::always_inline]] inline W same_pair(const int16_t* p) {  // in every lane
  int32_t pair;
  __builtin_memcpy(&pair, p, sizeof pair);
  return {_mm256_set1_epi32(pair)};
}
// Each lane's two products of words are added to its sum.
[[gnu::always_inline]] inline I dot(I sum, W a, W b) {
#if defined(BRAID_ISA_avxvnni)
  asm("%{vex%} vpdpwssd %2, %1, %0" : "+x"(sum.v) : "x"(a.v), "x"(b.v));
  return sum;
#else
  return {_mm256_add_epi32(sum.v, _mm256_madd_epi16(a.v, b.v))};
#endif
}
// Rounded to words: a and then b, which saturate.
[[gnu::always_inline]] inline void store_words(int16_t* p, V a, V b) {
  const __m256i words = _mm256_packs_epi32(_mm256_cvtps_epi32(a.v), _mm256_cvtps_epi32(b.v));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permute4x64_epi64(words, 0xd8));
}
// Words of a * x and b * y, lane by lane one of each; both must be in their range. Adding 1.5 *
// 2^23 leaves the integer in the low bits of the sum.
[[gnu::always_inline]] inline W pairs(V a, V x, V b, V y) {
  const __m256 magic = _mm256_set1_ps(12582912.0f);
  const __m256i low = _mm256_castps_si256(_mm256_fmadd_ps(a.v, x.v, magic));
  const __m256i high = _mm256_castps_si256(_mm256_fmadd_ps(b.v, y.v, magic));
  return {_mm256_blend_epi16(low, _mm256_slli_epi32(high, 16), 0xaa)};
}
[[gnu::always_inline]] inline void store_words(int16_t* p, W a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a.v);
}
// Of each word's two bytes the first or the second, times 256.
[[gnu::always_inline]] inline W load_bytes(const int8_t* p) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
}
[[gnu::always_inline]] inline W first_bytes(W a) { return {_mm256_slli_epi16(a.v, 8)}; }
[[gnu::always_inline]] inline W second_bytes(W a) {
  return {_mm256_and_si256(a.v, _mm256_set1_epi16(static_cast<int16_t>(0xff00)))};
}
// Products times 2^-15, rounded.
[[gnu::always_inline]] inline W mul_high(W a, W b) { return {_mm256_mulhrs_epi16(a.v, b.v)}; }
// Lane by lane the larger of two words without their top bits, and the largest of all lanes.
[[gnu::always_inline]] inline W larger(W a, W b) {
  return {_mm256_max_epi16(a.v, _mm256_and_si256(b.v, _mm256_set1_epi16(0x7fff)))};
}
[[gnu::always_inline]] inline uint16_t largest(W a) {
  const __m128i half = _mm_max_epi16(_mm256_castsi256_si128(a.v), _mm256_extracti128_si256(a.v, 1));
  const __m128i least = _mm_minpos_epu16(_mm_xor_si128(half, _mm_set1_epi16(-1)));
  return static_cast<uint16_t>(~_mm_extract_epi16(least, 0));
}

}  // namespace
}  // namespace braid::BRAID_ISA
