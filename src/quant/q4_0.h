// Q4_0: 32 weights in 18 bytes.
//
//   byte  0     2                                            18
//         |  d  | q[0] .. q[15]                              |
//         | f16 | low nibbles: weights 0..15, high: 16..31   |
//
//   w = d * (nibble - 8), exact
#pragma once

#include "base/half.h"
#include "quant/block.h"

namespace braid {

template <>
struct Block<DType::Q4_0> {
  uint16_t d;
  uint8_t q[16];
};
static_assert(sizeof(Block<DType::Q4_0>) == 18);

inline void decode(const Block<DType::Q4_0>& b, float* out) {
  const float d = f32_from_f16(b.d);
  for (int j = 0; j < 16; ++j) {
    out[j] = d * static_cast<float>((b.q[j] & 15) - 8);
    out[16 + j] = d * static_cast<float>((b.q[j] >> 4) - 8);
  }
}

}  // namespace braid
