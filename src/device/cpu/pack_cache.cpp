#include "device/cpu/pack_cache.h"

#include "base/check.h"
#include "base/checksum.h"
#include "base/descriptor.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

namespace braid::cpu {
namespace {

namespace fs = std::filesystem;

constexpr char kMagic[8] = {'B', 'R', 'A', 'I', 'D', 'P', 'A', 'K'};
constexpr size_t kCheckedSlices = 8;  // at a start
constexpr size_t kSample = 256;       // bytes of a matrix, at two places

std::string reason(int error) { return std::generic_category().message(error); }
double mib(size_t bytes) { return static_cast<double>(bytes) / 1048576; }

class Bytes {
 public:
  template <class T>
  void put(T value) {
    put(std::as_bytes(std::span(&value, 1)));
  }
  void put(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  uint64_t sum() const { return checksum64(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

void put_shape(const Matrix& m, Bytes& to) {
  to.put(info(m.file.dtype).gguf_id);
  to.put(m.file.cols);
  to.put(m.file.rows());
  to.put(m.group_rows);
}

// Which of the two ways in which an f32 matrix may be kept; the layout of others is their type's.
int float_kind(const Matrix& m) {
  const int type = static_cast<int>(m.type);
  return type < kQuantisedTypes ? -1 : type - kQuantisedTypes;
}

// A third of the matrix, and near its end.
void put_samples(const FileMatrix& m, Bytes& to) {
  const size_t total = m.bytes(), row = row_bytes(m.dtype, m.cols);
  for (size_t at : {total / 3, total - std::min(total, kSample)}) {
    for (const RowRun& run : m.runs) {
      const size_t bytes = static_cast<size_t>(run.rows) * row;
      if (at < bytes) {
        to.put(std::span(run.data + at, std::min(kSample, bytes - at)));
        break;
      }
      at -= bytes;
    }
  }
}

std::string file_name(const std::string& model, uint64_t shape) {
  std::string name = model.substr(0, 100);
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '_') c = '-';
  if (name.starts_with('.')) name[0] = '-';
  return fmt::format("{}-{:016x}.braidpack", name, shape);
}

size_t round_up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

bool read_all(int fd, void* to, size_t bytes) {
  for (size_t at = 0; at < bytes;) {
    const ssize_t n =
        ::pread(fd, static_cast<std::byte*>(to) + at, bytes - at, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += static_cast<size_t>(n);
  }
  return true;
}

}  // namespace

MappedPack::MappedPack(int descriptor, size_t offset, size_t bytes, const std::string& path) {
  reserved_bytes_ = round_up(bytes, kPackAlign) + kPackAlign;
  void* room = ::mmap(nullptr, reserved_bytes_, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) fail("{}: cannot map {:.1f} MiB: {}", path, mib(bytes), reason(errno));
  reserved_ = static_cast<std::byte*>(room);
  std::byte* at = reserved_ + (kPackAlign - reinterpret_cast<uintptr_t>(room) % kPackAlign);
  if (::mmap(at, bytes, PROT_READ, MAP_PRIVATE | MAP_FIXED, descriptor,
             static_cast<off_t>(offset)) == MAP_FAILED) {
    const int error = errno;
    ::munmap(reserved_, reserved_bytes_);
    fail("{}: cannot map {:.1f} MiB: {}", path, mib(bytes), reason(error));
  }
  ::madvise(at, bytes, MADV_HUGEPAGE);  // read in large pieces, where the file system can
  bytes_ = {at, bytes};
}

MappedPack::~MappedPack() {
  if (reserved_) ::munmap(reserved_, reserved_bytes_);
}

MappedPack::MappedPack(MappedPack&& other) noexcept
    : reserved_(std::exchange(other.reserved_, nullptr)),
      reserved_bytes_(other.reserved_bytes_),
      bytes_(other.bytes_) {}

struct PackCache::Header {
  char magic[8];
  uint32_t layout, slice_mib;
  uint64_t key[2];
  uint64_t data_offset, data_bytes, slices;
  uint64_t sum;  // of all before it, and of the slices' sums behind it
};

std::string PackCache::path_of(const std::string& folder, const std::string& model,
                               const PackPlan& plan) {
  Bytes shapes;
  for (const PackPlan::Part& part : plan.parts()) put_shape(*part.matrix, shapes);
  return fs::path(folder) / file_name(model, shapes.sum());
}

PackCache::PackCache(const std::string& folder, const std::string& model, const PackPlan& plan,
                     const FilePages& pages)
    : plan_(plan),
      data_offset_(round_up(sizeof(Header) + plan.slices() * sizeof(uint64_t), kPackAlign)) {
  static_assert(sizeof(Header) == 64);
  Bytes key;
  for (const MmapFile& file : pages.files()) {
    key.put(file.bytes().size());
    key.put(file.modified_ns());
  }
  for (const PackPlan::Part& part : plan_.parts()) {
    const Matrix& m = *part.matrix;
    put_shape(m, key);
    key.put(float_kind(m));
    key.put(m.strip_bytes);
    for (const RowRun& run : m.file.runs) {
      const auto place = pages.find(run.data);
      if (!place) fail("{}: the weights of {} lie in no file", folder, model);
      key.put(place->file);
      key.put(place->offset);
      key.put(run.rows);
    }
    put_samples(m.file, key);
  }
  key_[0] = key.sum();
  key.put(uint64_t{1});
  key_[1] = key.sum();
  path_ = path_of(folder, model, plan);
}

std::vector<std::byte> PackCache::header(std::span<const uint64_t> sums) const {
  Header h{};
  std::memcpy(h.magic, kMagic, sizeof kMagic);
  h.layout = kPackLayout;
  h.slice_mib = static_cast<uint32_t>(PackPlan::kSlice >> 20);
  std::copy(key_.begin(), key_.end(), h.key);
  h.data_offset = data_offset_;
  h.data_bytes = plan_.bytes();
  h.slices = sums.size();
  std::vector<std::byte> bytes(sizeof h + sums.size_bytes());
  std::memcpy(bytes.data(), &h, sizeof h);
  if (!sums.empty()) std::memcpy(bytes.data() + sizeof h, sums.data(), sums.size_bytes());
  h.sum = checksum64(bytes);  // with 0 in its own place
  std::memcpy(bytes.data(), &h, sizeof h);
  return bytes;
}

// Why the header is not that of this plan and model; empty when it is.
std::string PackCache::check_header(int descriptor, std::vector<uint64_t>& sums) const {
  Header h;
  if (!read_all(descriptor, &h, sizeof h)) return "is too short for a header";
  if (std::memcmp(h.magic, kMagic, sizeof kMagic) != 0) return "is no file of packed weights";
  if (h.layout != kPackLayout)
    return fmt::format("has layout {}, this Braid packs layout {}", h.layout, kPackLayout);
  if (!std::equal(key_.begin(), key_.end(), h.key))
    return "is of another model, or the model has changed since it was written";
  std::vector<std::byte> bytes(sizeof h + plan_.slices() * sizeof(uint64_t));
  if (!read_all(descriptor, bytes.data(), bytes.size())) return "is cut off in its header";
  sums.resize(plan_.slices());
  if (!sums.empty()) std::memcpy(sums.data(), bytes.data() + sizeof h, bytes.size() - sizeof h);
  if (bytes != header(sums)) return "has a damaged header";
  return "";
}

std::optional<MappedPack> PackCache::open(std::string& why) const {
  why.clear();
  const Descriptor file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (file.get() < 0) {
    if (errno != ENOENT) why = fmt::format("cannot be opened: {}", reason(errno));
    return std::nullopt;
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    why = "is no regular file";
    return std::nullopt;
  }
  std::vector<uint64_t> sums;
  why = check_header(file.get(), sums);
  if (why.empty() && static_cast<uint64_t>(status.st_size) != file_bytes())
    why = fmt::format("has {} bytes, expected {}", status.st_size, file_bytes());
  if (!why.empty()) return std::nullopt;

  MappedPack pack(file.get(), data_offset_, plan_.bytes(), path_);
  const size_t checks = std::min(sums.size(), kCheckedSlices);
  for (size_t i = 0; i < checks; ++i) {
    const size_t slice = checks == 1 ? 0 : i * (sums.size() - 1) / (checks - 1);
    const auto bytes = pack.bytes().subspan(slice * PackPlan::kSlice, plan_.slice_bytes(slice));
    if (checksum64(bytes) == sums[slice]) continue;
    why = fmt::format("is damaged at byte {}", data_offset_ + slice * PackPlan::kSlice);
    return std::nullopt;
  }
  return pack;
}

PackCache::Writer::Writer(const PackCache& cache)
    : cache_(cache), path_(cache.path_ + ".part"), sums_(cache.plan_.slices()) {
  const fs::path folder = fs::path(path_).parent_path();
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) fail("{}: cannot be made: {}", folder.string(), failed.message());
  if (fs::is_directory(fs::symlink_status(cache.path_, failed)))
    fail("{}: is a folder in the file's place: remove it", cache.path_);
  rlimit most{};
  if (::getrlimit(RLIMIT_FSIZE, &most) == 0 && most.rlim_cur != RLIM_INFINITY &&
      most.rlim_cur < cache.file_bytes())
    fail("{}: would have {:.1f} MiB, and files may have {:.1f} MiB (ulimit -f)", cache.path_,
         mib(cache.file_bytes()), mib(most.rlim_cur));
  lock();
  if (const int error = take_room()) {
    remove();
    fail("{}: {:.1f} MiB cannot be written: {}", cache.path_, mib(cache.file_bytes()),
         reason(error));
  }
}

// Opens the file so that no other process writes it.
void PackCache::Writer::lock() {
  descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
  if (descriptor_ < 0) fail("{}: cannot be written: {}", path_, reason(errno));
  int error = ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
  struct stat mine {
  }, named{};
  if (error == 0 && (::fstat(descriptor_, &mine) != 0 || !S_ISREG(mine.st_mode))) error = EINVAL;
  // Between open and flock, its writer may have given it its name.
  if (error == 0 && (::stat(path_.c_str(), &named) != 0 || mine.st_ino != named.st_ino ||
                     mine.st_dev != named.st_dev))
    error = EWOULDBLOCK;
  if (error == 0) return;
  ::close(std::exchange(descriptor_, -1));
  if (error == EWOULDBLOCK) fail("{}: another process is writing it", path_);
  fail("{}: cannot be locked: {}", path_, reason(error));
}

// The whole file's blocks, before anything is packed.
int PackCache::Writer::take_room() const {
  const auto bytes = static_cast<off_t>(cache_.file_bytes());
  if (::ftruncate(descriptor_, 0) != 0) return errno;  // what an interrupted process left behind
  struct statvfs space {};
  if (::fstatvfs(descriptor_, &space) == 0 && space.f_bavail * space.f_frsize < cache_.file_bytes())
    return ENOSPC;
  if (::fallocate(descriptor_, 0, 0, bytes) == 0) return 0;
  if (errno != EOPNOTSUPP && errno != ENOSYS) return errno;
  return ::ftruncate(descriptor_, bytes) == 0 ? 0 : errno;
}

void PackCache::Writer::remove() {
  ::unlink(path_.c_str());  // before the lock ends
  ::close(std::exchange(descriptor_, -1));
}

PackCache::Writer::~Writer() {
  if (descriptor_ >= 0) remove();
}

void PackCache::Writer::put(const void* from, size_t bytes, size_t offset) const {
  for (size_t at = 0; at < bytes;) {
    const ssize_t n = ::pwrite(descriptor_, static_cast<const std::byte*>(from) + at, bytes - at,
                               static_cast<off_t>(offset + at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("{}: cannot be written: {}", path_, reason(errno));
    at += static_cast<size_t>(n);
  }
}

void PackCache::Writer::write(size_t slice, std::span<const std::byte> bytes) {
  const size_t offset = cache_.data_offset_ + slice * PackPlan::kSlice;
  put(bytes.data(), bytes.size(), offset);
  sums_[slice] = checksum64(bytes);
  // The disk works meanwhile; what is left for the end is little.
  ::sync_file_range(descriptor_, static_cast<off_t>(offset), static_cast<off_t>(bytes.size()),
                    SYNC_FILE_RANGE_WRITE);
}

MappedPack PackCache::Writer::finish() {
  if (::fdatasync(descriptor_) != 0) fail("{}: cannot be written: {}", path_, reason(errno));
  const std::vector<std::byte> header = cache_.header(sums_);
  put(header.data(), header.size(), 0);
  if (::fsync(descriptor_) != 0) fail("{}: cannot be written: {}", path_, reason(errno));
  MappedPack pack(descriptor_, cache_.data_offset_, cache_.plan_.bytes(), path_);
  if (::rename(path_.c_str(), cache_.path_.c_str()) != 0)
    fail("{}: cannot be renamed: {}", path_, reason(errno));
  ::close(std::exchange(descriptor_, -1));
  const Descriptor folder(
      ::open(fs::path(path_).parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() >= 0) ::fsync(folder.get());  // its name survives a crash, too, or does not
  return pack;
}

}  // namespace braid::cpu
