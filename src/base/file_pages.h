// The memory that mapped files take while a program goes through them once, in large pieces.
//
// Pages that were in memory before stay there, so that a warm start stays warm; the others are
// given back as soon as their reader is done with them. While a FilePages lives the kernel reads
// nothing ahead by itself: who is going to read says so with prefetch(), which also notes, block by
// block, what was there. Everything here is advice, and a system that refuses it costs time or
// memory only. Its functions may be called by several threads at once; the files must outlive it.
// Bytes that lie in none of them count as memory of the caller's own, and nothing happens to them.
#pragma once

#include "base/mmap_file.h"

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

namespace braid {

class FilePages {
 public:
  explicit FilePages(std::span<const MmapFile> files);
  ~FilePages();
  FilePages(const FilePages&) = delete;
  FilePages& operator=(const FilePages&) = delete;

  std::span<const MmapFile> files() const { return files_; }
  struct Place {
    size_t file, offset;
  };
  std::optional<Place> find(const std::byte* byte) const;

  // They will be read soon; returns before they are there.
  void prefetch(std::span<const std::byte> bytes) const;
  // Their reader is done with them. Pages that they share with other bytes stay.
  void release(std::span<const std::byte> bytes) const;

 private:
  struct Range {
    size_t begin, end;  // pages of a file
  };
  struct Block {
    std::once_flag once;
    std::vector<unsigned char> resident;  // [page]; empty: all were
  };
  void look(const MmapFile& file, size_t number, Block& block) const;
  // The runs of pages in a range that were not in memory.
  std::vector<Range> cold(size_t file, Range pages) const;

  std::span<const MmapFile> files_;
  std::vector<std::unique_ptr<Block[]>> blocks_;  // [file]
};

}  // namespace braid
