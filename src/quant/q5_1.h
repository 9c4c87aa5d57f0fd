// Q5_1: 32 weights in 24 bytes.
//
//   byte  0     2     4                        8                                            24
//         |  d  |  m  | high[0] .. high[3]     | low[0] .. low[15]                          |
//         | f16 | f16 | bit j: bit 4 of q of   | low nibbles: weights 0..15, high: 16..31   |
//         |     |     | weight j (LSB first)   |                                            |
//
//   w = d * q + m, the sum rounded
#pragma once

#include "base/half.h"
#include "quant/block.h"

namespace braid {

template <>
struct Block<DType::Q5_1> {
  uint16_t d, m;
  uint8_t high[4];
  uint8_t low[16];
};
static_assert(sizeof(Block<DType::Q5_1>) == 24);

inline void decode(const Block<DType::Q5_1>& b, float* out) {
  const float d = f32_from_f16(b.d), m = f32_from_f16(b.m);
  for (int j = 0; j < 32; ++j) {
    const int low = j < 16 ? b.low[j] & 15 : b.low[j - 16] >> 4;
    const int high = (b.high[j / 8] >> (j % 8)) & 1;
    out[j] = d * static_cast<float>(low | high << 4) + m;
  }
}

}  // namespace braid
