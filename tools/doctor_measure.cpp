#include "base/team.h"
#include "tools/doctor.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace braid {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// A plain sum, so that the compiler makes of it the widest loads of each target.
[[gnu::always_inline]] inline uint64_t sum(const uint64_t* p, size_t n) {
  uint64_t total[32] = {};
  for (size_t i = 0; i + 32 <= n; i += 32)
    for (size_t j = 0; j < 32; ++j) total[j] += p[i + j];
  uint64_t all = 0;
  for (const uint64_t part : total) all += part;
  return all;
}

uint64_t sum_plain(const uint64_t* p, size_t n) { return sum(p, n); }

#if defined(__x86_64__)
[[gnu::target("avx2")]] uint64_t sum_avx2(const uint64_t* p, size_t n) { return sum(p, n); }
[[gnu::target("avx512f")]] uint64_t sum_avx512(const uint64_t* p, size_t n) { return sum(p, n); }
#endif

using Sum = uint64_t (*)(const uint64_t* p, size_t n);
Sum widest_sum() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return sum_avx512;
  if (__builtin_cpu_supports("avx2")) return sum_avx2;
#endif
  return sum_plain;
}

class Buffer {
 public:
  explicit Buffer(size_t bytes)
      : bytes_(bytes),
        data_(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    if (data_ != MAP_FAILED) madvise(data_, bytes_, MADV_HUGEPAGE);
  }
  ~Buffer() {
    if (data_ != MAP_FAILED) munmap(data_, bytes_);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  bool good() const { return data_ != MAP_FAILED; }
  uint64_t* words() const { return static_cast<uint64_t*>(data_); }

 private:
  size_t bytes_;
  void* data_;
};

// The best of the passes that a quarter of a second holds, at least two: the first may still find
// the processor at a low clock.
double bytes_per_second(Team& team, const Buffer& buffer, size_t words, int threads) {
  const Sum add = widest_sum();
  std::atomic<uint64_t> sink{0};
  const size_t part = words / static_cast<size_t>(threads) / 512 * 512;  // whole pages
  double best = 0;
  const auto start = Clock::now();
  for (int pass = 0; pass < 2 || seconds_since(start) < 0.25; ++pass) {
    const auto begin = Clock::now();
    team.run(1, [&](int, int thread) {
      if (thread < threads) sink += add(buffer.words() + static_cast<size_t>(thread) * part, part);
    });
    const double bytes = static_cast<double>(part) * 8 * threads;
    best = std::max(best, bytes / seconds_since(begin));
  }
  return best;
}

}  // namespace

size_t bandwidth_bytes(const Machine& machine) {
  size_t cache = 0;
  for (const CpuCache& c : machine.caches) cache = std::max(cache, c.bytes);
  size_t bytes = std::clamp(cache * 8, size_t{256} << 20, size_t{1} << 30);
  std::optional<size_t> free = machine.available;
  if (machine.memory_limit) {
    const size_t left = *machine.memory_limit -
                        std::min(*machine.memory_limit, machine.memory_limit_used.value_or(0));
    free = std::min(free.value_or(left), left);
  }
  if (free) bytes = std::min(bytes, *free / 4);
  return std::max(bytes, size_t{16} << 20) >> 21 << 21;
}

Bandwidth measure_bandwidth(size_t bytes, int threads) {
  Team team(threads);
  const Buffer buffer(bytes);
  Bandwidth out;
  out.threads = team.threads();
  const size_t words = bytes / sizeof(uint64_t);
  const size_t part = words / static_cast<size_t>(out.threads) / 512 * 512;
  if (!buffer.good() || part == 0) return out;
  // Each thread touches first what it will read: with several memory nodes that is where it lies.
  team.run(1, [&](int, int thread) {
    uint64_t* mine = buffer.words() + static_cast<size_t>(thread) * part;
    std::fill(mine, mine + part, uint64_t{1});
  });
  out.all_threads =
      bytes_per_second(team, buffer, part * static_cast<size_t>(out.threads), out.threads);
  out.one_thread = out.threads == 1
                       ? out.all_threads
                       : bytes_per_second(team, buffer, part * static_cast<size_t>(out.threads), 1);
  return out;
}

void measure_disk(const std::string& file, Disk& disk) {
  constexpr size_t kBlock = size_t{4} << 20;
  const int fd = open(file.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC);
  if (fd < 0) {
    disk.not_measured =
        errno == EINVAL ? "this file system cannot read past its cache" : std::strerror(errno);
    return;
  }
  const std::unique_ptr<void, decltype(&std::free)> block(std::aligned_alloc(4096, kBlock),
                                                          std::free);
  const auto start = Clock::now();
  size_t total = 0;
  while (seconds_since(start) < 0.5) {
    const ssize_t n = pread(fd, block.get(), kBlock, static_cast<off_t>(total));
    if (n <= 0) break;
    total += static_cast<size_t>(n);
    if (static_cast<size_t>(n) < kBlock) break;
  }
  const double seconds = seconds_since(start);
  close(fd);
  if (total < kBlock)
    disk.not_measured = "the file is too small, or could not be read directly";
  else
    disk.bytes_per_second = static_cast<double>(total) / seconds;
}

}  // namespace braid
