#include "base/mmap_file.h"

#include "base/check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace braid {
namespace {

std::string reason(int error) { return std::generic_category().message(error); }

}  // namespace

MmapFile::MmapFile(std::string path) : path_(std::move(path)) {
  // O_NONBLOCK: opening a pipe must end in the error below, not wait for its other end.
  descriptor_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) fail("{}: cannot open: {}", path_, reason(errno));
  try {
    map();
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

void MmapFile::map() {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) fail("{}: cannot stat: {}", path_, reason(errno));
  if (S_ISDIR(status.st_mode)) fail("{}: is a folder, expected a file", path_);
  if (!S_ISREG(status.st_mode)) fail("{}: is not a regular file and cannot be mapped", path_);
  modified_ns_ = int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
  if (status.st_size == 0) return;
  const size_t size = static_cast<size_t>(status.st_size);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor_, 0);
  if (data == MAP_FAILED) fail("{}: cannot map {} bytes: {}", path_, size, reason(errno));
  bytes_ = {static_cast<const std::byte*>(data), size};
}

MmapFile::~MmapFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  if (descriptor_ >= 0) ::close(descriptor_);
}

MmapFile::MmapFile(MmapFile&& other) noexcept
    : path_(std::move(other.path_)),
      bytes_(std::exchange(other.bytes_, {})),
      descriptor_(std::exchange(other.descriptor_, -1)),
      modified_ns_(other.modified_ns_) {}

MmapFile& MmapFile::operator=(MmapFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(bytes_, other.bytes_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(modified_ns_, other.modified_ns_);
  return *this;
}

}  // namespace braid
