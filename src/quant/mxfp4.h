// MXFP4: 32 weights in 17 bytes, the microscaling format of the Open Compute Project (E2M1 values,
// E8M0 scale) as GGUF stores it.
//
//   byte  0    1                                            17
//         | e  | q[0] .. q[15]                              |
//         | u8 | low nibbles: weights 0..15, high: 16..31   |
//
//   w = 2^(e - 128) * kE2M1Doubled[nibble], exact; subnormal for the smallest e, infinite where the
//   largest e leave the range of f32. e = 255, a NaN in the OCP's text, counts as 2^127 here, as in
//   every reader of GGUF.
#pragma once

#include "quant/block.h"
#include "quant/codebooks.h"

#include <bit>

namespace braid {

template <>
struct Block<DType::MXFP4> {
  uint8_t e;
  uint8_t q[16];
};
static_assert(sizeof(Block<DType::MXFP4>) == 17);

// 2^(e - 128): half the value of the E8M0 code.
inline float half_of_e8m0(uint8_t e) {
  if (e < 2) return std::bit_cast<float>(0x200000u << e);  // subnormal
  return std::bit_cast<float>((e - 1u) << 23);
}

inline void decode(const Block<DType::MXFP4>& b, float* out) {
  const float d = half_of_e8m0(b.e);
  for (int j = 0; j < 16; ++j) {
    out[j] = d * static_cast<float>(kE2M1Doubled[b.q[j] & 15]);
    out[16 + j] = d * static_cast<float>(kE2M1Doubled[b.q[j] >> 4]);
  }
}

}  // namespace braid
