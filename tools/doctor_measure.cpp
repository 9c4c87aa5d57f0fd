#include "tools/doctor.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
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
