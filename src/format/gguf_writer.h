// Writes a GGUF file, version 3: metadata, then the tensors' descriptions, then their bytes.
//
//   GgufWriter out("model.gguf");
//   out.add("general.architecture", "qwen3next");
//   out.add_tensor("output_norm.weight", DType::F32, {2048});
//   out.write(bytes);  // of all tensors in this order, in pieces of any size
//   out.finish();
//
// The bytes go to a temporary file in the same folder, which finish() renames; a writer that is
// destroyed before removes it. What the reader would refuse (names, keys, shapes) is an Error here.
#pragma once

#include "format/metadata.h"
#include "quant/dtype.h"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace braid {

template <class T>
concept MetaNumber = std::is_arithmetic_v<T> && !std::same_as<T, char> && sizeof(T) <= 8;

template <MetaNumber T>
constexpr MetaType meta_type_of() {
  if constexpr (std::same_as<T, bool>) return MetaType::Bool;
  if constexpr (std::is_floating_point_v<T>) return sizeof(T) == 4 ? MetaType::F32 : MetaType::F64;
  constexpr bool kSigned = std::is_signed_v<T>;
  switch (sizeof(T)) {
    case 1:
      return kSigned ? MetaType::I8 : MetaType::U8;
    case 2:
      return kSigned ? MetaType::I16 : MetaType::U16;
    case 4:
      return kSigned ? MetaType::I32 : MetaType::U32;
    default:
      return kSigned ? MetaType::I64 : MetaType::U64;
  }
}

class GgufWriter {
 public:
  explicit GgufWriter(std::string path, int64_t alignment = 32);
  ~GgufWriter();
  GgufWriter(const GgufWriter&) = delete;
  GgufWriter& operator=(const GgufWriter&) = delete;

  // Metadata, before the first write(). The type in the file is the type given: uint32_t{4} is a
  // u32.
  template <MetaNumber T>
  void add(std::string_view key, T value) {
    add_entry(
        {.key = key, .type = meta_type_of<T>(), .bytes = std::as_bytes(std::span(&value, 1))});
  }
  void add(std::string_view key, std::string_view value);
  template <MetaNumber T>
  void add_array(std::string_view key, std::span<const T> values) {
    add_entry({.key = key,
               .type = meta_type_of<T>(),
               .is_array = true,
               .count = values.size(),
               .bytes = std::as_bytes(values)});
  }
  void add_array(std::string_view key, std::span<const std::string_view> values);
  void add_entry(const MetaEntry& entry);
  // All of a model's keys but those about its file: the alignment and split.*.
  void add_all(const Metadata& metadata);

  // Slowest dimension first, as in FileTensor.
  void add_tensor(std::string_view name, DType dtype, std::vector<int64_t> shape);

  void write(std::span<const std::byte> bytes);
  void finish();

 private:
  class Output;
  struct Tensor {
    std::string name;
    DType dtype;
    std::vector<int64_t> shape;
    size_t bytes;
  };
  void begin_data();
  void pad();

  std::string path_;
  int64_t alignment_;
  std::unique_ptr<Output> output_;  // null when finished
  std::string keys_;                // as they will stand in the file
  std::vector<std::string> key_names_;
  std::vector<Tensor> tensors_;
  bool in_data_ = false;
  size_t current_ = 0;  // the tensor being written
  size_t done_ = 0;     // its bytes so far
};

}  // namespace braid
