// IQ4_XS: 256 weights in 136 bytes, 8 sub-blocks of 32 with a 6-bit scale each, 4-bit codes into
// the table of IQ4_NL.
//
//   byte  0     2        4                     8                                  136
//         |  d  | sc_hi  | sc_lo[0]..sc_lo[3]  | q[0] .. q[127]                   |
//         | f16 | u16    | 8 nibbles           | 16 bytes a sub-block, each as    |
//         |     |        |                     | in IQ4_NL                        |
//
//   scale of sub-block s: low four bits nibble s of sc_lo (even s low, odd s high), upper two bits
//   the bits 2s+1 .. 2s of sc_hi
//
//   w = d * (scale - 32) * kIq4Values[nibble], exact
#pragma once

#include "base/half.h"
#include "quant/block.h"
#include "quant/codebooks.h"

namespace braid {

template <>
struct Block<DType::IQ4_XS> {
  uint16_t d;
  uint16_t sc_hi;
  uint8_t sc_lo[4];
  uint8_t q[128];

  int scale(int s) const {  // of sub-block s = 0..7, -32..31
    const int low = (sc_lo[s / 2] >> (4 * (s % 2))) & 15;
    const int high = (sc_hi >> (2 * s)) & 3;
    return (low | high << 4) - 32;
  }
};
static_assert(sizeof(Block<DType::IQ4_XS>) == 136);

inline void decode(const Block<DType::IQ4_XS>& b, float* out) {
  const float d = f32_from_f16(b.d);
  for (int s = 0; s < 8; ++s) {
    const float scale = d * static_cast<float>(b.scale(s));
    for (int j = 0; j < 16; ++j) {
      const uint8_t q = b.q[16 * s + j];
      out[32 * s + j] = scale * static_cast<float>(kIq4Values[q & 15]);
      out[32 * s + 16 + j] = scale * static_cast<float>(kIq4Values[q >> 4]);
    }
  }
}

}  // namespace braid
