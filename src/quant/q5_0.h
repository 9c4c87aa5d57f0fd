// Q5_0: 32 weights in 22 bytes.
//
//   byte  0     2                        6                                            22
//         |  d  | high[0] .. high[3]     | low[0] .. low[15]                          |
//         | f16 | bit j: bit 4 of q of   | low nibbles: weights 0..15, high: 16..31   |
//         |     | weight j (LSB first)   |                                            |
//
//   w = d * (q - 16), exact
#pragma once

#include "base/half.h"
#include "quant/block.h"

namespace braid {

template <>
struct Block<DType::Q5_0> {
  uint16_t d;
  uint8_t high[4];
  uint8_t low[16];
};
static_assert(sizeof(Block<DType::Q5_0>) == 22);

inline void decode(const Block<DType::Q5_0>& b, float* out) {
  const float d = f32_from_f16(b.d);
  for (int j = 0; j < 32; ++j) {
    const int low = j < 16 ? b.low[j] & 15 : b.low[j - 16] >> 4;
    const int high = (b.high[j / 8] >> (j % 8)) & 1;
    out[j] = d * static_cast<float>((low | high << 4) - 16);
  }
}

}  // namespace braid
