// A model as Hugging Face lays it out: a folder with config.json and either model.safetensors or
// shards listed in model.safetensors.index.json. A lone .safetensors file works too.
//
// Owns the mappings; format/safetensors_part.h reads what is in them. Tokeniser and chat template
// lie in the same folder and are read by text/.
#pragma once

#include "base/mmap_file.h"
#include "format/json_config.h"
#include "format/tensor_file.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace braid {

class SafetensorsFolder final : public TensorFile {
 public:
  // Takes a folder, which must have a config.json; or one file, whose config.json is read when it
  // is there. A file named like a shard (-00001-of-00003.safetensors) stands for its folder.
  static std::unique_ptr<SafetensorsFolder> open(const std::string& path);

  // The same for one file in memory, which must outlive the object; `name` stands in errors.
  static std::unique_ptr<SafetensorsFolder> parse(const std::string& name,
                                                  std::span<const std::byte> bytes);

  const JsonConfig* config() const override { return config_.get(); }
  const std::string& folder() const override { return folder_; }
  std::span<const MmapFile> files() const override { return files_; }

 private:
  void add_file(const std::string& path);
  void add_shards(const std::string& index_path);
  void open_folder();

  std::string folder_;
  std::vector<MmapFile> files_;
  std::unique_ptr<JsonConfig> config_;
};

}  // namespace braid
