#include "base/file_pages.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

namespace braid {
namespace {

size_t page_bytes() {
  static const auto bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

std::byte* start(const MmapFile& file) { return const_cast<std::byte*>(file.bytes().data()); }

}  // namespace

FilePages::FilePages(std::span<const MmapFile> files) : files_(files) {
  for (const MmapFile& file : files_) {
    std::vector<unsigned char>& pages = resident_.emplace_back();
    const size_t bytes = file.bytes().size();
    if (bytes == 0) continue;
    pages.resize((bytes + page_bytes() - 1) / page_bytes());
    // Linux tells about files of others only to who may write to them; to the rest all are there.
    if (mincore(start(file), bytes, pages.data()) != 0 ||
        std::all_of(pages.begin(), pages.end(), [](unsigned char p) { return (p & 1) != 0; }))
      pages.clear();
    madvise(start(file), bytes, MADV_RANDOM);
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

std::vector<FilePages::Range> FilePages::cold(size_t file, Range pages) const {
  std::vector<Range> ranges;
  const std::vector<unsigned char>& resident = resident_[file];
  if (resident.empty()) return ranges;
  for (size_t page = pages.begin; page < pages.end; ++page) {
    if ((resident[page] & 1) != 0) continue;
    if (ranges.empty() || ranges.back().end != page) ranges.push_back({page, page});
    ranges.back().end = page + 1;
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
