#include "tools/load_memory.h"

#include "base/check.h"
#include "base/system_files.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

namespace braid {
std::optional<double> growth_per_minute(std::span<const MemorySample> samples, double from) {
  double n = 0, t = 0, b = 0, tt = 0, tb = 0;
  // Bytes from the first one on, so that no digits are lost.
  int64_t first = 0;
  for (const MemorySample& sample : samples) {
    if (sample.seconds < from) continue;
    if (n == 0) first = sample.resident;
    const double minutes = sample.seconds / 60,
                 bytes = static_cast<double>(sample.resident - first);
    n += 1, t += minutes, b += bytes, tt += minutes * minutes, tb += minutes * bytes;
  }
  const double spread = n * tt - t * t;
  if (n < 3 || spread <= 0) return std::nullopt;
  return (n * tb - t * b) / spread;
}

MemorySample read_memory(int64_t pid) {
  const std::string path = fmt::format("/proc/{}/status", pid);
  const std::string status = read_text(path);
  const auto bytes = [&](std::string_view key) -> std::optional<int64_t> {
    const auto kib = number_at(value_of(status, key));  // "VmRSS:     1234 kB"
    return kib ? std::optional(*kib * 1024) : std::nullopt;
  };
  const auto resident = bytes("VmRSS");
  if (!resident) fail("{}: no memory of such a process can be read: is it running?", path);
  return {.seconds = 0, .resident = *resident, .anonymous = bytes("RssAnon").value_or(0)};
}

MemoryWatch::MemoryWatch(int64_t pid, double every_seconds) {
  samples_.push_back(read_memory(pid));
  thread_ = std::thread([this, pid, every_seconds] {
    using Clock = std::chrono::steady_clock;
    const auto began = Clock::now();
    const auto seconds = [&] {
      return std::chrono::duration<double>(Clock::now() - began).count();
    };
    for (int64_t i = 1;; ++i) {
      while (!stop_ && seconds() < static_cast<double>(i) * every_seconds)
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
      if (stop_) return;
      try {
        MemorySample sample = read_memory(pid);
        sample.seconds = seconds();
        samples_.push_back(sample);
      } catch (const Error&) {
        return;  // it has ended
      }
    }
  });
}

MemoryWatch::~MemoryWatch() { end(); }

std::vector<MemorySample> MemoryWatch::end() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
  return std::move(samples_);
}

}  // namespace braid
