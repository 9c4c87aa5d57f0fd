// The vector vocabulary in plain C++, for processors that have none of the other simd_*.h. Loops
// over a few lanes, which the compiler may turn into whatever the baseline instruction set has.
#pragma once

#include <stdint.h>

namespace braid::BRAID_ISA {
namespace {

constexpr int kLanes = 4;
constexpr int kRegisters = 16;
constexpr int kTileW = 4, kTileX = 2;

struct V {
  float v[kLanes];
};

template <class F>
[[gnu::always_inline]] inline V lanes(F f) {
  V r;
  for (int i = 0; i < kLanes; ++i) r.v[i] = f(i);
  return r;
}

[[gnu::always_inline]] inline float bits_to_float(uint32_t bits) {
  float f;
  __builtin_memcpy(&f, &bits, sizeof f);
  return f;
}

[[gnu::always_inline]] inline V load(const float* p) {
  return lanes([=](int i) { return p[i]; });
}
[[gnu::always_inline]] inline void store(float* p, V a) {
  for (int i = 0; i < kLanes; ++i) p[i] = a.v[i];
}
// The last, partial vector of a row: missing lanes are zero and are not stored.
[[gnu::always_inline]] inline V load_part(const float* p, int64_t n) {
  float lane[kLanes] = {};
  for (int64_t i = 0; i < n; ++i) lane[i] = p[i];
  return load(lane);
}
[[gnu::always_inline]] inline void store_part(float* p, V a, int64_t n) {
  float lane[kLanes];
  store(lane, a);
  for (int64_t i = 0; i < n; ++i) p[i] = lane[i];
}
[[gnu::always_inline]] inline V set1(float x) {
  return lanes([=](int) { return x; });
}
[[gnu::always_inline]] inline V add(V a, V b) {
  return lanes([=](int i) { return a.v[i] + b.v[i]; });
}
[[gnu::always_inline]] inline V sub(V a, V b) {
  return lanes([=](int i) { return a.v[i] - b.v[i]; });
}
[[gnu::always_inline]] inline V mul(V a, V b) {
  return lanes([=](int i) { return a.v[i] * b.v[i]; });
}
[[gnu::always_inline]] inline V div(V a, V b) {
  return lanes([=](int i) { return a.v[i] / b.v[i]; });
}
[[gnu::always_inline]] inline V min(V a, V b) {
  return lanes([=](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
}
[[gnu::always_inline]] inline V max(V a, V b) {
  return lanes([=](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
[[gnu::always_inline]] inline V fma(V a, V b, V c) {  // two roundings: a baseline has no fused form
  return lanes([=](int i) { return a.v[i] * b.v[i] + c.v[i]; });
}
[[gnu::always_inline]] inline V round(
    V a) {  // adding 1.5 * 2^23 leaves no fraction bits; |a| < 2^22
  return lanes([=](int i) { return (a.v[i] + 12582912.0f) - 12582912.0f; });
}
// a * 2^n for integral n of normal results.
[[gnu::always_inline]] inline V scale(V a, V n) {
  return lanes([=](int i) {
    const int32_t exponent = static_cast<int32_t>(n.v[i]) + 127;
    return a.v[i] * bits_to_float(static_cast<uint32_t>(exponent) << 23);
  });
}
[[gnu::always_inline]] inline float sum(V a) { return (a.v[0] + a.v[2]) + (a.v[1] + a.v[3]); }
// out[r] = the sum of a[r], each by the same tree.
[[gnu::always_inline]] inline void sum4(const V* a, float* out) {
  for (int r = 0; r < 4; ++r) out[r] = sum(a[r]);
}
[[gnu::always_inline]] inline float largest(V a) {
  float m = a.v[0];
  for (int i = 1; i < kLanes; ++i) m = a.v[i] > m ? a.v[i] : m;
  return m;
}
[[gnu::always_inline]] inline V load_f16(const uint16_t* p) {
  return lanes([=](int i) {
    const uint32_t h = p[i], sign = (h & 0x8000u) << 16, rest = h & 0x7fffu;
    if (rest >= 0x7c00u) return bits_to_float(sign | 0x7f800000u | (rest & 0x3ffu) << 13);
    // Shifting exponent and mantissa into place leaves a bias of 15 where 127 is wanted;
    // multiplying by 2^112 mends that and makes subnormals right.
    return bits_to_float(sign | rest << 13) * 5.192296858534828e33f;
  });
}
[[gnu::always_inline]] inline V load_bf16(const uint16_t* p) {
  return lanes([=](int i) { return bits_to_float(static_cast<uint32_t>(p[i]) << 16); });
}

}  // namespace
}  // namespace braid::BRAID_ISA
