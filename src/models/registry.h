// The model families of this build.
#pragma once

#include "models/model.h"

#include <memory>
#include <span>
#include <string_view>

namespace braid {

struct ModelFamily {
  std::string_view architecture;  // as GGUF calls it
  std::unique_ptr<Model> (*make)(const TensorFile& file, Device& device);
};
std::span<const ModelFamily> model_families();

std::unique_ptr<Model> make_qwen_hybrid(const TensorFile& file, Device& device);

}  // namespace braid
