#include "format/open.h"

#include "base/check.h"
#include "base/mmap_file.h"
#include "format/content.h"
#include "format/gguf.h"
#include "format/safetensors.h"

#include <filesystem>

namespace braid {

std::unique_ptr<TensorFile> open_model_file(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return SafetensorsFolder::open(path);
  const MmapFile file(path);
  if (looks_like_gguf(file.bytes())) return GgufFile::open(path);
  if (path.ends_with(".safetensors") || looks_like_safetensors(file.bytes())) {
    return SafetensorsFolder::open(path);
  }
  if (path.ends_with(".json")) {
    fail("{}: describes a model but holds no weights: name the folder that it lies in", path);
  }
  fail("{}: {}. Braid reads GGUF files, .safetensors files and Hugging Face folders with them",
       path, describe_content(file.bytes()));
}

}  // namespace braid
