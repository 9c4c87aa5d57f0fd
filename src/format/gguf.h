// A model in GGUF, versions 2 and 3, in one file or split into several.
//
// Owns the mappings; format/gguf_part.h reads what is in them. Of a split model
// (`name-00001-of-00003.gguf`) any part may be opened: all are, and the metadata is the first
// one's.
#pragma once

#include "base/mmap_file.h"
#include "format/metadata.h"
#include "format/tensor_file.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace braid {

class GgufFile final : public TensorFile {
 public:
  // Throws Error when a file is missing or anything in it is not as it should be.
  static std::unique_ptr<GgufFile> open(const std::string& path);

  // The same for a whole model in memory, which must outlive the object; `name` stands in errors.
  static std::unique_ptr<GgufFile> parse(const std::string& name, std::span<const std::byte> bytes);

  const Metadata* metadata() const override { return metadata_.get(); }
  std::span<const MmapFile> files() const override { return files_; }

 private:
  std::vector<MmapFile> files_;
  std::unique_ptr<Metadata> metadata_;
};

}  // namespace braid
