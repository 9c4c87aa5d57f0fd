// Codes and scales of packed strips in vectors of 16 bytes. A line of a strip is four registers,
// one for each quad of rows: 0..3, 4..7, 8..11, 12..15.
#pragma once

#include "device/cpu/kernels/packed.h"

#include <arm_neon.h>

namespace braid::BRAID_ISA {
namespace {

constexpr int kGroups = 8;  // of four columns in a sub-block
constexpr int kQuads = 4;

template <PackedType T>
constexpr PackedInfo kInfo = kPackedInfo[static_cast<int>(T)];

// Codes that fill a byte and entries of tables are signed numbers; others are as they are stored.
template <PackedType T>
constexpr bool kSigned = kInfo<T>.bits == 8 || kInfo<T>.codes != Codes::kPlain;

// What an operand has more than the value.
template <PackedType T>
constexpr int kOffset = kSigned<T> ? 0 : kInfo<T>.offset;

// Bits of each byte moved up by `up` (down if negative) and masked.
template <int up>
[[gnu::always_inline]] inline uint8x16_t moved(uint8x16_t x, uint8_t mask) {
  if constexpr (up > 0) x = vshlq_n_u8(x, up);
  if constexpr (up < 0) x = vshrq_n_u8(x, -up);
  return vandq_u8(x, vdupq_n_u8(mask));
}

template <PackedType T>
[[gnu::always_inline]] inline int8x16_t table() {
  return vld1q_s8(kCodeTable[static_cast<int>(kInfo<T>.codes)]);
}

// Groups 6 and 7 of three bits, in the nibbles of a line.
[[gnu::always_inline]] inline uint8x16_t last_threes(const uint8_t* sub) {
  return vorrq_u8(vorrq_u8(moved<-3>(vld1q_u8(sub), 0x11), moved<-2>(vld1q_u8(sub + 64), 0x22)),
                  moved<-1>(vld1q_u8(sub + 128), 0x44));
}

// Group G of a sub-block in a quad.
template <PackedType T, int G>
[[gnu::always_inline]] inline int8x16_t group(const uint8_t* sub) {
  constexpr int bits = kInfo<T>.bits, J = G % 4, high = G / 4;
  if constexpr (bits == 8)
    return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(sub + 64 * G), vdupq_n_u8(128)));
  uint8x16_t x;
  if constexpr (bits == 2) {
    x = moved<-2 * J>(vld1q_u8(sub + 64 * high), 3);
  } else if constexpr (bits == 3) {
    x = moved<-4 * (G % 2)>(G < 6 ? vld1q_u8(sub + 64 * (G / 2)) : last_threes(sub), 7);
  } else {
    x = moved<-4 * high>(vld1q_u8(sub + 64 * J), 15);
    if constexpr (bits == 5) x = vorrq_u8(x, moved<4 - G>(vld1q_u8(sub + 256), 16));
    if constexpr (bits == 6) x = vorrq_u8(x, moved<4 - 2 * J>(vld1q_u8(sub + 256 + 64 * high), 48));
  }
  if constexpr (kInfo<T>.codes != Codes::kPlain) return vqtbl1q_s8(table<T>(), x);
  return vreinterpretq_s8_u8(x);
}

// What an offset makes of the sum of the inputs: -offset * sum, from -128 * sum.
template <PackedType T>
[[gnu::always_inline]] inline int32x4_t start(int32_t less) {
  if constexpr (kOffset<T> == 0)
    return vdupq_n_s32(0);
  else
    return vdupq_n_s32(less >> (7 - __builtin_ctz(kOffset<T>)));
}

// A number for each row of a strip.
struct Sixteen {
  float32x4_t v[kQuads];
};
[[gnu::always_inline]] inline Sixteen halves(const uint8_t* p) {
  Sixteen out;
  for (int j = 0; j < kQuads; ++j) out.v[j] = vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p + 8 * j)));
  return out;
}
[[gnu::always_inline]] inline Sixteen times(const Sixteen& by, int8x16_t x) {
  const int16x8_t low = vmovl_s8(vget_low_s8(x)), high = vmovl_high_s8(x);
  const int32x4_t wide[kQuads] = {vmovl_s16(vget_low_s16(low)), vmovl_high_s16(low),
                                  vmovl_s16(vget_low_s16(high)), vmovl_high_s16(high)};
  Sixteen out;
  for (int j = 0; j < kQuads; ++j) out.v[j] = vmulq_f32(by.v[j], vcvtq_f32_s32(wide[j]));
  return out;
}
// 2^(e - 128), subnormal for e < 2.
[[gnu::always_inline]] inline Sixteen half_of_e8m0(uint8x16_t x) {
  const uint16x8_t low = vmovl_u8(vget_low_u8(x)), high = vmovl_high_u8(x);
  const uint32x4_t wide[kQuads] = {vmovl_u16(vget_low_u16(low)), vmovl_high_u16(low),
                                   vmovl_u16(vget_low_u16(high)), vmovl_high_u16(high)};
  Sixteen out;
  for (int j = 0; j < kQuads; ++j) {
    const uint32x4_t normal = vshlq_n_u32(vsubq_u32(wide[j], vdupq_n_u32(1)), 23);
    const uint32x4_t small = vshlq_u32(vdupq_n_u32(0x200000), vreinterpretq_s32_u32(wide[j]));
    const uint32x4_t below = vcltq_u32(wide[j], vdupq_n_u32(2));
    out.v[j] = vreinterpretq_f32_u32(vbslq_u32(below, small, normal));
  }
  return out;
}

// Floats of 7 bits: those of an f16 but for three bits of exponent and seven of mantissa; halved,
// since the table of E2M1 is doubled.
[[gnu::always_inline]] inline Sixteen half_of_e4m3(uint8x16_t x) {
  const uint16x8_t halves[2] = {vshll_n_u8(vget_low_u8(x), 7), vshll_high_n_u8(x, 7)};
  Sixteen out;
  for (int j = 0; j < kQuads; ++j) {
    const uint16x8_t pair = halves[j / 2];
    const uint16x4_t four = j % 2 ? vget_high_u16(pair) : vget_low_u16(pair);
    out.v[j] = vmulq_n_f32(vcvt_f32_f16(vreinterpret_f16_u16(four)), 128.0f);
  }
  return out;
}

// The bits of `mask` of each byte from bit `at` on.
[[gnu::always_inline]] inline uint8x16_t field(const uint8_t* p, int at, uint8_t mask) {
  return vandq_u8(vshlq_u8(vld1q_u8(p), vdupq_n_s8(static_cast<int8_t>(-at))), vdupq_n_u8(mask));
}
[[gnu::always_inline]] inline int8x16_t six(uint8x16_t low, uint8x16_t high) {
  return vreinterpretq_s8_u8(vorrq_u8(low, vshlq_n_u8(high, 4)));
}

// The scales of a record: scale(i) and minimum(i) of its i-th stretch of 32 or 16 columns.
template <PackedType T>
struct RecordScales {
  static constexpr Scales kind = kInfo<T>.scales;
  const uint8_t* p;
  Sixteen d, dmin;

  [[gnu::always_inline]] explicit RecordScales(const uint8_t* at) : p(at) {
    if constexpr (kind != Scales::kHalf32 && kind != Scales::kHalfMin32 && kind != Scales::kE8M0 &&
                  kind != Scales::kE4M3)
      d = halves(p);
    if constexpr (kInfo<T>.unit() != 1)
      for (float32x4_t& v : d.v) v = vmulq_n_f32(v, kInfo<T>.unit());
    if constexpr (kind == Scales::kSixMin32 || kind == Scales::kNibbleMin16) dmin = halves(p + 32);
  }
  [[gnu::always_inline]] Sixteen scale(int i) const {
    if constexpr (kind == Scales::kHalf32 || kind == Scales::kHalfMin32) return halves(p + 32 * i);
    if constexpr (kind == Scales::kE8M0) return half_of_e8m0(vld1q_u8(p + 16 * i));
    if constexpr (kind == Scales::kE4M3) return half_of_e4m3(vld1q_u8(p + 16 * i));
    return times(d, integer(i));
  }
  // Added for each input unit.
  [[gnu::always_inline]] Sixteen minimum(int i) const {
    if constexpr (kind == Scales::kHalfMin32) return halves(p + 256 + 32 * i);
    if constexpr (kind == Scales::kOddShift32) {
      // An eighth of the scale, with the sign of the nibble's highest bit.
      const uint8x16_t less = field(p + 32 + i / 2 * 16, i % 2 * 4 + 3, 1);
      const int8x16_t sign = vsubq_s8(vdupq_n_s8(1), vreinterpretq_s8_u8(vshlq_n_u8(less, 1)));
      Sixteen out = times(scale(i), sign);
      for (float32x4_t& v : out.v) v = vmulq_n_f32(v, 0.125f);
      return out;
    }
    int8x16_t m = vdupq_n_s8(0);
    if constexpr (kind == Scales::kSixMin32)
      m = six(field(p + 64 + 16 * i, 4, 15), field(p + 192 + i / 2 * 16, i % 2 * 4 + 2, 3));
    if constexpr (kind == Scales::kNibbleMin16)
      m = vreinterpretq_s8_u8(field(p + 64 + 16 * i, 4, 15));
    return times(dmin, vnegq_s8(m));
  }

 private:
  [[gnu::always_inline]] int8x16_t integer(int i) const {
    if constexpr (kind == Scales::kSix32 || kind == Scales::kSix16) {
      const uint8_t* high = p + 32 + (kind == Scales::kSix32 ? 64 : 128);
      const int8x16_t s =
          six(field(p + 32 + i / 2 * 16, i % 2 * 4, 15), field(high + i / 4 * 16, i % 4 * 2, 3));
      return vsubq_s8(s, vdupq_n_s8(32));
    }
    if constexpr (kind == Scales::kSixMin32)
      return six(field(p + 64 + 16 * i, 0, 15), field(p + 192 + i / 2 * 16, i % 2 * 4, 3));
    if constexpr (kind == Scales::kNibbleMin16)
      return vreinterpretq_s8_u8(field(p + 64 + 16 * i, 0, 15));
    if constexpr (kind == Scales::kOdd32 || kind == Scales::kOdd16 || kind == Scales::kOddShift32) {
      const uint8x16_t n =
          field(p + 32 + i / 2 * 16, i % 2 * 4, kind == Scales::kOddShift32 ? 7 : 15);
      return vreinterpretq_s8_u8(vorrq_u8(vaddq_u8(n, n), vdupq_n_u8(1)));
    }
    return vreinterpretq_s8_u8(vld1q_u8(p + 32 + 16 * i));
  }
};

}  // namespace
}  // namespace braid::BRAID_ISA
