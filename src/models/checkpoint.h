// Reading weights of known names and shapes from a checkpoint. A tensor that is missing or has
// another shape or type than the model's config implies is an Error that names file, tensor and
// both shapes.
#pragma once

#include "device/packed.h"
#include "format/tensor_file.h"

#include <cstdint>
#include <string>
#include <vector>

namespace braid {

class Checkpoint {
 public:
  explicit Checkpoint(const TensorFile& file) : file_(file) {}

  const TensorFile& file() const { return file_; }
  bool has(const std::string& name) const { return file_.find(name) != nullptr; }

  // A matrix of rows x cols, whatever the dimensions in front of the columns are called in the
  // file. `why` says where the expected numbers come from.
  FileMatrix matrix(const std::string& name, int64_t rows, int64_t cols,
                    const std::string& why) const;

  // A small tensor of n numbers of any type, decoded.
  std::vector<float> vector(const std::string& name, int64_t n, const std::string& why) const;

 private:
  const FileTensor& checked(const std::string& name, int64_t rows, int64_t cols,
                            const std::string& why) const;
  std::vector<float> scales(const std::string& name) const;

  const TensorFile& file_;
};

// Rows [begin, begin + count) of m; appends them to `to`.
void append_rows(FileMatrix& to, const FileMatrix& m, int64_t begin, int64_t count);
// One matrix after the other. Types and columns must be equal: `what` goes into the Error if not.
FileMatrix stack(const std::vector<FileMatrix>& parts, const std::string& what);
// Interleaved rows taken apart: of each of `groups` equal groups, the `count` rows from `begin` on.
FileMatrix take_groups(const FileMatrix& m, int64_t groups, int64_t begin, int64_t count);

}  // namespace braid
