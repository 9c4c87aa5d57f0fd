// IQ2_S: 256 weights in 82 bytes, 16 sub-blocks of 16 with a 4-bit scale each, groups of 8 from a
// grid of 1024.
//
//   byte  0     2                  34                  66               74                 82
//         |  d  | low[0]..low[31]  | sign[0]..[31]     | high[0]..[7]   | sc[0] .. sc[7]   |
//         | f16 | index of group g | signs of group g  | 2 bits a group | nibbles, even    |
//         |     | bits 7..0        | (iq_signs.h)      |                | low, odd high    |
//
//   Bits 9..8 of the index of group g are the bits 2*(g%4)+1 .. 2*(g%4) of high[g / 4].
//
//   w = +-d * (1/2 + scale) / 4 * grid value, exact
#pragma once

#include "base/half.h"
#include "quant/block.h"
#include "quant/iq_grids.h"
#include "quant/iq_signs.h"

namespace braid {

template <>
struct Block<DType::IQ2_S> {
  uint16_t d;
  uint8_t low[32];
  uint8_t sign[32];
  uint8_t high[8];
  uint8_t sc[8];

  int index(int g) const { return low[g] | ((high[g / 4] >> (2 * (g % 4))) & 3) << 8; }
};
static_assert(sizeof(Block<DType::IQ2_S>) == 82);

inline void decode(const Block<DType::IQ2_S>& b, float* out) {
  const float d = f32_from_f16(b.d);
  for (int g = 0; g < 32; ++g) {
    const int sub_block = g / 2;
    const int nibble = (b.sc[sub_block / 2] >> (4 * (sub_block % 2))) & 15;
    const float scale = d * (0.5f + static_cast<float>(nibble)) * 0.25f;
    const uint16_t entry = kIq2SGrid[b.index(g)];
    for (int i = 0; i < 8; ++i) {
      const float magnitude = scale * static_cast<float>(iq2_value(entry, i));
      out[8 * g + i] = with_sign(magnitude, b.sign[g], i);
    }
  }
}

}  // namespace braid
