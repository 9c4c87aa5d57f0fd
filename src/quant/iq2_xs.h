// IQ2_XS: 256 weights in 74 bytes, 16 sub-blocks of 16 with a 4-bit scale each, groups of 8 from a
// grid of 512.
//
//   byte  0     2                              66                            74
//         |  d  | u16 q[32]: one to a group    | sc[0] .. sc[7]              |
//         | f16 | bits 8..0 grid index         | nibbles of the sub-blocks,  |
//         |     | bits 15..9 sign code         | even ones low, odd high     |
//
//   w = +-d * (1/2 + scale) / 4 * grid value, exact; sign codes: iq_signs.h
#pragma once

#include "base/half.h"
#include "quant/block.h"
#include "quant/iq_grids.h"
#include "quant/iq_signs.h"

namespace braid {

template <>
struct Block<DType::IQ2_XS> {
  uint16_t d;
  uint16_t q[32];
  uint8_t sc[8];
};
static_assert(sizeof(Block<DType::IQ2_XS>) == 74);

inline void decode(const Block<DType::IQ2_XS>& b, float* out) {
  const float d = f32_from_f16(b.d);
  for (int g = 0; g < 32; ++g) {
    const int sub_block = g / 2;
    const int nibble = (b.sc[sub_block / 2] >> (4 * (sub_block % 2))) & 15;
    const float scale = d * (0.5f + static_cast<float>(nibble)) * 0.25f;
    const uint16_t entry = kIq2XsGrid[b.q[g] & 511];
    const uint8_t signs = signs_from_code(b.q[g] >> 9);
    for (int i = 0; i < 8; ++i) {
      const float magnitude = scale * static_cast<float>(iq2_value(entry, i));
      out[8 * g + i] = with_sign(magnitude, signs, i);
    }
  }
}

}  // namespace braid
