// A model file seen as metadata and named tensors, whatever its container.
//
// GgufFile and SafetensorsFolder fill it; open_model_file (format/open.h) picks one. All names,
// shapes, types and byte ranges have been checked against the file before a TensorFile exists: who
// holds one may read every span it hands out. The bytes stay in the mapped files, which live as
// long as the TensorFile.
#pragma once

#include "base/mmap_file.h"
#include "quant/dtype.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace braid {

class JsonConfig;
class Metadata;

struct FileTensor {
  std::string name{};
  DType dtype = DType::F32;
  std::vector<int64_t> shape{};  // slowest dimension first, as PyTorch prints it: [rows, columns]
  std::span<const std::byte> bytes{};
  std::string path{};  // the file that holds it

  int64_t elements() const;
  int64_t columns() const { return shape.empty() ? 1 : shape.back(); }
  int64_t rows() const;  // all dimensions but the last
};

// "[4096, 2048]"
std::string shape_text(std::span<const int64_t> shape);

// The bytes of a tensor, or nothing when a dimension is negative, when the row is not a multiple of
// the type's block, or when a product does not fit into 63 bits.
std::optional<size_t> checked_bytes(DType dtype, std::span<const int64_t> shape);

class TensorFile {
 public:
  virtual ~TensorFile() = default;
  TensorFile(const TensorFile&) = delete;
  TensorFile& operator=(const TensorFile&) = delete;

  const std::string& path() const { return path_; }  // what the user named
  std::span<const FileTensor> tensors() const { return tensors_; }
  const FileTensor* find(std::string_view name) const;  // null when there is none
  const FileTensor& get(std::string_view name) const;   // throws Error naming file and tensor

  // What describes the model: a GGUF has metadata (format/metadata.h), a Hugging Face folder has a
  // config.json (format/json_config.h). The other one is null.
  virtual const Metadata* metadata() const { return nullptr; }
  virtual const JsonConfig* config() const { return nullptr; }

  // The files that hold the tensors; none when they were parsed from memory.
  virtual std::span<const MmapFile> files() const { return {}; }

  // Where the files lie that Hugging Face puts beside the weights; empty when there is no such
  // place.
  virtual const std::string& folder() const;

 protected:
  TensorFile() = default;
  // Fills the lookup; throws Error when two tensors have one name or share bytes.
  void index();

  std::string path_;
  std::vector<FileTensor> tensors_;

 private:
  std::unordered_map<std::string_view, size_t> by_name_;  // keys lie in tensors_
};

}  // namespace braid
