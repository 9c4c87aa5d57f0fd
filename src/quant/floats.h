// F32, F16 and BF16: one float to a block. Decoding is exact; a NaN stays a NaN.
#pragma once

#include "base/half.h"
#include "quant/block.h"

namespace braid {

template <>
struct Block<DType::F32> {
  float value;
};
static_assert(sizeof(Block<DType::F32>) == 4);

template <>
struct Block<DType::F16> {
  uint16_t value;  // sign 1, exponent 5, mantissa 10
};
static_assert(sizeof(Block<DType::F16>) == 2);

template <>
struct Block<DType::BF16> {
  uint16_t value;  // the upper half of an f32: sign 1, exponent 8, mantissa 7
};
static_assert(sizeof(Block<DType::BF16>) == 2);

inline void decode(const Block<DType::F32>& b, float* out) { out[0] = b.value; }
inline void decode(const Block<DType::F16>& b, float* out) { out[0] = f32_from_f16(b.value); }
inline void decode(const Block<DType::BF16>& b, float* out) { out[0] = f32_from_bf16(b.value); }

}  // namespace braid
