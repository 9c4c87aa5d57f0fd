// The vector vocabulary on AVX-512 (F, BW, DQ, VL). Same names as in the other simd_*.h.
#pragma once

#include <immintrin.h>
#include <stdint.h>

namespace braid::BRAID_ISA {
namespace {

constexpr int kLanes = 16;
constexpr int kRegisters = 32;
constexpr int kTileW = 4, kTileX = 4;  // 16 accumulators and 8 operands of 32 registers

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

}  // namespace
}  // namespace braid::BRAID_ISA
