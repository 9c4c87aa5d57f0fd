// What the headers of the formats share: the declaration that each of them specialises.
//
// q4_k.h defines Block<DType::Q4_K>, the bytes of one block as they lie in a file (little endian,
// no padding), and decode(block, out), which is the meaning of the format for all of Braid: kernels
// may arrange the same integers as they like and are tested against it.
//
// One formula, one result: every product in a decoder is exact in f32 (an f16 scale has 11 bits,
// scale and value of a sub-block at most 12 together), so a weight is rounded once, in the
// subtraction or addition of a minimum, or not at all. The order of the factors and fused
// multiply-adds make no difference.
#pragma once

#include "quant/dtype.h"

#include <bit>

namespace braid {

static_assert(std::endian::native == std::endian::little, "blocks are read as they lie in a file");

template <DType type>
struct Block;

}  // namespace braid
