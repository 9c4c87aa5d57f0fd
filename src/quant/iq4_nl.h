// IQ4_NL: 32 weights in 18 bytes, 4-bit codes into a table of unevenly spaced values.
//
//   byte  0     2                                            18
//         |  d  | q[0] .. q[15]                              |
//         | f16 | low nibbles: weights 0..15, high: 16..31   |
//
//   w = d * kIq4Values[nibble], exact
#pragma once

#include "base/half.h"
#include "quant/block.h"
#include "quant/codebooks.h"

namespace braid {

template <>
struct Block<DType::IQ4_NL> {
  uint16_t d;
  uint8_t q[16];
};
static_assert(sizeof(Block<DType::IQ4_NL>) == 18);

inline void decode(const Block<DType::IQ4_NL>& b, float* out) {
  const float d = f32_from_f16(b.d);
  for (int j = 0; j < 16; ++j) {
    out[j] = d * static_cast<float>(kIq4Values[b.q[j] & 15]);
    out[16 + j] = d * static_cast<float>(kIq4Values[b.q[j] >> 4]);
  }
}

}  // namespace braid
