// Q2_K: 256 weights in 84 bytes, 16 sub-blocks of 16 with a 4-bit scale and a 4-bit minimum each.
//
//   byte  0                       16                                   80    82     84
//         | sc[0] .. sc[15]       | q[0] .. q[63]                      |  d  | dmin |
//         | low nibble: scale     | 2 bits a weight, see below         | f16 | f16  |
//         | high nibble: minimum  |                                    |     |      |
//
//   Weights 128h .. 128h+127 use the bytes q[32h] .. q[32h+31], four to a byte:
//     bits 1..0: weight 128h + l,  3..2: + 32,  5..4: + 64,  7..6: + 96     (l = 0..31)
//
//   w = d * scale * q - dmin * minimum, the subtraction rounded
#pragma once

#include "base/half.h"
#include "quant/block.h"

namespace braid {

template <>
struct Block<DType::Q2_K> {
  uint8_t sc[16];
  uint8_t q[64];
  uint16_t d, dmin;
};
static_assert(sizeof(Block<DType::Q2_K>) == 84);

inline void decode(const Block<DType::Q2_K>& b, float* out) {
  const float d = f32_from_f16(b.d), dmin = f32_from_f16(b.dmin);
  for (int j = 0; j < 256; ++j) {
    const int half = j / 128, part = j % 128 / 32, l = j % 32;
    const uint8_t sc = b.sc[j / 16];
    const float scale = d * static_cast<float>(sc & 15);
    const float minimum = dmin * static_cast<float>(sc >> 4);
    const int q = (b.q[32 * half + l] >> (2 * part)) & 3;
    out[j] = scale * static_cast<float>(q) - minimum;
  }
}

}  // namespace braid
