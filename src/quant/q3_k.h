// Q3_K: 256 weights in 110 bytes, 16 sub-blocks of 16 with a 6-bit scale each.
//
//   byte  0                     32                          96                108   110
//         | high[0] .. high[31] | low[0] .. low[63]         | sc[0] .. sc[11] |  d  |
//         | 1 bit a weight      | 2 bits a weight, as Q2_K  | 16 scales       | f16 |
//
//   Weight 32g + l (g = 0..7, l = 0..31) has its third bit in bit g of high[l]. A set bit means
//   q = low (0..3), a clear one q = low - 4.
//
//   Scales: the low four bits of scales 0..7 are the low nibbles of sc[0..7], those of 8..15 the
//   high nibbles. The upper two bits of scale t are the bits 2*(t/4)+1 .. 2*(t/4) of sc[8 + t%4].
//
//   w = d * (scale - 32) * q, exact
#pragma once

#include "base/half.h"
#include "quant/block.h"

namespace braid {

template <>
struct Block<DType::Q3_K> {
  uint8_t high[32];
  uint8_t low[64];
  uint8_t sc[12];
  uint16_t d;

  int scale(int t) const {  // of sub-block t = 0..15, -32..31
    const int low4 = t < 8 ? sc[t] & 15 : sc[t - 8] >> 4;
    const int high2 = (sc[8 + t % 4] >> (2 * (t / 4))) & 3;
    return (low4 | high2 << 4) - 32;
  }
};
static_assert(sizeof(Block<DType::Q3_K>) == 110);

inline void decode(const Block<DType::Q3_K>& b, float* out) {
  const float d = f32_from_f16(b.d);
  for (int j = 0; j < 256; ++j) {
    const int half = j / 128, part = j % 128 / 32, l = j % 32;
    const float scale = d * static_cast<float>(b.scale(j / 16));
    const int low = (b.low[32 * half + l] >> (2 * part)) & 3;
    const int high = (b.high[l] >> (j / 32)) & 1;
    out[j] = scale * static_cast<float>(high ? low : low - 4);
  }
}

}  // namespace braid
