#include "base/file_pages.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace braid {
namespace {

size_t page_bytes() {
  static const auto bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

constexpr size_t kBlock = 1024;  // pages

// How many pages of a file from `first` on are in memory, counted by the kernel several times as
// fast as mincore lists them. Since Linux 6.5; nothing before that.
std::optional<size_t> count_resident(const MmapFile& file, size_t first, size_t pages) {
  constexpr long kCachestat = 451;  // on all architectures
  const struct { uint64_t offset, bytes; } range{first * page_bytes(), pages * page_bytes()};
  struct {
    uint64_t cached, dirty, writing, evicted, recently_evicted;
  } counted{};
  if (syscall(kCachestat, file.descriptor(), &range, &counted, 0) != 0) return std::nullopt;
  return counted.cached;
}

size_t page_count(const MmapFile& file) {
  return (file.bytes().size() + page_bytes() - 1) / page_bytes();
}

std::byte* start(const MmapFile& file) { return const_cast<std::byte*>(file.bytes().data()); }

}  // namespace

FilePages::FilePages(std::span<const MmapFile> files) : files_(files) {
  for (const MmapFile& file : files_) {
    blocks_.push_back(std::make_unique<Block[]>((page_count(file) + kBlock - 1) / kBlock));
    if (!file.bytes().empty()) madvise(start(file), file.bytes().size(), MADV_RANDOM);
  }
}

FilePages::~FilePages() {
  for (const MmapFile& file : files_)
    if (!file.bytes().empty()) madvise(start(file), file.bytes().size(), MADV_NORMAL);
}

std::optional<FilePages::Place> FilePages::find(const std::byte* byte) const {
  const auto at = reinterpret_cast<uintptr_t>(byte);
  for (size_t i = 0; i < files_.size(); ++i) {
    const auto begin = reinterpret_cast<uintptr_t>(files_[i].bytes().data());
    if (at >= begin && at - begin < files_[i].bytes().size()) return Place{i, at - begin};
  }
  return std::nullopt;
}

void FilePages::look(const MmapFile& file, size_t number, Block& block) const {
  const size_t first = number * kBlock, count = std::min(kBlock, page_count(file) - first);
  // Linux tells about files of others only to who may write to them; to the rest all are there.
  if (count_resident(file, first, count).value_or(0) >= count) return;
  std::vector<unsigned char> pages(count);
  if (mincore(start(file) + first * page_bytes(), count * page_bytes(), pages.data()) == 0)
    block.resident = std::move(pages);
}

std::vector<FilePages::Range> FilePages::cold(size_t file, Range pages) const {
  std::vector<Range> ranges;
  while (pages.begin < pages.end) {
    const size_t number = pages.begin / kBlock;
    Block& block = blocks_[file][number];
    std::call_once(block.once, [&] { look(files_[file], number, block); });
    const size_t end = std::min(pages.end, (number + 1) * kBlock);
    for (size_t page = pages.begin; page < end && !block.resident.empty(); ++page) {
      if ((block.resident[page % kBlock] & 1) != 0) continue;
      if (ranges.empty() || ranges.back().end != page) ranges.push_back({page, page});
      ranges.back().end = page + 1;
    }
    pages.begin = end;
  }
  return ranges;
}

void FilePages::prefetch(std::span<const std::byte> bytes) const {
  const std::optional<Place> place = bytes.empty() ? std::nullopt : find(bytes.data());
  if (!place) return;
  const size_t end = place->offset + bytes.size();
  const Range pages{place->offset / page_bytes(), (end + page_bytes() - 1) / page_bytes()};
  for (const Range& range : cold(place->file, pages))
    madvise(start(files_[place->file]) + range.begin * page_bytes(),
            (range.end - range.begin) * page_bytes(), MADV_WILLNEED);
}

void FilePages::release(std::span<const std::byte> bytes) const {
  const std::optional<Place> place = bytes.empty() ? std::nullopt : find(bytes.data());
  if (!place) return;
  const MmapFile& file = files_[place->file];
  const size_t stop = place->offset + bytes.size();
  const size_t begin = (place->offset + page_bytes() - 1) / page_bytes();
  const size_t end =
      stop == file.bytes().size() ? (stop + page_bytes() - 1) / page_bytes() : stop / page_bytes();
  if (begin >= end) return;
  // Out of the page table first: the kernel drops no page that somebody has mapped.
  madvise(start(file) + begin * page_bytes(), (end - begin) * page_bytes(), MADV_DONTNEED);
  for (const Range& range : cold(place->file, {begin, end}))
    posix_fadvise(file.descriptor(), static_cast<off_t>(range.begin * page_bytes()),
                  static_cast<off_t>((range.end - range.begin) * page_bytes()),
                  POSIX_FADV_DONTNEED);
}

}  // namespace braid
