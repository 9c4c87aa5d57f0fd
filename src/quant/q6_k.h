// Q6_K: 256 weights in 210 bytes, 16 sub-blocks of 16 with a signed 8-bit scale each.
//
//   byte  0                     128                  192               208   210
//         | low[0] .. low[127]  | high[0]..high[63]  | sc[0]..sc[15]   |  d  |
//         | 4 bits a weight     | 2 bits a weight    | signed bytes    | f16 |
//
//   Weights 128h .. 128h+127 use low[64h] .. low[64h+63] and high[32h] .. high[32h+31]; with
//   l = 0..31:
//     weight 128h + l        low nibble  of low[64h + l],       bits 1..0 of high[32h + l]
//     weight 128h + 32 + l   low nibble  of low[64h + 32 + l],  bits 3..2
//     weight 128h + 64 + l   high nibble of low[64h + l],       bits 5..4
//     weight 128h + 96 + l   high nibble of low[64h + 32 + l],  bits 7..6
//
//   w = d * scale * (q - 32), exact
#pragma once

#include "base/half.h"
#include "quant/block.h"

namespace braid {

template <>
struct Block<DType::Q6_K> {
  uint8_t low[128];
  uint8_t high[64];
  int8_t sc[16];
  uint16_t d;
};
static_assert(sizeof(Block<DType::Q6_K>) == 210);

inline void decode(const Block<DType::Q6_K>& b, float* out) {
  const float d = f32_from_f16(b.d);
  for (int j = 0; j < 256; ++j) {
    const int half = j / 128, part = j % 128 / 32, l = j % 32;
    const float scale = d * static_cast<float>(b.sc[j / 16]);
    const int low = (b.low[64 * half + 32 * (part % 2) + l] >> (4 * (part / 2))) & 15;
    const int high = (b.high[32 * half + l] >> (2 * part)) & 3;
    out[j] = scale * static_cast<float>((low | high << 4) - 32);
  }
}

}  // namespace braid
