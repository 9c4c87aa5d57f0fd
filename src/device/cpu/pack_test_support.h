// For tests of loading: a file of weights that go away with it, and devices that load from it.
#pragma once

#include "base/check.h"
#include "base/file_pages.h"
#include "device/cpu/cpu_device.h"
#include "device/cpu/cpu_ops.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace braid::cpu::pack_test {

class Folder {
 public:
  Folder() {
    static int counter = 0;
    path_ = std::filesystem::path(testing::TempDir()) /
            fmt::format("braid_pack_test.{}.{}", getpid(), counter++);
    std::filesystem::create_directories(path_);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string operator/(const std::string& name) const { return path_ / name; }
  std::string path() const { return path_; }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_))
      names.push_back(entry.path().filename());
    return names;
  }

 private:
  std::filesystem::path path_;
};

// Random bytes, mapped, and matrices that lie in them one behind the other.
class WeightFile {
 public:
  WeightFile(std::string path, size_t bytes, uint64_t seed = 1) : path_(std::move(path)) {
    std::mt19937_64 random(seed);
    std::vector<uint64_t> words((bytes + 7) / 8);
    for (uint64_t& word : words) word = random();
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(words.data()), static_cast<std::streamsize>(bytes));
    map();
  }
  void map() {
    files_.clear();
    files_.emplace_back(path_);
  }

  const std::string& path() const { return path_; }
  std::span<const MmapFile> files() const { return files_; }
  const std::byte* data() const { return files_[0].bytes().data(); }

  FileMatrix matrix(DType type, int64_t rows, int64_t cols, size_t offset) const {
    FileMatrix m{type, cols, {{data() + offset, rows, 1.0f}}};
    CHECK(offset + m.bytes() <= files_[0].bytes().size());
    return m;
  }

 private:
  std::string path_;
  std::vector<MmapFile> files_;
};

// What a device made of some matrices.
struct Loaded {
  std::unique_ptr<Device> device;
  std::vector<const Matrix*> matrices;
  std::vector<std::string> notes;

  std::vector<std::byte> bytes() const {
    std::vector<std::byte> all;
    for (const Matrix* m : matrices)
      all.insert(all.end(), m->strips,
                 m->strips + static_cast<size_t>(m->strip_count()) * m->strip_bytes);
    return all;
  }
};

}  // namespace braid::cpu::pack_test
