// For the tests of the disk tier: a folder of their own, and its files.
#pragma once

#include "state/disk_file.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace braid::disk_test {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    static int number = 0;
    path_ = fs::temp_directory_path() / fmt::format("braid-disk-{}-{}", ::getpid(), ++number);
    fs::create_directories(path_);
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string path() const { return path_; }
  // Of runs and states, in it and below.
  std::vector<fs::path> files(const std::string& kind = {}) const {
    std::vector<fs::path> all;
    std::error_code gone;  // another thread may delete them
    for (fs::recursive_directory_iterator it(path_, gone), end; !gone && it != end;
         it.increment(gone)) {
      const auto& entry = *it;
      const std::string name = entry.path().filename();
      const bool ours = name.ends_with(".run") || name.ends_with(".state");
      if (kind.empty() ? ours : name.ends_with(kind)) all.push_back(entry.path());
    }
    return all;
  }
  size_t bytes() const {
    size_t sum = 0;
    for (const auto& file : files()) {
      std::error_code gone;
      const size_t size = fs::file_size(file, gone);
      if (!gone) sum += size;
    }
    return sum;
  }

 private:
  fs::path path_;
};

inline std::string contents(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
inline void write(const fs::path& file, const std::string& contents) {
  std::ofstream(file, std::ios::binary) << contents;
}
inline void flip(const fs::path& file, size_t byte) {
  std::string all = contents(file);
  all[byte % all.size()] = static_cast<char>(all[byte % all.size()] ^ 0x10);
  write(file, all);
}

}  // namespace braid::disk_test
