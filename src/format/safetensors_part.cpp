#include "format/safetensors_part.h"

#include "base/check.h"
#include "format/content.h"
#include "format/json.h"
#include "format/printable.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

namespace braid {
namespace {

using Json = nlohmann::json;

constexpr std::pair<std::string_view, DType> kTypes[] = {
    {"F32", DType::F32}, {"F16", DType::F16}, {"BF16", DType::BF16}, {"F64", DType::F64},
    {"I8", DType::I8},   {"I16", DType::I16}, {"I32", DType::I32},   {"I64", DType::I64},
};

// Types of the format that Braid does not read; they mean a checkpoint quantised in PyTorch's ways.
constexpr std::array<std::string_view, 14> kRefused = {
    "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F6_E2M3", "F6_E3M2",
    "F4",      "BOOL",    "U8",      "U16",         "U32",         "U64",     "C64"};

// What a message says before its own part: "model.safetensors: tensor lm_head.weight".
struct Where {
  const std::string& path;
  std::string tensor;
};

[[noreturn]] void damaged(const Where& where, std::string_view what) {
  fail("{}: tensor {}: {}: the file is damaged, download it again", where.path, where.tensor, what);
}

DType read_dtype(const Where& where, const Json& tensor) {
  const auto dtype = tensor.find("dtype");
  if (dtype == tensor.end() || !dtype->is_string()) {
    damaged(where, fmt::format("dtype is {}, expected a string",
                               dtype == tensor.end() ? "missing" : json_text(*dtype)));
  }
  const auto& name = dtype->get_ref<const std::string&>();
  for (const auto& [known, type] : kTypes) {
    if (name == known) return type;
  }
  const bool refused = std::find(kRefused.begin(), kRefused.end(), name) != kRefused.end();
  fail("{}: tensor {}: dtype {} {}; Braid reads F32, F16, BF16, F64, I8, I16, I32 and I64: {}",
       where.path, where.tensor, printable(name), refused ? "is not read" : "is not known",
       refused ? "use the model's BF16 checkpoint or a GGUF of it"
               : "the file is damaged or newer than this Braid");
}

// A list of integers that are not negative.
std::vector<int64_t> read_integers(const Where& where, const Json& tensor, std::string_view key) {
  const auto list = tensor.find(key);
  if (list == tensor.end()) damaged(where, fmt::format("{} is missing", key));
  const auto is_size = [](const Json& value) {
    return value.is_number_unsigned() && std::in_range<int64_t>(value.get<uint64_t>());
  };
  if (!list->is_array() || !std::all_of(list->begin(), list->end(), is_size)) {
    damaged(where, fmt::format("{} is {}, expected a list of whole numbers below 2^63", key,
                               json_text(*list)));
  }
  std::vector<int64_t> values;
  for (const Json& value : *list) values.push_back(value.get<int64_t>());
  return values;
}

FileTensor read_tensor(const Where& where, const Json& json, std::span<const std::byte> data) {
  if (!json.is_object()) {
    damaged(where, fmt::format("its entry is {}, expected an object", json_text(json)));
  }
  FileTensor tensor;
  tensor.path = where.path;
  tensor.dtype = read_dtype(where, json);
  tensor.shape = read_integers(where, json, "shape");
  if (tensor.shape.size() > kSafetensorsMaxDims) {
    damaged(where, fmt::format("{} dimensions, expected at most {}", tensor.shape.size(),
                               kSafetensorsMaxDims));
  }
  const std::optional<size_t> size = checked_bytes(tensor.dtype, tensor.shape);
  if (!size) damaged(where, fmt::format("shape {} overflows 63 bits", shape_text(tensor.shape)));

  const std::vector<int64_t> offsets = read_integers(where, json, "data_offsets");
  if (offsets.size() != 2 || offsets[0] > offsets[1]) {
    damaged(where, fmt::format("data_offsets are {}, expected [begin, end] with begin <= end",
                               json_text(json["data_offsets"])));
  }
  const size_t begin = static_cast<size_t>(offsets[0]);
  const size_t end = static_cast<size_t>(offsets[1]);
  if (end > data.size()) {
    fail(
        "{}: tensor {}: ends at byte {}, but the file has {} bytes of tensors: the file is cut "
        "short, download it again",
        where.path, where.tensor, end, data.size());
  }
  if (end - begin != *size) {
    damaged(where,
            fmt::format("data_offsets hold {} bytes, but shape {} of {} takes {}", end - begin,
                        shape_text(tensor.shape), info(tensor.dtype).name, *size));
  }
  tensor.bytes = data.subspan(begin, *size);
  return tensor;
}

void check_metadata(const std::string& path, const Json& metadata) {
  const bool ok = metadata.is_object() && std::all_of(metadata.begin(), metadata.end(),
                                                      [](const Json& v) { return v.is_string(); });
  if (!ok) {
    fail(
        "{}: __metadata__ is {}, expected an object of strings: the file is damaged, download it "
        "again",
        path, json_text(metadata));
  }
}

std::string_view read_header(const std::string& path, std::span<const std::byte> bytes) {
  uint64_t length = 0;
  if (bytes.size() < sizeof(length)) {
    fail("{}: {} bytes, too few for a safetensors file: the file is cut short, download it again",
         path, bytes.size());
  }
  std::memcpy(&length, bytes.data(), sizeof(length));
  const auto rest = bytes.subspan(sizeof(length));
  if (rest.empty() || rest[0] != std::byte{'{'}) {
    fail("{}: not a safetensors file but {}", path, describe_content(bytes));
  }
  if (length > kMaxJsonBytes) {
    fail("{}: a header of {} bytes, at most {} are read: the file is damaged, download it again",
         path, length, kMaxJsonBytes);
  }
  if (length > rest.size()) {
    fail("{}: the header needs {} bytes and {} are left: the file is cut short, download it again",
         path, length, rest.size());
  }
  return {reinterpret_cast<const char*>(rest.data()), static_cast<size_t>(length)};
}

}  // namespace

std::vector<FileTensor> parse_safetensors_part(const std::string& path,
                                               std::span<const std::byte> bytes) {
  const std::string_view text = read_header(path, bytes);
  const auto data = bytes.subspan(sizeof(uint64_t) + text.size());
  const Json header = parse_json(path, text);
  CHECK(header.is_object());  // it begins with a brace

  std::vector<FileTensor> tensors;
  for (const auto& [name, json] : header.items()) {
    if (name == "__metadata__") {
      check_metadata(path, json);
      continue;
    }
    const Where where{path, printable(name)};
    if (!is_plain_name(name)) damaged(where, "its name is not plain text");
    tensors.push_back(read_tensor(where, json, data));
    tensors.back().name = name;
  }
  std::stable_sort(tensors.begin(), tensors.end(), [](const FileTensor& a, const FileTensor& b) {
    return a.bytes.data() < b.bytes.data();
  });
  return tensors;
}

}  // namespace braid
