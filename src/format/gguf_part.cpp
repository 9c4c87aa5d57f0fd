#include "format/gguf_part.h"

#include "base/check.h"
#include "format/byte_cursor.h"
#include "format/content.h"
#include "format/printable.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace braid {
namespace {

// The fewest bytes that a key with its value and a tensor's description can take.
constexpr uint64_t kSmallestKey = 8 + 1 + 4 + 1;
constexpr uint64_t kSmallestTensor = 8 + 1 + 4 + 8 + 4 + 8;

struct Counts {
  uint64_t tensors;
  uint64_t keys;
};

Counts read_header(ByteCursor& in, std::span<const std::byte> bytes) {
  if (!looks_like_gguf(bytes)) {
    fail("{}: not a GGUF file but {}", in.path(), describe_content(bytes));
  }
  in.take(4, "magic");
  const uint32_t version = in.number<uint32_t>("version");
  if (version != 0 && (version & 0xffffu) == 0) {
    fail(
        "{}: the version reads as {:#010x}: the file was written for big-endian machines; Braid "
        "reads little-endian files, convert the model again on a little-endian one",
        in.path(), version);
  }
  if (version != 2 && version != kGgufVersion) {
    fail("{}: GGUF version {}, Braid reads versions 2 and 3: {}", in.path(), version,
         version < 2 ? "convert the model again with a current converter"
                     : "the file is damaged or newer than this Braid");
  }
  Counts counts;
  counts.tensors = in.number<uint64_t>("number of tensors");
  counts.keys = in.number<uint64_t>("number of keys");
  in.expect(counts.keys, kSmallestKey, "keys");
  in.expect(counts.tensors, kSmallestTensor, "tensors");
  return counts;
}

std::string_view read_name(ByteCursor& in, std::string_view what, size_t max_size) {
  const std::string_view name = in.string(what, max_size);
  if (name.empty()) {
    fail("{}: {}: its {} is empty: the file is damaged, download it again", in.path(), in.subject(),
         what);
  }
  if (!is_plain_name(name)) {
    fail("{}: {}: the {} \"{}\" is not plain text: the file is damaged, download it again",
         in.path(), in.subject(), what, printable(name));
  }
  return name;
}

MetaType read_type(ByteCursor& in, std::string_view what) {
  const int32_t type = in.number<int32_t>(what);
  if (type < 0 || type >= kMetaTypes) {
    fail("{}: {}: {} {}, known are 0 to {}: the file is damaged or newer than this Braid",
         in.path(), in.subject(), what, type, kMetaTypes - 1);
  }
  return static_cast<MetaType>(type);
}

void read_strings(ByteCursor& in, MetaEntry& entry) {
  in.expect(entry.count, 8, "strings");
  entry.strings.reserve(entry.count);
  for (size_t i = 0; i < entry.count; ++i) entry.strings.push_back(in.string("string"));
}

void read_numbers(ByteCursor& in, MetaEntry& entry) {
  in.expect(entry.count, size_of(entry.type), name_of(entry.type));
  entry.bytes = in.take(entry.count * size_of(entry.type), "value");
  if (entry.type != MetaType::Bool) return;
  const auto bad = std::find_if(entry.bytes.begin(), entry.bytes.end(),
                                [](std::byte b) { return b > std::byte{1}; });
  if (bad != entry.bytes.end()) {
    fail("{}: {}: a bool is {}, expected 0 or 1: the file is damaged, download it again", in.path(),
         in.subject(), static_cast<int>(*bad));
  }
}

MetaEntry read_entry(ByteCursor& in) {
  MetaEntry entry;
  entry.key = read_name(in, "key", kGgufMaxKey);
  in.set_subject("key " + printable(entry.key));
  entry.type = read_type(in, "value type");
  if (entry.type == MetaType::Array) {
    entry.is_array = true;
    entry.type = read_type(in, "element type");
    if (entry.type == MetaType::Array) {
      fail("{}: {}: an array of arrays, which Braid does not read: convert the model without it",
           in.path(), in.subject());
    }
    entry.count = in.number<uint64_t>("number of elements");
  }
  if (entry.type == MetaType::String) {
    read_strings(in, entry);
  } else {
    read_numbers(in, entry);
  }
  return entry;
}

struct Placed {
  FileTensor tensor;
  uint64_t offset;
};

std::vector<int64_t> read_shape(ByteCursor& in) {
  const uint32_t dims = in.number<uint32_t>("number of dimensions");
  if (dims < 1 || dims > kGgufMaxDims) {
    fail("{}: {}: {} dimensions, expected 1 to {}: the file is damaged, download it again",
         in.path(), in.subject(), dims, kGgufMaxDims);
  }
  std::vector<int64_t> shape(dims);
  for (size_t i = dims; i-- > 0;) shape[i] = in.number<int64_t>("dimension");
  if (std::any_of(shape.begin(), shape.end(), [](int64_t n) { return n <= 0; })) {
    fail("{}: {}: shape {}, expected dimensions above 0: the file is damaged, download it again",
         in.path(), in.subject(), shape_text(shape));
  }
  return shape;
}

Placed read_tensor(ByteCursor& in) {
  Placed placed;
  FileTensor& tensor = placed.tensor;
  tensor.path = in.path();
  tensor.name = read_name(in, "name", kGgufMaxTensorName);
  in.set_subject("tensor " + printable(tensor.name));
  tensor.shape = read_shape(in);
  const int32_t id = in.number<int32_t>("type");
  const std::optional<DType> dtype = dtype_from_gguf(id);
  if (!dtype) fail("{}: {}: {}", in.path(), in.subject(), describe_refused_gguf_type(id));
  tensor.dtype = *dtype;
  const DTypeInfo& type = info(tensor.dtype);
  if (tensor.columns() % type.block != 0) {
    fail(
        "{}: {}: rows of {} weights are not a multiple of {}'s block of {}: the file is damaged, "
        "download it again",
        in.path(), in.subject(), tensor.columns(), type.name, type.block);
  }
  placed.offset = in.number<uint64_t>("offset");
  return placed;
}

// Sets the tensor's bytes. `data` is the file from the start of the data section.
void locate(const ByteCursor& in, std::span<const std::byte> data, int64_t alignment,
            Placed& placed) {
  FileTensor& tensor = placed.tensor;
  const std::string name = printable(tensor.name);
  const std::optional<size_t> size = checked_bytes(tensor.dtype, tensor.shape);
  if (!size) {
    fail("{}: tensor {}: shape {} of {} overflows 63 bits: the file is damaged, download it again",
         in.path(), name, shape_text(tensor.shape), info(tensor.dtype).name);
  }
  if (placed.offset % static_cast<uint64_t>(alignment) != 0) {
    fail(
        "{}: tensor {}: offset {} is not a multiple of the alignment {}: the file is damaged, "
        "download it again",
        in.path(), name, placed.offset, alignment);
  }
  if (placed.offset > data.size() || *size > data.size() - placed.offset) {
    fail(
        "{}: tensor {}: {} bytes at offset {}, but the file has {} bytes of tensors: the file is "
        "cut short, download it again",
        in.path(), name, *size, placed.offset, data.size());
  }
  tensor.bytes = data.subspan(static_cast<size_t>(placed.offset), *size);
}

int64_t read_alignment(const std::string& path, const Metadata& metadata) {
  const int64_t alignment = metadata.integer_or("general.alignment", kGgufDefaultAlignment);
  if (alignment < 1 || alignment > kGgufMaxAlignment ||
      !std::has_single_bit(static_cast<uint64_t>(alignment))) {
    fail(
        "{}: key general.alignment is {}, expected a power of two up to {}: the file is damaged, "
        "download it again",
        path, alignment, kGgufMaxAlignment);
  }
  return alignment;
}

}  // namespace

GgufPart parse_gguf_part(const std::string& path, std::span<const std::byte> bytes) {
  ByteCursor in(path, bytes);
  const Counts counts = read_header(in, bytes);

  std::vector<MetaEntry> entries;
  for (uint64_t i = 0; i < counts.keys; ++i) {
    in.set_subject(fmt::format("key {} of {}", i + 1, counts.keys));
    entries.push_back(read_entry(in));
  }
  std::vector<Placed> placed;
  for (uint64_t i = 0; i < counts.tensors; ++i) {
    in.set_subject(fmt::format("tensor {} of {}", i + 1, counts.tensors));
    placed.push_back(read_tensor(in));
  }

  GgufPart part;
  part.metadata = std::make_unique<Metadata>(path, std::move(entries));
  const int64_t alignment = read_alignment(path, *part.metadata);
  const size_t mask = static_cast<size_t>(alignment) - 1;
  const size_t data_start = std::min((in.position() + mask) & ~mask, bytes.size());
  part.tensors.reserve(placed.size());
  for (Placed& p : placed) {
    locate(in, bytes.subspan(data_start), alignment, p);
    part.tensors.push_back(std::move(p.tensor));
  }
  return part;
}

}  // namespace braid
