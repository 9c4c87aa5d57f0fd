// The vector vocabulary on AVX2 with FMA and F16C. Same names as in the other simd_*.h.
#pragma once

#include <immintrin.h>
#include <stdint.h>

namespace braid::BRAID_ISA {
namespace {

constexpr int kLanes = 8;
constexpr int kRegisters = 16;
constexpr int kTileW = 4, kTileX = 2;  // 8 accumulators and 6 operands of 16 registers

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

}  // namespace
}  // namespace braid::BRAID_ISA
