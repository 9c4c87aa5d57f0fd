// IQ1_S: 256 weights in 50 bytes, 8 sub-blocks of 32 with a 3-bit scale and a shift each, groups of
// 8 from a ternary grid of 2048.
//
//   byte  0     2                   34                                            50
//         |  d  | low[0] .. low[31] | u16 high[8]: one to a sub-block             |
//         | f16 | index of group g  | bits 11..0  index bits 10..8 of its groups, |
//         |     | bits 7..0         |             3 bits each, first lowest       |
//         |     |                   | bits 14..12 scale;  bit 15 sign of shift    |
//
//   w = d * (2 * scale + 1) * (grid value + shift), shift = 1/8, or -1/8 when bit 15 is set; exact
#pragma once

#include "base/half.h"
#include "quant/block.h"
#include "quant/iq_grids.h"

namespace braid {

template <>
struct Block<DType::IQ1_S> {
  uint16_t d;
  uint8_t low[32];
  uint16_t high[8];

  int index(int g) const { return low[g] | ((high[g / 4] >> (3 * (g % 4))) & 7) << 8; }
};
static_assert(sizeof(Block<DType::IQ1_S>) == 50);

inline void decode(const Block<DType::IQ1_S>& b, float* out) {
  const float d = f32_from_f16(b.d);
  for (int g = 0; g < 32; ++g) {
    const uint16_t high = b.high[g / 4];
    const float scale = d * static_cast<float>(2 * ((high >> 12) & 7) + 1);
    const float shift = high & 0x8000 ? -0.125f : 0.125f;
    const uint16_t entry = kIq1Grid[b.index(g)];
    for (int i = 0; i < 8; ++i) {
      out[8 * g + i] = scale * (static_cast<float>(iq1_value(entry, i)) + shift);
    }
  }
}

}  // namespace braid
