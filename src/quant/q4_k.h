// Q4_K: 256 weights in 144 bytes, 8 sub-blocks of 32 with a 6-bit scale and a 6-bit minimum each.
//
//   byte  0     2      4                16                                             144
//         |  d  | dmin | sc[0]..sc[11]  | q[0] .. q[127]                               |
//         | f16 | f16  | see k_scales.h | 4 pairs of sub-blocks, 32 bytes each         |
//
//   q[32p + l]: low nibble weight l of sub-block 2p, high nibble weight l of sub-block 2p + 1
//
//   w = d * scale * nibble - dmin * minimum, the subtraction rounded
#pragma once

#include "base/half.h"
#include "quant/block.h"
#include "quant/k_scales.h"

namespace braid {

template <>
struct Block<DType::Q4_K> {
  uint16_t d, dmin;
  uint8_t sc[12];
  uint8_t q[128];
};
static_assert(sizeof(Block<DType::Q4_K>) == 144);

inline void decode(const Block<DType::Q4_K>& b, float* out) {
  const float d = f32_from_f16(b.d), dmin = f32_from_f16(b.dmin);
  for (int s = 0; s < 8; ++s) {
    const ScaleMin sm = k_scale_min(b.sc, s);
    const float scale = d * static_cast<float>(sm.scale);
    const float minimum = dmin * static_cast<float>(sm.min);
    for (int l = 0; l < 32; ++l) {
      const int q = (b.q[32 * (s / 2) + l] >> (4 * (s % 2))) & 15;
      out[32 * s + l] = scale * static_cast<float>(q) - minimum;
    }
  }
}

}  // namespace braid
