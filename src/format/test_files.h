// For the tests of format/: a folder that goes away, and files written byte by byte, as a reader
// must be tested with what no writer would write.
#pragma once

#include "base/check.h"
#include "format/tensor_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace braid::test {

// Tensors without a file.
class FakeFile : public TensorFile {
 public:
  explicit FakeFile(std::vector<FileTensor> tensors) {
    path_ = "fake";
    tensors_ = std::move(tensors);
    index();
  }
};

class TemporaryFolder {
 public:
  TemporaryFolder() {
    static int counter = 0;
    path_ = std::filesystem::path(testing::TempDir()) /
            fmt::format("braid_format_test.{}.{}", getpid(), counter++);
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string path() const { return path_; }
  std::string operator/(std::string_view name) const { return path_ / name; }
  std::string write(std::string_view name, std::string_view content) const {
    std::ofstream(path_ / name, std::ios::binary) << content;
    return path_ / name;
  }
  size_t files() const {
    const std::filesystem::directory_iterator all(path_);
    return static_cast<size_t>(std::distance(begin(all), end(all)));
  }

 private:
  std::filesystem::path path_;
};

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}
inline std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The text of the Error that a call throws.
inline std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

template <class T>
std::string le(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}
inline std::string gguf_string(std::string_view text) {
  return le(uint64_t{text.size()}) + std::string(text);
}

// A GGUF file in which everything can be wrong.
struct RawGguf {
  std::string magic = "GGUF";
  uint32_t version = 3;
  std::optional<uint64_t> announced_keys{};
  std::optional<uint64_t> announced_tensors{};
  std::string keys{};
  std::string tensors{};
  std::string data{};
  size_t alignment = 32;
  uint64_t n_keys = 0;
  uint64_t n_tensors = 0;

  RawGguf& key(std::string_view name, int32_t type, std::string_view value) {
    keys += gguf_string(name) + le(type) + std::string(value);
    ++n_keys;
    return *this;
  }
  RawGguf& array(std::string_view name, int32_t type, uint64_t count, std::string_view elements) {
    return key(name, 9, le(type) + le(count) + std::string(elements));
  }
  RawGguf& tensor(std::string_view name, const std::vector<int64_t>& ne, int32_t type,
                  uint64_t offset) {
    tensors += gguf_string(name) + le(static_cast<uint32_t>(ne.size()));
    for (const int64_t n : ne) tensors += le(n);
    tensors += le(type) + le(offset);
    ++n_tensors;
    return *this;
  }
  std::string build() const {
    std::string out = magic + le(version) + le(announced_tensors.value_or(n_tensors)) +
                      le(announced_keys.value_or(n_keys)) + keys + tensors;
    out.resize((out.size() + alignment - 1) / alignment * alignment);
    return out + data;
  }
};

// A safetensors file of a header and data.
inline std::string raw_safetensors(std::string_view header, size_t data_bytes) {
  return le(uint64_t{header.size()}) + std::string(header) + std::string(data_bytes, '\x3c');
}

}  // namespace braid::test
