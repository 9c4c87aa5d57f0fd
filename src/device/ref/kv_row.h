// A row of keys or values as the cache stores it: rounded when it is written, decoded when it is
// read.
#pragma once

#include "quant/dtype.h"

#include <cstddef>
#include <cstdint>

namespace braid::ref {

// Rounds n values to `type`: F32, F16, BF16 or Q8_0 (blocks of 32 int8 and an f16 scale,
// amax / 127).
void write_kv_row(DType type, const double* values, int64_t n, std::byte* row);

}  // namespace braid::ref
