// IQ1_M: 256 weights in 56 bytes, 16 sub-blocks of 16 with a 3-bit scale each, groups of 8 with a
// shift each from the ternary grid of IQ1_S.
//
//   byte  0                    32                               48                            56
//         | low[0] .. low[31]  | high[0] .. high[15]            | u16 sc[4]                   |
//         | index of group g   | nibble of group g, even low,   | bits 11..0  4 scales of 3   |
//         | bits 7..0          | odd high: bits 2..0 index      |             bits, first low |
//         |                    | bits 10..8, bit 3 sign of its  | bits 15..12 a nibble of d   |
//         |                    | shift                          |                             |
//
//   d, an f16, is the four top nibbles, that of sc[0] lowest.
//
//   w = d * (2 * scale + 1) * (grid value + shift), shift = 1/8, or -1/8 when its bit is set; exact
#pragma once

#include "base/half.h"
#include "quant/block.h"
#include "quant/iq_grids.h"

namespace braid {

template <>
struct Block<DType::IQ1_M> {
  uint8_t low[32];
  uint8_t high[16];
  uint16_t sc[4];

  uint16_t d() const {
    return static_cast<uint16_t>(sc[0] >> 12 | (sc[1] >> 12) << 4 | (sc[2] >> 12) << 8 |
                                 (sc[3] >> 12) << 12);
  }
  int scale(int t) const { return (sc[t / 4] >> (3 * (t % 4))) & 7; }  // of sub-block t = 0..15
  int high_nibble(int g) const { return (high[g / 2] >> (4 * (g % 2))) & 15; }
};
static_assert(sizeof(Block<DType::IQ1_M>) == 56);

inline void decode(const Block<DType::IQ1_M>& b, float* out) {
  const float d = f32_from_f16(b.d());
  for (int g = 0; g < 32; ++g) {
    const float scale = d * static_cast<float>(2 * b.scale(g / 2) + 1);
    const int nibble = b.high_nibble(g);
    const float shift = nibble & 8 ? -0.125f : 0.125f;
    const uint16_t entry = kIq1Grid[b.low[g] | (nibble & 7) << 8];
    for (int i = 0; i < 8; ++i) {
      out[8 * g + i] = scale * (static_cast<float>(iq1_value(entry, i)) + shift);
    }
  }
}

}  // namespace braid
