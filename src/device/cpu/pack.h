// From a matrix of the file to strips in memory: the same integers in another order
// (kernels/packed.h).
#pragma once

#include "device/cpu/kernels/packed.h"
#include "device/packed.h"

#include <optional>

namespace braid::cpu {

// How a matrix is kept; nothing for types that have no strips of their own and are decoded when
// they are multiplied. A matrix of f32 that holds bf16 values alone is kept as bf16.
std::optional<PackedType> packed_type(const FileMatrix& matrix);

size_t strip_bytes(PackedType type, int64_t cols);

// Packs 16 rows; null pointers count as rows of zeros. `to` is zeroed memory.
void pack_strip(DType from, PackedType type, int64_t cols, const std::byte* const* rows,
                std::byte* to);

}  // namespace braid::cpu
