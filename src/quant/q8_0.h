// Q8_0: 32 weights in 34 bytes.
//
//   byte  0     2                          34
//         |  d  | q[0] .. q[31]            |
//         | f16 | signed bytes             |
//
//   w = d * q, exact
#pragma once

#include "base/half.h"
#include "quant/block.h"

namespace braid {

template <>
struct Block<DType::Q8_0> {
  uint16_t d;
  int8_t q[32];
};
static_assert(sizeof(Block<DType::Q8_0>) == 34);

inline void decode(const Block<DType::Q8_0>& b, float* out) {
  const float d = f32_from_f16(b.d);
  for (int j = 0; j < 32; ++j) out[j] = d * static_cast<float>(b.q[j]);
}

}  // namespace braid
