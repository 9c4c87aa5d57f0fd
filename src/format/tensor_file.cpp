#include "format/tensor_file.h"

#include "base/check.h"
#include "format/printable.h"

#include <algorithm>
#include <functional>

namespace braid {

int64_t FileTensor::elements() const { return rows() * columns(); }

int64_t FileTensor::rows() const {
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
  return rows;
}

std::string shape_text(std::span<const int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + fmt::to_string(shape[i]);
  return text + "]";
}

std::optional<size_t> checked_bytes(DType dtype, std::span<const int64_t> shape) {
  const DTypeInfo& type = info(dtype);
  const int64_t columns = shape.empty() ? 1 : shape.back();
  if (columns < 0 || columns % type.block != 0) return std::nullopt;
  // A product that is 0 in the end must not overflow on its way either: rows() leaves factors out.
  int64_t bytes = type.block_bytes;
  int64_t elements = 1;
  bool empty = false;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] < 0) return std::nullopt;
    empty = empty || shape[i] == 0;
    const int64_t factor = std::max<int64_t>(shape[i], 1);
    const int64_t blocks =
        i + 1 == shape.size() ? std::max<int64_t>(factor / type.block, 1) : factor;
    if (__builtin_mul_overflow(bytes, blocks, &bytes)) return std::nullopt;
    if (__builtin_mul_overflow(elements, factor, &elements)) return std::nullopt;
  }
  return empty ? 0 : static_cast<size_t>(bytes);
}

const std::string& TensorFile::folder() const {
  static const std::string kNone;
  return kNone;
}

const FileTensor* TensorFile::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

const FileTensor& TensorFile::get(std::string_view name) const {
  const FileTensor* tensor = find(name);
  if (tensor == nullptr) {
    fail("{}: no tensor named {} among its {} tensors", path_, printable(name), tensors_.size());
  }
  return *tensor;
}

void TensorFile::index() {
  by_name_.clear();
  by_name_.reserve(tensors_.size());
  std::vector<const FileTensor*> by_address;
  for (size_t i = 0; i < tensors_.size(); ++i) {
    const FileTensor& tensor = tensors_[i];
    const auto [other, added] = by_name_.emplace(tensor.name, i);
    if (!added) {
      const std::string& first = tensors_[other->second].path;
      fail("{}: two tensors are named {}{}: the file is damaged, download it again", tensor.path,
           printable(tensor.name),
           first == tensor.path ? "" : fmt::format(", the first one is in {}", first));
    }
    if (!tensor.bytes.empty()) by_address.push_back(&tensor);
  }
  const auto lies_before = [](const FileTensor* a, const FileTensor* b) {
    return std::less<>()(a->bytes.data(), b->bytes.data());
  };
  std::sort(by_address.begin(), by_address.end(), lies_before);
  for (size_t i = 1; i < by_address.size(); ++i) {
    const FileTensor& a = *by_address[i - 1];
    const FileTensor& b = *by_address[i];
    const std::byte* end = a.bytes.data() + a.bytes.size();
    if (!std::less<>()(b.bytes.data(), end)) continue;
    fail(
        "{}: tensors {} and {} overlap: the second begins {} bytes before the first one ends; the "
        "file is damaged, download it again",
        b.path, printable(a.name), printable(b.name), end - b.bytes.data());
  }
}

}  // namespace braid
