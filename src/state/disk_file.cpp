#include "state/disk_file.h"

#include "base/checksum.h"
#include "base/descriptor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace braid {

namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian");

constexpr std::array<char, 8> kMagic = {'B', 'R', 'A', 'I', 'D', 'D', 'S', 'K'};
constexpr uint64_t kMostTokens = uint64_t{1} << 31;

struct Header {
  std::array<char, 8> magic;
  uint32_t version, state;
  DiskKey key;
  uint64_t id, parent, realm;
  uint64_t first, tokens, floor;
  uint64_t mark;
  uint64_t blocks, conv;  // floats
  uint64_t rows;          // bytes
  uint64_t payload_sum;
  uint64_t head_sum;  // of all before the payload, with 0 in its own place

  size_t head_bytes() const { return sizeof(Header) + tokens * sizeof(int32_t); }
};
static_assert(sizeof(Header) == 128);

std::string reason(int error) { return std::generic_category().message(error); }

template <class T>
std::span<const std::byte> bytes_of(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

uint64_t sum_of(std::span<const std::byte> blocks, std::span<const std::byte> conv,
                std::span<const std::byte> rows) {
  const std::array<uint64_t, 3> sums = {checksum64(blocks), checksum64(conv), checksum64(rows)};
  return checksum64(std::as_bytes(std::span(sums)));
}

uint64_t head_sum(Header header, std::span<const int32_t> tokens) {
  header.head_sum = 0;
  const std::array<uint64_t, 2> sums = {checksum64(std::as_bytes(std::span(&header, 1))),
                                        checksum64(std::as_bytes(tokens))};
  return checksum64(std::as_bytes(std::span(sums)));
}

void put(int fd, std::span<const std::byte> bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail("{}: cannot be written: {}", path, reason(n < 0 ? errno : ENOSPC));
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
}

// Reads on; what the file's length promised must be there.
void get(int fd, void* to, size_t bytes, const std::string& path) {
  for (auto* at = static_cast<std::byte*>(to); bytes > 0;) {
    const ssize_t n = ::read(fd, at, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("{}: cannot be read: {}", path, reason(errno));
    if (n == 0) throw Damaged(fmt::format("{}: ends too early", path));
    at += n;
    bytes -= static_cast<size_t>(n);
  }
}

int open_to_read(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0 && (errno == ENOENT || errno == ELOOP))
    throw Damaged(fmt::format("{}: {}", path, reason(errno)));
  if (fd < 0) fail("{}: cannot be opened: {}", path, reason(errno));
  return fd;
}

// Everything but the payload, checked; the file stands behind it then.
Header read_head(int fd, const std::string& path, const DiskKey& key, DiskEntry& entry) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) fail("{}: cannot be read: {}", path, reason(errno));
  if (!S_ISREG(status.st_mode)) throw Damaged(fmt::format("{}: is no regular file", path));
  const auto size = static_cast<uint64_t>(status.st_size);
  if (size < sizeof(Header)) throw Damaged(fmt::format("{}: ends inside of its header", path));
  Header h;
  get(fd, &h, sizeof h, path);
  if (h.magic != kMagic || h.version != kDiskVersion)
    throw Damaged(fmt::format("{}: is no file of this version", path));
  if (h.key != key) throw Damaged(fmt::format("{}: is of another model or other settings", path));
  // Bounded one by one, so that no sum overflows.
  const bool possible = h.tokens <= kMostTokens && h.first <= kMostTokens &&
                        h.floor <= kMostTokens && h.blocks <= size && h.conv <= size &&
                        h.rows <= size && h.state <= 1;
  if (!possible || h.head_bytes() + (h.blocks + h.conv) * sizeof(float) + h.rows != size)
    throw Damaged(fmt::format("{}: has {} bytes, which its header does not say", path, size));
  entry.tokens.resize(h.tokens);
  get(fd, entry.tokens.data(), h.tokens * sizeof(int32_t), path);
  if (h.head_sum != head_sum(h, entry.tokens))
    throw Damaged(fmt::format("{}: has a damaged header", path));
  entry.id = h.id;
  entry.parent = h.parent;
  entry.realm = h.realm;
  entry.state = h.state == 1;
  entry.first = static_cast<int64_t>(h.first);
  entry.floor = static_cast<int64_t>(h.floor);
  entry.mark = static_cast<uint32_t>(h.mark);
  entry.bytes = size;
  entry.used = static_cast<uint64_t>(status.st_mtim.tv_sec) * 1000000000 +
               static_cast<uint64_t>(status.st_mtim.tv_nsec);
  return h;
}

// A file on its way to its name; removed unless it gets there.
class Part {
 public:
  explicit Part(std::string path)
      : path_(std::move(path)),
        file_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)) {
    if (file_.get() < 0) fail("{}: cannot be written: {}", path_, reason(errno));
  }
  ~Part() {
    if (!named_) ::unlink(path_.c_str());
  }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  int get() const { return file_.get(); }
  const std::string& path() const { return path_; }
  void finish(const std::string& name) {
    if (::fsync(get()) != 0) fail("{}: cannot be written: {}", path_, reason(errno));
    if (::rename(path_.c_str(), name.c_str()) != 0)
      fail("{}: cannot be renamed: {}", path_, reason(errno));
    named_ = true;
  }

 private:
  std::string path_;
  Descriptor file_;
  bool named_ = false;
};

}  // namespace

DiskKey disk_key(const StatePool& pool, const std::string& settings, int64_t run_tokens) {
  std::string text =
      fmt::format("{}\n{} {} {} {} {}\n", settings, kDiskVersion, kBlock, run_tokens,
                  info(pool.options().key_type).name, info(pool.options().value_type).name);
  for (const LayerState& layer : pool.spec().layers) text += describe(layer) + "\n";
  const auto sum = [](const std::string& of) { return checksum64(std::as_bytes(std::span(of))); };
  return {sum(text), sum("again " + text)};
}

std::string DiskEntry::name() const {
  return file.empty() ? fmt::format("{:016x}.{}", id, state ? "state" : "run") : file;
}

size_t disk_file_bytes(const DiskEntry& entry, const RecurrentSnapshot* recurrent, size_t rows) {
  return sizeof(Header) + entry.tokens.size() * sizeof(int32_t) +
         (recurrent ? recurrent->bytes() : 0) + rows;
}

void write_disk_file(const std::string& folder, const DiskKey& key, const DiskEntry& entry,
                     const RecurrentSnapshot* recurrent, std::span<const std::byte> rows) {
  static const RecurrentSnapshot kNone;
  if (!recurrent) recurrent = &kNone;
  const auto blocks = bytes_of(recurrent->blocks), conv = bytes_of(recurrent->conv);
  Header h{};
  h.magic = kMagic;
  h.version = kDiskVersion;
  h.state = entry.state;
  h.key = key;
  h.id = entry.id;
  h.parent = entry.parent;
  h.realm = entry.realm;
  h.first = static_cast<uint64_t>(entry.first);
  h.tokens = entry.tokens.size();
  h.floor = static_cast<uint64_t>(entry.floor);
  h.mark = entry.mark;
  h.blocks = recurrent->blocks.size();
  h.conv = recurrent->conv.size();
  h.rows = rows.size();
  h.payload_sum = sum_of(blocks, conv, rows);
  h.head_sum = head_sum(h, entry.tokens);

  const std::string path = folder + "/" + entry.name();
  Part part(path + ".part");
  for (const auto piece :
       {std::as_bytes(std::span(&h, 1)), bytes_of(entry.tokens), blocks, conv, rows})
    put(part.get(), piece, part.path());
  part.finish(path);
  const Descriptor within(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (within.get() >= 0) ::fsync(within.get());  // its name survives a crash, too, or does not
}

DiskEntry read_disk_entry(const std::string& folder, const std::string& file, const DiskKey& key,
                          DiskName name) {
  const std::string path = folder + "/" + file;
  const Descriptor fd(open_to_read(path));
  DiskEntry entry;
  read_head(fd.get(), path, key, entry);
  if (name == DiskName::kOwn) entry.file = file;
  if (entry.name() != file) throw Damaged(fmt::format("{}: has another's name", path));
  return entry;
}

DiskPayload read_disk_payload(const std::string& folder, const DiskKey& key,
                              const DiskEntry& entry) {
  const std::string path = folder + "/" + entry.name();
  const Descriptor fd(open_to_read(path));
  DiskEntry found;
  const Header h = read_head(fd.get(), path, key, found);
  if (found.id != entry.id || found.parent != entry.parent || found.realm != entry.realm ||
      found.first != entry.first || found.tokens != entry.tokens || found.floor != entry.floor)
    throw Damaged(fmt::format("{}: is not what it was", path));
  DiskPayload payload;
  payload.blocks.resize(h.blocks);
  payload.conv.resize(h.conv);
  payload.rows.resize(h.rows);
  get(fd.get(), payload.blocks.data(), h.blocks * sizeof(float), path);
  get(fd.get(), payload.conv.data(), h.conv * sizeof(float), path);
  get(fd.get(), payload.rows.data(), h.rows, path);
  if (h.payload_sum != sum_of(bytes_of(payload.blocks), bytes_of(payload.conv), payload.rows))
    throw Damaged(fmt::format("{}: is damaged behind its header", path));
  return payload;
}

void check_sizes(const StatePool& pool, const DiskEntry& entry, const DiskPayload& payload,
                 const std::string& path) {
  const StateSpec& spec = pool.spec();
  const int64_t end = entry.end();
  const bool floor_possible = !entry.state           ? entry.floor == 0
                              : spec.has_recurrent() ? entry.floor >= end / kBlock * kBlock
                                                     : entry.floor == 0;
  if (!floor_possible || entry.floor > end ||
      payload.blocks.size() != (entry.state ? recurrent_block_floats(spec, end) : 0) ||
      payload.conv.size() != (entry.state ? recurrent_conv_floats(spec, end, entry.floor) : 0) ||
      payload.rows.size() != entry.tokens.size() * kv_row_bytes(pool))
    throw Damaged(fmt::format("{}: has not the sizes of this model", path));
}

}  // namespace braid
