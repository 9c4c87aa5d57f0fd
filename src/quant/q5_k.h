// Q5_K: 256 weights in 176 bytes, 8 sub-blocks of 32 with a 6-bit scale and a 6-bit minimum each.
//
//   byte  0     2      4                16                    48                          176
//         |  d  | dmin | sc[0]..sc[11]  | high[0] .. high[31] | low[0] .. low[127]        |
//         | f16 | f16  | see k_scales.h | 1 bit a weight      | 4 bits a weight, as Q4_K  |
//
//   Bit 4 of q of weight l of sub-block s is bit s of high[l].
//
//   w = d * scale * q - dmin * minimum, the subtraction rounded
#pragma once

#include "base/half.h"
#include "quant/block.h"
#include "quant/k_scales.h"

namespace braid {

template <>
struct Block<DType::Q5_K> {
  uint16_t d, dmin;
  uint8_t sc[12];
  uint8_t high[32];
  uint8_t low[128];
};
static_assert(sizeof(Block<DType::Q5_K>) == 176);

inline void decode(const Block<DType::Q5_K>& b, float* out) {
  const float d = f32_from_f16(b.d), dmin = f32_from_f16(b.dmin);
  for (int s = 0; s < 8; ++s) {
    const ScaleMin sm = k_scale_min(b.sc, s);
    const float scale = d * static_cast<float>(sm.scale);
    const float minimum = dmin * static_cast<float>(sm.min);
    for (int l = 0; l < 32; ++l) {
      const int low = (b.low[32 * (s / 2) + l] >> (4 * (s % 2))) & 15;
      const int high = (b.high[l] >> s) & 1;
      out[32 * s + l] = scale * static_cast<float>(low | high << 4) - minimum;
    }
  }
}

}  // namespace braid
