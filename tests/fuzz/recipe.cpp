#include "recipe.h"

#include "format/metadata.h"
#include "format/tensor_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace braid::fuzz {
namespace {

constexpr size_t kMostTensorBytes = 1 << 14;  // so that files stay small

template <class T>
std::string le(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

std::string gguf_string(std::string_view text) {
  return le(uint64_t{text.size()}) + std::string(text);
}

std::string gguf_value(Recipe& in, MetaType type) {
  if (type == MetaType::String) return gguf_string(in.text(in.below(8)));
  if (type == MetaType::Bool && !in.seldom()) return std::string(1, static_cast<char>(in.below(2)));
  if (type == MetaType::Array) return in.text(12);
  return in.text(size_of(type));
}

std::string gguf_key(Recipe& in, size_t number) {
  constexpr std::string_view kNames[] = {"general.alignment", "split.count", "split.no",
                                         "general.architecture"};
  const size_t name = in.below(16);
  std::string out = gguf_string(name < 4 ? std::string(kNames[name]) : fmt::format("k{}", number));
  MetaType type = static_cast<MetaType>(in.below(kMetaTypes));
  out += le(in.seldom() ? -1 : static_cast<int32_t>(type));
  if (type != MetaType::Array) return out + gguf_value(in, type);
  type = static_cast<MetaType>(in.below(kMetaTypes));
  const size_t count = in.below(5);
  out += le(static_cast<int32_t>(type)) + le(in.seldom() ? in.number() : int64_t(count));
  for (size_t i = 0; i < count; ++i) out += gguf_value(in, type);
  return out;
}

// A dimension; the first one is mostly a whole number of blocks.
int64_t gguf_dimension(Recipe& in, int64_t block) {
  const int64_t n = in.number();
  return n > 0 && n < 1000 && !in.seldom() ? n * block : n;
}

// Appends a tensor's description; `end` is where the tensors so far end.
std::string gguf_tensor(Recipe& in, size_t number, uint64_t& end) {
  std::string out = gguf_string(in.seldom() ? in.text(4) : fmt::format("t{}", number));
  const auto types = all_dtypes();
  const DTypeInfo& type = types[in.below(types.size())];
  std::vector<int64_t> shape(in.seldom() ? in.below(7) : 1 + in.below(4));
  out += le(static_cast<uint32_t>(shape.size()));
  for (size_t i = 0; i < shape.size(); ++i) {
    const int64_t n = gguf_dimension(in, i == 0 ? type.block : 1);
    shape[shape.size() - 1 - i] = n;
    out += le(n);
  }
  out += le(in.seldom() ? static_cast<int32_t>(in.number()) : type.gguf_id);
  out += le(in.seldom() ? static_cast<uint64_t>(in.number()) * 32 : end);
  const size_t bytes = checked_bytes(type.type, shape).value_or(0);
  if (bytes <= kMostTensorBytes) end = (end + bytes + 31) / 32 * 32;
  return out;
}

}  // namespace

std::string build_gguf(Recipe in) {
  const size_t keys = in.below(5);
  const size_t tensors = in.below(5);
  std::string out = "GGUF" + le(2 + static_cast<uint32_t>(in.below(2)));
  out += le(in.seldom() ? in.number() : int64_t(tensors));
  out += le(in.seldom() ? in.number() : int64_t(keys));
  for (size_t i = 0; i < keys; ++i) out += gguf_key(in, i);
  uint64_t end = 0;
  for (size_t i = 0; i < tensors; ++i) out += gguf_tensor(in, i, end);
  out.resize((out.size() + 31) / 32 * 32 + end, '\x5a');
  return out.substr(0, out.size() - (in.seldom() ? in.below(64) : 0));
}

std::string build_safetensors(Recipe in) {
  constexpr std::string_view kTypes[] = {"F32", "F16", "BF16", "F64", "I8", "I16", "I32", "I64"};
  constexpr DType kDTypes[] = {DType::F32, DType::F16, DType::BF16, DType::F64,
                               DType::I8,  DType::I16, DType::I32,  DType::I64};
  std::string header = in.seldom() ? R"({"__metadata__":{"a":"b"})" : R"({"__metadata__":{})";
  size_t end = 0;
  for (size_t i = 0, n = in.below(5); i < n; ++i) {
    const size_t type = in.below(8);
    std::vector<int64_t> shape(in.seldom() ? in.below(10) : in.below(5));
    for (int64_t& n_dim : shape) n_dim = in.number();
    size_t bytes = checked_bytes(kDTypes[type], shape).value_or(0);
    if (bytes > kMostTensorBytes) bytes = 0;
    const int64_t begin = in.seldom() ? in.number() : int64_t(end);
    const int64_t stop = in.seldom() ? in.number() : static_cast<int64_t>(uint64_t(begin) + bytes);
    header += fmt::format(R"(,"t{}":{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})", i,
                          in.seldom() ? "U8" : kTypes[type], shape_text(shape), begin, stop);
    end += bytes;
  }
  header += "}";
  std::string out = le(uint64_t{header.size()}) + header;
  out.resize(out.size() + end, '\x5a');
  return out.substr(0, out.size() - std::min(out.size(), in.seldom() ? in.below(64) : 0));
}

}  // namespace braid::fuzz
