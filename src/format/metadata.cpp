#include "format/metadata.h"

#include "base/check.h"
#include "format/printable.h"

#include <bit>
#include <cstring>
#include <utility>

namespace braid {
namespace {

static_assert(std::endian::native == std::endian::little,
              "values are read as they lie in the file");

struct TypeInfo {
  std::string_view name;
  size_t size;
};
constexpr TypeInfo kTypes[kMetaTypes] = {
    {"u8", 1},   {"i8", 1},     {"u16", 2},   {"i16", 2}, {"u32", 4}, {"i32", 4}, {"f32", 4},
    {"bool", 1}, {"string", 0}, {"array", 0}, {"u64", 8}, {"i64", 8}, {"f64", 8},
};

// A file can be whole and yet not say what Braid needs.
constexpr std::string_view kRemedy = "convert the model again with a current converter";

template <class T>
T load(const MetaEntry& entry, size_t i) {
  T value;
  std::memcpy(&value, entry.bytes.data() + i * sizeof(T), sizeof(T));
  return value;
}

bool is_integer(MetaType type) {
  switch (type) {
    case MetaType::U8:
    case MetaType::I8:
    case MetaType::U16:
    case MetaType::I16:
    case MetaType::U32:
    case MetaType::I32:
    case MetaType::U64:
    case MetaType::I64:
      return true;
    default:
      return false;
  }
}

bool is_float(MetaType type) { return type == MetaType::F32 || type == MetaType::F64; }

// Any integer or boolean but u64, which the callers look at themselves.
int64_t load_integer(const MetaEntry& entry, size_t i) {
  switch (entry.type) {
    case MetaType::U8:
    case MetaType::Bool:
      return load<uint8_t>(entry, i);
    case MetaType::I8:
      return load<int8_t>(entry, i);
    case MetaType::U16:
      return load<uint16_t>(entry, i);
    case MetaType::I16:
      return load<int16_t>(entry, i);
    case MetaType::U32:
      return load<uint32_t>(entry, i);
    case MetaType::I32:
      return load<int32_t>(entry, i);
    default:
      CHECK(entry.type == MetaType::I64);
      return load<int64_t>(entry, i);
  }
}

double load_float(const MetaEntry& entry, size_t i) {
  return entry.type == MetaType::F32 ? static_cast<double>(load<float>(entry, i))
                                     : load<double>(entry, i);
}

std::string element_text(const MetaEntry& entry, size_t i, size_t max) {
  if (entry.type == MetaType::String) return '"' + printable(entry.strings[i], max) + '"';
  if (entry.type == MetaType::Bool) return load<uint8_t>(entry, i) != 0 ? "true" : "false";
  if (entry.type == MetaType::U64) return fmt::to_string(load<uint64_t>(entry, i));
  if (entry.type == MetaType::F32) return fmt::to_string(load<float>(entry, i));
  if (entry.type == MetaType::F64) return fmt::to_string(load<double>(entry, i));
  return fmt::to_string(load_integer(entry, i));
}

}  // namespace

std::string_view name_of(MetaType type) { return kTypes[static_cast<size_t>(type)].name; }
size_t size_of(MetaType type) { return kTypes[static_cast<size_t>(type)].size; }

std::string MetaEntry::type_text() const {
  return is_array ? fmt::format("array of {} {}", count, name_of(type))
                  : std::string(name_of(type));
}

std::string MetaEntry::text(size_t max) const {
  if (!is_array) return element_text(*this, 0, max);
  std::string out = "[";
  for (size_t i = 0; i < count; ++i) {
    if (i != 0) out += ", ";
    const std::string element = element_text(*this, i, max);
    if (out.size() + element.size() > max) return out + fmt::format("... {} in all]", count);
    out += element;
  }
  return out + "]";
}

Metadata::Metadata(std::string path, std::vector<MetaEntry> entries)
    : path_(std::move(path)), entries_(std::move(entries)) {
  by_key_.reserve(entries_.size());
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (!by_key_.emplace(entries_[i].key, i).second) {
      fail("{}: key {} is there twice: the file is damaged, download it again", path_,
           printable(entries_[i].key));
    }
  }
}

const MetaEntry* Metadata::find(std::string_view key) const {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : &entries_[found->second];
}

const MetaEntry& Metadata::get(std::string_view key) const {
  const MetaEntry* entry = find(key);
  if (entry == nullptr) {
    fail("{}: key {} is missing: {}", path_, printable(key), kRemedy);
  }
  return *entry;
}

void Metadata::wrong_kind(const MetaEntry& entry, std::string_view expected) const {
  fail("{}: key {} is {} = {}, expected {}: {}", path_, printable(entry.key), entry.type_text(),
       entry.text(), expected, kRemedy);
}

const MetaEntry& Metadata::single(std::string_view key) const {
  const MetaEntry& entry = get(key);
  if (entry.is_array) wrong_kind(entry, "a single value");
  return entry;
}

const MetaEntry& Metadata::array(std::string_view key) const {
  const MetaEntry& entry = get(key);
  if (!entry.is_array) wrong_kind(entry, "an array");
  return entry;
}

int64_t Metadata::integer_at(const MetaEntry& entry, size_t i) const {
  if (!is_integer(entry.type) && !(entry.is_array && entry.type == MetaType::Bool)) {
    wrong_kind(entry, entry.is_array ? "integers" : "an integer");
  }
  if (entry.type != MetaType::U64) return load_integer(entry, i);
  const uint64_t value = load<uint64_t>(entry, i);
  if (!std::in_range<int64_t>(value)) {
    fail("{}: key {} holds {}, which does not fit into 63 bits: {}", path_, printable(entry.key),
         value, kRemedy);
  }
  return static_cast<int64_t>(value);
}

double Metadata::number_at(const MetaEntry& entry, size_t i) const {
  if (is_float(entry.type)) return load_float(entry, i);
  if (!is_integer(entry.type)) wrong_kind(entry, entry.is_array ? "numbers" : "a number");
  return static_cast<double>(integer_at(entry, i));
}

int64_t Metadata::integer(std::string_view key, int64_t min, int64_t max) const {
  const int64_t value = integer_at(single(key), 0);
  if (value < min || value > max) {
    fail("{}: key {} is {}, expected {} to {}: {}", path_, printable(key), value, min, max,
         kRemedy);
  }
  return value;
}

double Metadata::number(std::string_view key) const { return number_at(single(key), 0); }

bool Metadata::boolean(std::string_view key) const {
  const MetaEntry& entry = single(key);
  if (entry.type != MetaType::Bool) wrong_kind(entry, "a bool");
  return load<uint8_t>(entry, 0) != 0;
}

std::string_view Metadata::string(std::string_view key) const {
  const MetaEntry& entry = single(key);
  if (entry.type != MetaType::String) wrong_kind(entry, "a string");
  return entry.strings[0];
}

int64_t Metadata::integer_or(std::string_view key, int64_t otherwise, int64_t min,
                             int64_t max) const {
  return has(key) ? integer(key, min, max) : otherwise;
}
double Metadata::number_or(std::string_view key, double otherwise) const {
  return has(key) ? number(key) : otherwise;
}
bool Metadata::boolean_or(std::string_view key, bool otherwise) const {
  return has(key) ? boolean(key) : otherwise;
}
std::string_view Metadata::string_or(std::string_view key, std::string_view otherwise) const {
  return has(key) ? string(key) : otherwise;
}

std::vector<int64_t> Metadata::integers(std::string_view key) const {
  const MetaEntry& entry = array(key);
  std::vector<int64_t> values(entry.count);
  for (size_t i = 0; i < entry.count; ++i) values[i] = integer_at(entry, i);
  return values;
}

std::vector<float> Metadata::numbers(std::string_view key) const {
  const MetaEntry& entry = array(key);
  std::vector<float> values(entry.count);
  for (size_t i = 0; i < entry.count; ++i) values[i] = static_cast<float>(number_at(entry, i));
  return values;
}

std::span<const std::string_view> Metadata::strings(std::string_view key) const {
  const MetaEntry& entry = array(key);
  if (entry.type != MetaType::String) wrong_kind(entry, "strings");
  return entry.strings;
}

std::vector<int64_t> Metadata::integers_per_layer(std::string_view key, size_t n) const {
  const MetaEntry& entry = get(key);
  if (!entry.is_array) return std::vector<int64_t>(n, integer_at(entry, 0));
  if (entry.count != n) {
    fail("{}: key {} has {} elements, expected one for each of the {} layers: {}", path_,
         printable(key), entry.count, n, kRemedy);
  }
  return integers(key);
}

}  // namespace braid
