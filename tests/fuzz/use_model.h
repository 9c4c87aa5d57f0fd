// Does with a parsed model what a loader does: reads the ends of every tensor and decodes a row.
#pragma once

#include "format/tensor_file.h"

#include <cstddef>

namespace braid::fuzz {

void use_model(const TensorFile& model);

// The bytes of a file up to the end of its last tensor. Whoever reads beyond a tensor mostly reads
// other bytes of the file, and no sanitizer sees it; in a copy of so many bytes it does.
size_t bytes_in_use(const TensorFile& model, const void* file);

}  // namespace braid::fuzz
