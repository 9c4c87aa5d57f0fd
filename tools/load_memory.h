// The resident memory of a process while it works: how much, and whether it grows.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <thread>
#include <vector>

namespace braid {

struct MemorySample {
  double seconds = 0;                   // since the watch began
  int64_t resident = 0, anonymous = 0;  // bytes; of files is what is between
};

// Bytes a minute by least squares, of the samples from `from` seconds on; none where these are
// fewer than three.
std::optional<double> growth_per_minute(std::span<const MemorySample> samples, double from);

// Reads /proc. Throws Error when there is no such process.
MemorySample read_memory(int64_t pid);

class MemoryWatch {
 public:
  // Throws Error when there is no such process. When it ends later, samples end too.
  MemoryWatch(int64_t pid, double every_seconds);
  ~MemoryWatch();
  MemoryWatch(const MemoryWatch&) = delete;
  MemoryWatch& operator=(const MemoryWatch&) = delete;

  std::vector<MemorySample> end();

 private:
  std::vector<MemorySample> samples_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace braid
