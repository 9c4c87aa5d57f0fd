// From a matrix of the file to strips in memory: the same integers in another order
// (kernels/packed.h).
#pragma once

#include "device/cpu/matrix.h"

#include <optional>

namespace braid::cpu {

// How a matrix is kept; nothing for types that have no strips of their own and are decoded when
// they are multiplied. A matrix of f32 that holds bf16 values alone is kept as bf16.
std::optional<PackedType> packed_type(const FileMatrix& matrix);

size_t strip_bytes(PackedType type, int64_t cols);

// Packs the strips [begin, end) of a matrix whose type is set, one after the other, to zeroed
// memory.
void pack_strips(const Matrix& m, int64_t begin, int64_t end, std::byte* to);

}  // namespace braid::cpu
