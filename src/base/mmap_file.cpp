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

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

std::string reason(int error) { return std::generic_category().message(error); }

}  // namespace

MmapFile::MmapFile(std::string path) : path_(std::move(path)) {
  // O_NONBLOCK: opening a pipe must end in the error below, not wait for its other end.
  const Descriptor file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) fail("{}: cannot open: {}", path_, reason(errno));
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) fail("{}: cannot stat: {}", path_, reason(errno));
  if (S_ISDIR(status.st_mode)) fail("{}: is a folder, expected a file", path_);
  if (!S_ISREG(status.st_mode)) fail("{}: is not a regular file and cannot be mapped", path_);
  if (status.st_size == 0) return;
  const size_t size = static_cast<size_t>(status.st_size);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (data == MAP_FAILED) fail("{}: cannot map {} bytes: {}", path_, size, reason(errno));
  bytes_ = {static_cast<const std::byte*>(data), size};
}

MmapFile::~MmapFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

MmapFile::MmapFile(MmapFile&& other) noexcept
    : path_(std::move(other.path_)), bytes_(std::exchange(other.bytes_, {})) {}

MmapFile& MmapFile::operator=(MmapFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

}  // namespace braid
