// IQ2_XXS: 256 weights in 66 bytes, 8 sub-blocks of 32 with a 4-bit scale each, groups of 8 from a
// grid of 256.
//
//   byte  0     2                                                          66
//         |  d  | u16 q[32]: 4 to a sub-block                              |
//         | f16 | q[4s], q[4s+1]: 4 grid indices of 8 bits, first lowest   |
//         |     | q[4s+2], q[4s+3]: signs and scale, see iq_signs.h        |
//
//   w = +-d * (1/2 + scale) / 4 * grid value, exact
#pragma once

#include "base/half.h"
#include "quant/block.h"
#include "quant/iq_grids.h"
#include "quant/iq_signs.h"

namespace braid {

template <>
struct Block<DType::IQ2_XXS> {
  uint16_t d;
  uint16_t q[32];

  SignsAndScale signs_and_scale(int s) const {
    return {q[4 * s + 2] | static_cast<uint32_t>(q[4 * s + 3]) << 16};
  }
  int index(int s, int g) const { return (q[4 * s + g / 2] >> (8 * (g % 2))) & 255; }
};
static_assert(sizeof(Block<DType::IQ2_XXS>) == 66);

inline void decode(const Block<DType::IQ2_XXS>& b, float* out) {
  const float d = f32_from_f16(b.d);
  for (int s = 0; s < 8; ++s) {
    const SignsAndScale word = b.signs_and_scale(s);
    const float scale = d * (0.5f + static_cast<float>(word.scale())) * 0.25f;
    for (int g = 0; g < 4; ++g) {
      const uint16_t entry = kIq2XxsGrid[b.index(s, g)];
      const uint8_t signs = word.signs(g);
      for (int i = 0; i < 8; ++i) {
        const float magnitude = scale * static_cast<float>(iq2_value(entry, i));
        out[32 * s + 8 * g + i] = with_sign(magnitude, signs, i);
      }
    }
  }
}

}  // namespace braid
