// NVFP4: 64 weights in 36 bytes, 4 sub-blocks of 16 with an 8-bit float scale each. The format has
// one more scale per tensor, a tensor of its own in the file; whoever binds the weights multiplies.
//
//   byte  0               4                                                        36
//         | s[0] .. s[3]  | q[0] .. q[31]                                          |
//         | ue4m3         | 8 bytes a sub-block: low nibbles weights 0..7 of the   |
//         |               | sub-block, high nibbles 8..15                          |
//
//   ue4m3: bit 7 unused, bits 6..3 exponent (bias 7), bits 2..0 mantissa; exponent 0 is subnormal.
//   Code 0x7f (NaN in other readings of the bits) is 0; the same with bit 7 set is 480, as in every
//   reader of GGUF.
//
//   w = ue4m3(s) / 2 * kE2M1Doubled[nibble], exact
#pragma once

#include "quant/block.h"
#include "quant/codebooks.h"

#include <bit>

namespace braid {

template <>
struct Block<DType::NVFP4> {
  uint8_t s[4];
  uint8_t q[32];
};
static_assert(sizeof(Block<DType::NVFP4>) == 36);

inline float half_of_ue4m3(uint8_t code) {
  if (code == 0x7f) return 0;
  const int exponent = (code >> 3) & 15, mantissa = code & 7;
  if (exponent == 0) return 0x1p-10f * static_cast<float>(mantissa);
  const float power = std::bit_cast<float>(static_cast<uint32_t>(exponent - 11 + 127) << 23);
  return power * static_cast<float>(8 + mantissa);  // (1 + m/8) * 2^(e-7) / 2
}

inline void decode(const Block<DType::NVFP4>& b, float* out) {
  for (int t = 0; t < 4; ++t) {
    const float d = half_of_ue4m3(b.s[t]);
    for (int j = 0; j < 8; ++j) {
      const uint8_t q = b.q[8 * t + j];
      out[16 * t + j] = d * static_cast<float>(kE2M1Doubled[q & 15]);
      out[16 * t + 8 + j] = d * static_cast<float>(kE2M1Doubled[q >> 4]);
    }
  }
}

}  // namespace braid
