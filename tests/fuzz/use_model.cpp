#include "use_model.h"

#include "base/check.h"
#include "quant/dtype.h"

#include <algorithm>
#include <vector>

namespace braid::fuzz {
namespace {

volatile unsigned sink;  // keeps the compiler from leaving the reads out

void touch(std::byte byte) { sink = sink + static_cast<unsigned>(byte); }

void use_tensor(const TensorFile& model, const FileTensor& tensor) {
  CHECK(&model.get(tensor.name) == &tensor);
  CHECK(checked_bytes(tensor.dtype, tensor.shape) == tensor.bytes.size());
  CHECK(tensor.elements() == tensor.rows() * tensor.columns());
  if (tensor.bytes.empty()) return;
  touch(tensor.bytes.front());
  touch(tensor.bytes.back());
#ifdef BRAID_FUZZ_PLANT
  if (tensor.shape.size() == 3) touch(tensor.bytes.data()[tensor.bytes.size()]);
#endif
  if (!info(tensor.dtype).weights) return;
  std::vector<float> row(static_cast<size_t>(tensor.columns()));
  decode_row(tensor.dtype, tensor.bytes.data(), tensor.columns(), row.data());
}

}  // namespace

void use_model(const TensorFile& model) {
  for (const FileTensor& tensor : model.tensors()) use_tensor(model, tensor);
}

size_t bytes_in_use(const TensorFile& model, const void* file) {
  const auto* begin = static_cast<const std::byte*>(file);
  const std::byte* end = begin;
  for (const FileTensor& tensor : model.tensors()) {
    if (!tensor.bytes.empty()) end = std::max(end, tensor.bytes.data() + tensor.bytes.size());
  }
  return static_cast<size_t>(end - begin);
}

}  // namespace braid::fuzz
