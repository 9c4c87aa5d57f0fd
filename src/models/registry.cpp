#include "models/registry.h"

#include "base/check.h"
#include "format/tensor_file.h"
#include "models/qwen_config.h"

#include <array>
#include <string>

namespace braid {

std::span<const ModelFamily> model_families() {
  static constexpr std::array kFamilies = {
      ModelFamily{"qwen3next", make_qwen_hybrid},
      ModelFamily{"qwen35", make_qwen_hybrid},
      ModelFamily{"qwen35moe", make_qwen_hybrid},
  };
  return kFamilies;
}

std::unique_ptr<Model> load_model(const TensorFile& file, Device& device) {
  const std::string architecture = architecture_of(file);
  std::string known;
  for (const ModelFamily& family : model_families()) {
    if (family.architecture == architecture) return family.make(file, device);
    known += fmt::format("{}{}", known.empty() ? "" : ", ", family.architecture);
  }
  fail("{}: architecture \"{}\"; Braid runs {}", file.path(), architecture, known);
}

}  // namespace braid
