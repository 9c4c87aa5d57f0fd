// The metadata of a GGUF file: named values with types, read where they lie in the mapped file.
//
// The reader (format/gguf.h) fills it with values that it has checked; asking for one that is
// missing or of another kind is an Error that names file and key. Nothing is copied but what an
// accessor returns by value: a vocabulary of 248,000 strings is one vector of views.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace braid {

// Numbered as in the files.
enum class MetaType : uint8_t {
  U8,
  I8,
  U16,
  I16,
  U32,
  I32,
  F32,
  Bool,
  String,
  Array,
  U64,
  I64,
  F64,
};
inline constexpr int kMetaTypes = 13;

std::string_view name_of(MetaType type);  // "u32", "string"
size_t size_of(MetaType type);            // bytes of a value in the file; 0 for strings and arrays

struct MetaEntry {
  std::string_view key{};
  MetaType type = MetaType::U8;  // of a value, or of an array's elements
  bool is_array = false;
  size_t count = 1;                         // elements of an array; 1 for a single value
  std::span<const std::byte> bytes{};       // the numbers, little endian, at any alignment; or
  std::vector<std::string_view> strings{};  // the strings

  std::string type_text() const;             // "u32", "array of 4 i32"
  std::string text(size_t max = 100) const;  // the value for a person, in one line
};

class Metadata {
 public:
  // The views in the entries must outlive the object. Throws Error when a key is there twice.
  Metadata(std::string path, std::vector<MetaEntry> entries);
  Metadata(const Metadata&) = delete;
  Metadata& operator=(const Metadata&) = delete;

  std::span<const MetaEntry> entries() const { return entries_; }
  const MetaEntry* find(std::string_view key) const;  // null when there is none
  bool has(std::string_view key) const { return find(key) != nullptr; }

  // One value. Any integer kind does for an integer, any number for a number.
  int64_t integer(std::string_view key, int64_t min = std::numeric_limits<int64_t>::min(),
                  int64_t max = std::numeric_limits<int64_t>::max()) const;
  double number(std::string_view key) const;
  bool boolean(std::string_view key) const;
  std::string_view string(std::string_view key) const;

  // The same for a key that may be missing; one of the wrong kind is still an Error.
  int64_t integer_or(std::string_view key, int64_t otherwise,
                     int64_t min = std::numeric_limits<int64_t>::min(),
                     int64_t max = std::numeric_limits<int64_t>::max()) const;
  double number_or(std::string_view key, double otherwise) const;
  bool boolean_or(std::string_view key, bool otherwise) const;
  std::string_view string_or(std::string_view key, std::string_view otherwise) const;

  // Arrays. Elements convert as single values do; booleans count as the integers 0 and 1.
  std::vector<int64_t> integers(std::string_view key) const;
  std::vector<float> numbers(std::string_view key) const;
  std::span<const std::string_view> strings(std::string_view key) const;

  // One integer for each of n layers, from an array of n or from a single value for all of them.
  std::vector<int64_t> integers_per_layer(std::string_view key, size_t n) const;

 private:
  const MetaEntry& get(std::string_view key) const;
  const MetaEntry& single(std::string_view key) const;
  const MetaEntry& array(std::string_view key) const;
  [[noreturn]] void wrong_kind(const MetaEntry& entry, std::string_view expected) const;
  int64_t integer_at(const MetaEntry& entry, size_t i) const;
  double number_at(const MetaEntry& entry, size_t i) const;

  std::string path_;
  std::vector<MetaEntry> entries_;
  std::unordered_map<std::string_view, size_t> by_key_;
};

}  // namespace braid
