// Does with a parsed model what a loader does: reads the ends of every tensor and decodes a row.
#pragma once

#include "format/tensor_file.h"

namespace braid::fuzz {

void use_model(const TensorFile& model);

}  // namespace braid::fuzz
