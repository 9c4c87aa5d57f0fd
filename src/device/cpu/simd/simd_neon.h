// The vector vocabulary on the vectors that every 64-bit ARM has. Same names as in the other
// simd_*.h.
#pragma once

#include <arm_neon.h>
#include <stdint.h>

namespace braid::BRAID_ISA {
namespace {

constexpr int kLanes = 4;
constexpr int kRegisters = 32;
constexpr int kScoreQueries = 2;  // times 2 keys
constexpr int kWordQueries = 4;   // times 2 vectors
constexpr int kWeighQueries = 4, kWeighColumns = 2;

struct V {
  float32x4_t v;
};

[[gnu::always_inline]] inline V load(const float* p) { return {vld1q_f32(p)}; }
[[gnu::always_inline]] inline void store(float* p, V a) { vst1q_f32(p, a.v); }
// The last, partial vector of a row: missing lanes are zero and are not stored.
[[gnu::always_inline]] inline V load_part(const float* p, int64_t n) {
  float32x4_t v = vdupq_n_f32(0.0f);
  if (n == 1) return {vld1q_lane_f32(p, v, 0)};
  if (n >= 2) v = vcombine_f32(vld1_f32(p), vget_low_f32(v));
  return {n == 3 ? vld1q_lane_f32(p + 2, v, 2) : v};
}
[[gnu::always_inline]] inline void store_part(float* p, V a, int64_t n) {
  if (n == 1) vst1q_lane_f32(p, a.v, 0);
  if (n >= 2) vst1_f32(p, vget_low_f32(a.v));
  if (n == 3) vst1q_lane_f32(p + 2, a.v, 2);
}
[[gnu::always_inline]] inline V set1(float x) { return {vdupq_n_f32(x)}; }
[[gnu::always_inline]] inline V add(V a, V b) { return {vaddq_f32(a.v, b.v)}; }
[[gnu::always_inline]] inline V sub(V a, V b) { return {vsubq_f32(a.v, b.v)}; }
[[gnu::always_inline]] inline V mul(V a, V b) { return {vmulq_f32(a.v, b.v)}; }
[[gnu::always_inline]] inline V div(V a, V b) { return {vdivq_f32(a.v, b.v)}; }
[[gnu::always_inline]] inline V min(V a, V b) { return {vminq_f32(a.v, b.v)}; }
[[gnu::always_inline]] inline V max(V a, V b) { return {vmaxq_f32(a.v, b.v)}; }
[[gnu::always_inline]] inline V fma(V a, V b, V c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
[[gnu::always_inline]] inline V round(V a) { return {vrndnq_f32(a.v)}; }  // to nearest
// a * 2^n for integral n of normal results.
[[gnu::always_inline]] inline V scale(V a, V n) {
  const int32x4_t exponent = vaddq_s32(vcvtq_s32_f32(n.v), vdupq_n_s32(127));
  return {vmulq_f32(a.v, vreinterpretq_f32_s32(vshlq_n_s32(exponent, 23)))};
}
[[gnu::always_inline]] inline float sum(V a) { return vaddvq_f32(a.v); }
// Lane i is the sum of a[i], each by the same tree.
[[gnu::always_inline]] inline V sums(const V (&a)[kLanes]) {
  return {vpaddq_f32(vpaddq_f32(a[0].v, a[1].v), vpaddq_f32(a[2].v, a[3].v))};
}
[[gnu::always_inline]] inline void sum4(const V* a, float* out) {
  const V four[kLanes] = {a[0], a[1], a[2], a[3]};
  store(out, sums(four));
}
[[gnu::always_inline]] inline float largest(V a) { return vmaxvq_f32(a.v); }
[[gnu::always_inline]] inline V load_f16(const uint16_t* p) {
  return {vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)))};
}
[[gnu::always_inline]] inline V load_bf16(const uint16_t* p) {
  return {vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16))};
}
[[gnu::always_inline]] inline void store_f16(uint16_t* p, V a) {
  vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(a.v)));
}
[[gnu::always_inline]] inline void store_bf16(uint16_t* p, V a) {  // to nearest, ties to even
  const uint32x4_t bits = vreinterpretq_u32_f32(a.v);
  const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
  const uint32x4_t rounded = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
  const uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(1u << 22));
  vst1_u16(p, vshrn_n_u32(vbslq_u32(vceqq_f32(a.v, a.v), rounded, quiet), 16));
}
[[gnu::always_inline]] inline V load_i8(const int8_t* p) {
  uint32_t bytes;
  __builtin_memcpy(&bytes, p, sizeof bytes);
  const int16x8_t words = vmovl_s8(vreinterpret_s8_u32(vdup_n_u32(bytes)));
  return {vcvtq_f32_s32(vmovl_s16(vget_low_s16(words)))};
}
[[gnu::always_inline]] inline void store_i8(int8_t* p, V a) {  // to nearest, within +-127
  const float32x4_t near = vmaxq_f32(vminq_f32(a.v, vdupq_n_f32(127.0f)), vdupq_n_f32(-127.0f));
  const int16x4_t words = vmovn_s32(vcvtnq_s32_f32(near));
  const int8x8_t bytes = vmovn_s16(vcombine_s16(words, words));
  const uint32_t four = vget_lane_u32(vreinterpret_u32_s8(bytes), 0);
  __builtin_memcpy(p, &four, sizeof four);
}
[[gnu::always_inline]] inline float f16_value(uint16_t bits) {
  return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(bits))), 0);
}
[[gnu::always_inline]] inline uint16_t f16_bits(float x) {
  return vget_lane_u16(vreinterpret_u16_f16(vcvt_f16_f32(vdupq_n_f32(x))), 0);
}

// Integers: kLanes sums of 32 bits, each the sum of two neighbours here, and words of 16.
struct I {
  int32x4_t low, high;
};
struct W {
  int16x8_t v;
};
[[gnu::always_inline]] inline V abs(V a) { return {vabsq_f32(a.v)}; }
[[gnu::always_inline]] inline I zeros() { return {vdupq_n_s32(0), vdupq_n_s32(0)}; }
[[gnu::always_inline]] inline V to_floats(I a) {
  return {vcvtq_f32_s32(vpaddq_s32(a.low, a.high))};
}
[[gnu::always_inline]] inline W load_words(const int16_t* p) { return {vld1q_s16(p)}; }
[[gnu::always_inline]] inline W same_pair(const int16_t* p) {  // in every lane
  int32_t pair;
  __builtin_memcpy(&pair, p, sizeof pair);
  return {vreinterpretq_s16_s32(vdupq_n_s32(pair))};
}
// Each lane's two products of words are added to its sum, which wraps around.
[[gnu::always_inline]] inline I dot(I sum, W a, W b) {
  return {vmlal_s16(sum.low, vget_low_s16(a.v), vget_low_s16(b.v)),
          vmlal_high_s16(sum.high, a.v, b.v)};
}
// Rounded to words: a and then b, which saturate.
[[gnu::always_inline]] inline void store_words(int16_t* p, V a, V b) {
  const int16x4_t low = vqmovn_s32(vcvtnq_s32_f32(a.v));
  vst1q_s16(p, vqmovn_high_s32(low, vcvtnq_s32_f32(b.v)));
}
// Words of a * x and b * y, lane by lane one of each; both must be in their range. Adding 1.5 *
// 2^23 leaves the integer in the low bits of the sum.
[[gnu::always_inline]] inline W pairs(V a, V x, V b, V y) {
  const float32x4_t magic = vdupq_n_f32(12582912.0f);
  const int16x8_t low = vreinterpretq_s16_f32(vfmaq_f32(magic, a.v, x.v));
  const int16x8_t high = vreinterpretq_s16_f32(vfmaq_f32(magic, b.v, y.v));
  return {vtrn1q_s16(low, high)};
}
[[gnu::always_inline]] inline void store_words(int16_t* p, W a) { vst1q_s16(p, a.v); }
// Of each word's two bytes the first or the second, times 256.
[[gnu::always_inline]] inline W load_bytes(const int8_t* p) {
  return {vreinterpretq_s16_s8(vld1q_s8(p))};
}
[[gnu::always_inline]] inline W first_bytes(W a) { return {vshlq_n_s16(a.v, 8)}; }
[[gnu::always_inline]] inline W second_bytes(W a) {
  return {vandq_s16(a.v, vdupq_n_s16(static_cast<int16_t>(0xff00)))};
}
// Products times 2^-15, rounded.
[[gnu::always_inline]] inline W mul_high(W a, W b) { return {vqrdmulhq_s16(a.v, b.v)}; }
// Lane by lane the larger of two words without their top bits, and the largest of all lanes.
[[gnu::always_inline]] inline W larger(W a, W b) {
  return {vmaxq_s16(a.v, vandq_s16(b.v, vdupq_n_s16(0x7fff)))};
}
[[gnu::always_inline]] inline uint16_t largest(W a) {
  return static_cast<uint16_t>(vmaxvq_s16(a.v));
}

}  // namespace
}  // namespace braid::BRAID_ISA
