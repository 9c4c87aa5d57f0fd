// Q4_1: 32 weights in 20 bytes.
//
//   byte  0     2     4                                            20
//         |  d  |  m  | q[0] .. q[15]                              |
//         | f16 | f16 | low nibbles: weights 0..15, high: 16..31   |
//
//   w = d * nibble + m, the sum rounded
#pragma once

#include "base/half.h"
#include "quant/block.h"

namespace braid {

template <>
struct Block<DType::Q4_1> {
  uint16_t d, m;
  uint8_t q[16];
};
static_assert(sizeof(Block<DType::Q4_1>) == 20);

inline void decode(const Block<DType::Q4_1>& b, float* out) {
  const float d = f32_from_f16(b.d), m = f32_from_f16(b.m);
  for (int j = 0; j < 16; ++j) {
    out[j] = d * static_cast<float>(b.q[j] & 15) + m;
    out[16 + j] = d * static_cast<float>(b.q[j] >> 4) + m;
  }
}

}  // namespace braid
