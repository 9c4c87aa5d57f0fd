// IQ3_XXS: 256 weights in 98 bytes, 8 sub-blocks of 32 with a 4-bit scale each, groups of 4 from a
// grid of 256.
//
//   byte  0     2                          66                                 98
//         |  d  | q[0] .. q[63]            | word[0] .. word[7]               |
//         | f16 | grid index of group g    | 4 bytes a sub-block, low first:  |
//         |     |                          | signs and scale, see iq_signs.h  |
//
//   w = +-d * (1/2 + scale) / 2 * grid value, exact
#pragma once

#include "base/half.h"
#include "quant/block.h"
#include "quant/iq_grids.h"
#include "quant/iq_signs.h"

namespace braid {

template <>
struct Block<DType::IQ3_XXS> {
  uint16_t d;
  uint8_t q[64];
  uint8_t word[8][4];

  SignsAndScale signs_and_scale(int s) const {
    const auto& w = word[s];
    return {w[0] | static_cast<uint32_t>(w[1]) << 8 | static_cast<uint32_t>(w[2]) << 16 |
            static_cast<uint32_t>(w[3]) << 24};
  }
};
static_assert(sizeof(Block<DType::IQ3_XXS>) == 98);

inline void decode(const Block<DType::IQ3_XXS>& b, float* out) {
  const float d = f32_from_f16(b.d);
  for (int s = 0; s < 8; ++s) {
    const SignsAndScale word = b.signs_and_scale(s);
    const float scale = d * (0.5f + static_cast<float>(word.scale())) * 0.5f;
    for (int j = 0; j < 32; ++j) {
      const uint16_t entry = kIq3XxsGrid[b.q[8 * s + j / 4]];
      const float magnitude = scale * static_cast<float>(iq3_xxs_value(entry, j % 4));
      out[32 * s + j] = with_sign(magnitude, word.signs(j / 8), j % 8);
    }
  }
}

}  // namespace braid
