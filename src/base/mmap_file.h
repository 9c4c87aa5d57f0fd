// A file mapped read-only into memory.
//
// The bytes are paged in by the kernel when they are first read, so that opening a model of 50 GB
// costs nothing. Who truncates a file while it is mapped gets the process a SIGBUS; that cannot be
// checked for here. What the bytes mean is the business of format/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace braid {

class MmapFile {
 public:
  // Throws Error with the path and the system's reason. An empty file maps to an empty span.
  explicit MmapFile(std::string path);
  ~MmapFile();
  MmapFile(MmapFile&& other) noexcept;
  MmapFile& operator=(MmapFile&& other) noexcept;

  const std::string& path() const { return path_; }
  std::span<const std::byte> bytes() const { return bytes_; }
  int descriptor() const { return descriptor_; }        // open for reading
  int64_t modified_ns() const { return modified_ns_; }  // when its contents last changed

 private:
  void map();

  std::string path_;
  std::span<const std::byte> bytes_;
  int descriptor_ = -1;
  int64_t modified_ns_ = 0;
};

}  // namespace braid
