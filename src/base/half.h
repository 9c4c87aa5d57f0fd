// Conversions between f32 and the 16-bit float formats, scalar and exact (round to nearest, ties to
// even).
#pragma once

#include <bit>
#include <cstdint>

namespace braid {

// IEEE binary16 in integer arithmetic, for compilers without _Float16 (clang before 15 on x86).
namespace portable {

inline float f32_from_f16(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
  const uint32_t magnitude = bits & 0x7fffu;
  uint32_t value = (magnitude << 13) + (112u << 23);  // the exponent's bias goes from 15 to 127
  if (magnitude < 0x400u) {
    value = std::bit_cast<uint32_t>(static_cast<float>(magnitude) * 0x1p-24f);
  } else if (magnitude >= 0x7c00u) {
    value =
        (magnitude << 13) | 0x7f800000u | (magnitude > 0x7c00u ? 0x400000u : 0u);  // NaNs: quiet
  }
  return std::bit_cast<float>(sign | value);
}

inline uint16_t f16_from_f32(float f) {
  const uint32_t bits = std::bit_cast<uint32_t>(f);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  uint32_t value = 0x7c00u;
  if (magnitude > 0x7f800000u) {
    value = 0x7e00u | ((magnitude >> 13) & 0x3ffu);
  } else if (magnitude < 0x38800000u) {  // below 2^-14: adding 0.5 rounds to multiples of 2^-24
    value = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
  } else if (magnitude < 0x477ff000u) {  // below 65520, which rounds to infinity
    value = (magnitude - (112u << 23) + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
  }
  return static_cast<uint16_t>(sign | value);
}

}  // namespace portable

#if defined(__aarch64__) || defined(__FLT16_MANT_DIG__)
#if defined(__aarch64__)
using NativeHalf = __fp16;  // g++ 12 has it in instructions, and no _Float16 in C++
#else
using NativeHalf = _Float16;  // g++ 12 converts it in software or with F16C, both correctly rounded
#endif
inline float f32_from_f16(uint16_t bits) {
  return static_cast<float>(__builtin_bit_cast(NativeHalf, bits));
}
inline uint16_t f16_from_f32(float value) {
  return __builtin_bit_cast(uint16_t, static_cast<NativeHalf>(value));
}
#else
using portable::f16_from_f32;
using portable::f32_from_f16;
#endif

// bfloat16: the upper half of an f32.
inline float f32_from_bf16(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}
inline uint16_t bf16_from_f32(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u)
    return static_cast<uint16_t>((bits >> 16) | 64);  // quiet NaN
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1)) >> 16);
}

}  // namespace braid
