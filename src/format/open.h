// Opens a model by what it is, not by what it is called.
#pragma once

#include "format/tensor_file.h"

#include <memory>
#include <string>

namespace braid {

// A GGUF file (or one part of a split one), a .safetensors file, or a Hugging Face folder. Throws
// Error that says what was found instead and what to do about it.
std::unique_ptr<TensorFile> open_model_file(const std::string& path);

}  // namespace braid
