#include "models/registry.h"

#include "base/check.h"
#include "base/file_pages.h"
#include "device/device.h"
#include "format/tensor_file.h"
#include "models/qwen_config.h"

#include <array>
#include <filesystem>
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

namespace {

// "Qwen3.5-4B-Q4_K_M" of "/models/Qwen3.5-4B-Q4_K_M.gguf", or a folder's name.
std::string name_of(const TensorFile& file) {
  const auto path = std::filesystem::path(file.path()).lexically_normal();
  if (!path.has_filename()) return path.parent_path().filename();
  return path.extension() == ".gguf" ? path.stem() : path.filename();
}

}  // namespace

std::unique_ptr<Model> load_model(const TensorFile& file, Device& device, const LoadHooks& hooks) {
  const std::string architecture = architecture_of(file);
  const FilePages pages(file.files());  // before a weight is read
  std::string known;
  for (const ModelFamily& family : model_families()) {
    if (family.architecture == architecture) {
      std::unique_ptr<Model> model = family.make(file, device);
      device.load({name_of(file), &pages, hooks});
      return model;
    }
    known += fmt::format("{}{}", known.empty() ? "" : ", ", family.architecture);
  }
  fail("{}: architecture \"{}\"; Braid runs {}", file.path(), architecture, known);
}

}  // namespace braid
