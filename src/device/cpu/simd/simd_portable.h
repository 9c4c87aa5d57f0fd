// The vector vocabulary on the compilers' own vectors, for processors that have none of the other
// simd_*.h: one register where the baseline instruction set has it, else four floats.
#pragma once

#include <stdint.h>

namespace braid::BRAID_ISA {
namespace {

constexpr int kLanes = 4;
constexpr int kRegisters = 16;
constexpr int kTileW = 4, kTileX = 2;

typedef float Floats __attribute__((vector_size(16)));
typedef int32_t Ints __attribute__((vector_size(16)));

struct V {
  Floats v;
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
  V r;
  __builtin_memcpy(&r.v, p, sizeof r.v);
  return r;
}
[[gnu::always_inline]] inline void store(float* p, V a) { __builtin_memcpy(p, &a.v, sizeof a.v); }
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
[[gnu::always_inline]] inline V set1(float x) { return {Floats{x, x, x, x}}; }
[[gnu::always_inline]] inline V add(V a, V b) { return {a.v + b.v}; }
[[gnu::always_inline]] inline V sub(V a, V b) { return {a.v - b.v}; }
[[gnu::always_inline]] inline V mul(V a, V b) { return {a.v * b.v}; }
[[gnu::always_inline]] inline V div(V a, V b) { return {a.v / b.v}; }
[[gnu::always_inline]] inline V min(V a, V b) { return {a.v < b.v ? a.v : b.v}; }
[[gnu::always_inline]] inline V max(V a, V b) { return {a.v > b.v ? a.v : b.v}; }
// Two roundings: a baseline has no fused form.
[[gnu::always_inline]] inline V fma(V a, V b, V c) { return {a.v * b.v + c.v}; }
// Adding 1.5 * 2^23 leaves no fraction bits; |a| < 2^22.
[[gnu::always_inline]] inline V round(V a) { return {(a.v + 12582912.0f) - 12582912.0f}; }
// a * 2^n for integral n of normal results.
[[gnu::always_inline]] inline V scale(V a, V n) {
  const Ints exponent = (__builtin_convertvector(n.v, Ints) + 127) << 23;
  return {a.v * reinterpret_cast<Floats>(exponent)};
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
