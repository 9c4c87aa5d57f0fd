// From a matrix of the file to strips in memory: the same integers in another order
// (kernels/packed.h).
#pragma once

#include "device/cpu/matrix.h"

namespace braid::cpu {

// How a matrix is kept. One of f32 that holds bf16 values alone is kept as bf16.
PackedType packed_type(const FileMatrix& matrix);

size_t strip_bytes(PackedType type, int64_t cols);

// Bits of a weight of a type of the file in strips: more than in the file for those with a grid.
double packed_bits(DType type);

// Packs the strips [begin, end) of a matrix whose type is set, one after the other, to zeroed
// memory.
void pack_strips(const Matrix& m, int64_t begin, int64_t end, std::byte* to);

}  // namespace braid::cpu
