// The 12 bytes in which Q4_K and Q5_K keep a 6-bit scale and a 6-bit minimum for each of 8
// sub-blocks.
//
//   byte       bits 7..6                     bits 5..0
//   0 .. 3     bits 5..4 of scale 4 .. 7     scale 0 .. 3
//   4 .. 7     bits 5..4 of min   4 .. 7     min   0 .. 3
//   byte       bits 7..4                     bits 3..0
//   8 .. 11    bits 3..0 of min   4 .. 7     bits 3..0 of scale 4 .. 7
#pragma once

#include <cstdint>

namespace braid {

struct ScaleMin {
  int scale, min;  // 0..63
};

inline ScaleMin k_scale_min(const uint8_t (&packed)[12], int sub_block) {
  if (sub_block < 4) return {packed[sub_block] & 63, packed[4 + sub_block] & 63};
  const int i = sub_block - 4;
  const int scale = (packed[8 + i] & 15) | (packed[i] >> 6) << 4;
  const int min = (packed[8 + i] >> 4) | (packed[4 + i] >> 6) << 4;
  return {scale, min};
}

}  // namespace braid
