// The vector vocabulary on the compilers' own vectors, for processors that have none of the other
// simd_*.h: one register where the baseline instruction set has it, else four floats.
#pragma once

#include <stdint.h>

namespace braid::BRAID_ISA {
namespace {

constexpr int kLanes = 4;
constexpr int kRegisters = 16;
constexpr int kTileW = 4, kTileX = 2;
constexpr int kScoreQueries = 2;  // times 2 keys
constexpr int kWordQueries = 2;   // times 2 vectors
constexpr int kWeighQueries = 2, kWeighColumns = 2;

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
[[gnu::always_inline]] inline uint32_t float_to_bits(float f) {
  uint32_t bits;
  __builtin_memcpy(&bits, &f, sizeof bits);
  return bits;
}
[[gnu::always_inline]] inline float f16_value(uint16_t bits) {
  uint16_t part[kLanes] = {bits};
  return load_f16(part).v[0];
}
[[gnu::always_inline]] inline uint16_t f16_bits(float x) {  // to nearest, ties to even
  const uint32_t bits = float_to_bits(x), sign = (bits >> 16) & 0x8000u, rest = bits & 0x7fffffffu;
  uint32_t value = 0x7c00u;
  if (rest > 0x7f800000u)
    value = 0x7e00u | (rest >> 13 & 0x3ffu);
  else if (rest < 0x38800000u)  // below 2^-14: adding 0.5 rounds to multiples of 2^-24
    value = float_to_bits(bits_to_float(rest) + 0.5f) - 0x3f000000u;
  else if (rest < 0x477ff000u)  // below 65520, which rounds to infinity
    value = (rest - (112u << 23) + 0xfffu + (rest >> 13 & 1u)) >> 13;
  return static_cast<uint16_t>(sign | value);
}
[[gnu::always_inline]] inline void store_f16(uint16_t* p, V a) {
  for (int i = 0; i < kLanes; ++i) p[i] = f16_bits(a.v[i]);
}
[[gnu::always_inline]] inline void store_bf16(uint16_t* p, V a) {  // to nearest, ties to even
  for (int i = 0; i < kLanes; ++i) {
    const uint32_t bits = float_to_bits(a.v[i]);
    const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
    p[i] =
        static_cast<uint16_t>((nan ? bits | 1u << 22 : bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
  }
}
[[gnu::always_inline]] inline V load_i8(const int8_t* p) {
  return lanes([=](int i) { return static_cast<float>(p[i]); });
}
[[gnu::always_inline]] inline void store_i8(int8_t* p, V a) {  // to nearest, within +-127
  const V n = round(max(min(a, set1(127.0f)), set1(-127.0f)));
  for (int i = 0; i < kLanes; ++i) p[i] = static_cast<int8_t>(n.v[i]);
}

// Lane i is the sum of a[i].
[[gnu::always_inline]] inline V sums(const V (&a)[kLanes]) {
  return lanes([&](int i) { return sum(a[i]); });
}

// Integers: kLanes sums of 32 bits, and twice as many words of 16.
struct I {
  int32_t v[kLanes];
};
struct W {
  int16_t v[2 * kLanes];
};
[[gnu::always_inline]] inline V abs(V a) {
  return lanes([=](int i) { return bits_to_float(float_to_bits(a.v[i]) & 0x7fffffffu); });
}
[[gnu::always_inline]] inline I zeros() { return {}; }
[[gnu::always_inline]] inline V to_floats(I a) {
  return lanes([=](int i) { return static_cast<float>(a.v[i]); });
}
[[gnu::always_inline]] inline W load_words(const int16_t* p) {
  W w;
  __builtin_memcpy(w.v, p, sizeof w.v);
  return w;
}
[[gnu::always_inline]] inline W same_pair(const int16_t* p) {  // in every lane
  W w;
  for (int i = 0; i < 2 * kLanes; ++i) w.v[i] = p[i % 2];
  return w;
}
// Each lane's two products of words are added to its sum, which wraps around.
[[gnu::always_inline]] inline I dot(I sum, W a, W b) {
  for (int i = 0; i < kLanes; ++i)
    sum.v[i] = static_cast<int32_t>(static_cast<uint32_t>(sum.v[i]) +
                                    static_cast<uint32_t>(a.v[2 * i] * b.v[2 * i]) +
                                    static_cast<uint32_t>(a.v[2 * i + 1] * b.v[2 * i + 1]));
  return sum;
}
[[gnu::always_inline]] inline int16_t word(float x) {
  x = x < 32767.0f ? x : 32767.0f;
  x = x > -32768.0f ? x : -32768.0f;
  return static_cast<int16_t>((x + 12582912.0f) - 12582912.0f);
}
// Rounded to words: a and then b, which saturate.
[[gnu::always_inline]] inline void store_words(int16_t* p, V a, V b) {
  for (int i = 0; i < kLanes; ++i) p[i] = word(a.v[i]);
  for (int i = 0; i < kLanes; ++i) p[kLanes + i] = word(b.v[i]);
}
// Words of a * x and b * y, lane by lane one of each.
[[gnu::always_inline]] inline W pairs(V a, V x, V b, V y) {
  W w;
  for (int i = 0; i < kLanes; ++i) w.v[2 * i] = word(a.v[i] * x.v[i]);
  for (int i = 0; i < kLanes; ++i) w.v[2 * i + 1] = word(b.v[i] * y.v[i]);
  return w;
}
[[gnu::always_inline]] inline void store_words(int16_t* p, W a) {
  __builtin_memcpy(p, a.v, sizeof a.v);
}
// Of each word's two bytes the first or the second, times 256.
[[gnu::always_inline]] inline W load_bytes(const int8_t* p) {
  W w;
  __builtin_memcpy(w.v, p, sizeof w.v);
  return w;
}
[[gnu::always_inline]] inline W first_bytes(W a) {
  for (int16_t& v : a.v) v = static_cast<int16_t>(static_cast<uint16_t>(v) << 8);
  return a;
}
[[gnu::always_inline]] inline W second_bytes(W a) {
  for (int16_t& v : a.v) v = static_cast<int16_t>(v & ~0xff);
  return a;
}
// Products times 2^-15, rounded.
[[gnu::always_inline]] inline W mul_high(W a, W b) {
  for (int i = 0; i < 2 * kLanes; ++i)
    a.v[i] = static_cast<int16_t>((a.v[i] * b.v[i] + (1 << 14)) >> 15);
  return a;
}
// Lane by lane the larger of two words without their top bits, and the largest of all lanes.
[[gnu::always_inline]] inline W larger(W a, W b) {
  for (int i = 0; i < 2 * kLanes; ++i) {
    const int16_t x = b.v[i] & 0x7fff;
    a.v[i] = x > a.v[i] ? x : a.v[i];
  }
  return a;
}
[[gnu::always_inline]] inline uint16_t largest(W a) {
  int16_t most = 0;
  for (int16_t x : a.v) most = x > most ? x : most;
  return static_cast<uint16_t>(most);
}

}  // namespace
}  // namespace braid::BRAID_ISA
