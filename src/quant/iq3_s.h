// IQ3_S: 256 weights in 110 bytes, 8 sub-blocks of 32 with a 4-bit scale each, groups of 4 from a
// grid of 512.
//
//   byte  0     2                  66             74              106               110
//         |  d  | low[0]..low[63]  | high[0]..[7] | sign[0]..[31] | sc[0] .. sc[3]  |
//         | f16 | index of group g | 1 bit a      | 8 weights a   | nibbles, even   |
//         |     | bits 7..0        | group        | byte          | low, odd high   |
//
//   Bit 8 of the index of group g is bit g%8 of high[g / 8]. Signs: iq_signs.h.
//
//   w = +-d * (1 + 2 * scale) * grid value, exact
#pragma once

#include "base/half.h"
#include "quant/block.h"
#include "quant/iq_grids.h"
#include "quant/iq_signs.h"

namespace braid {

template <>
struct Block<DType::IQ3_S> {
  uint16_t d;
  uint8_t low[64];
  uint8_t high[8];
  uint8_t sign[32];
  uint8_t sc[4];

  int index(int g) const { return low[g] | ((high[g / 8] >> (g % 8)) & 1) << 8; }
};
static_assert(sizeof(Block<DType::IQ3_S>) == 110);

inline void decode(const Block<DType::IQ3_S>& b, float* out) {
  const float d = f32_from_f16(b.d);
  for (int s = 0; s < 8; ++s) {
    const int nibble = (b.sc[s / 2] >> (4 * (s % 2))) & 15;
    const float scale = d * static_cast<float>(1 + 2 * nibble);
    for (int j = 0; j < 32; ++j) {
      const uint16_t entry = kIq3SGrid[b.index(8 * s + j / 4)];
      const float magnitude = scale * static_cast<float>(iq3_s_value(entry, j % 4));
      out[32 * s + j] = with_sign(magnitude, b.sign[4 * s + j / 8], j % 8);
    }
  }
}

}  // namespace braid
