#include "tools/machine_speed.h"

#include "base/team.h"
#include "device/cpu/cpu_device.h"
#include "device/cpu/kernels/probe.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

namespace braid {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Of the sets that are compiled and run here, best first.
std::vector<ProbeKernels> probe_kernels() {
  std::vector<ProbeKernels> all;
  for (const std::string& isa : cpu::usable_isas()) {
    ProbeKernels p{};
    const auto fill = [&](const char* name, void (*into)(ProbeKernels&)) {
      p.isa = name;
      into(p);
      all.push_back(p);
    };
    if (isa == "portable") fill("portable", portable::fill_probe);
#if defined(__x86_64__)
    if (isa == "avx2") fill("avx2", avx2::fill_probe);
    if (isa == "avx512") fill("avx512", avx512::fill_probe);
#elif defined(__aarch64__)
    if (isa == "neon") fill("neon", neon::fill_probe);
#endif
  }
  return all;
}

class Memory {
 public:
  explicit Memory(size_t bytes)
      : bytes_(bytes),
        data_(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    if (good()) madvise(data_, bytes_, MADV_HUGEPAGE);
  }
  ~Memory() {
    if (good()) munmap(data_, bytes_);
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  bool good() const { return data_ != MAP_FAILED; }
  std::byte* at(size_t offset) const { return static_cast<std::byte*>(data_) + offset; }

 private:
  size_t bytes_;
  void* data_;
};

// A part for each thread, touched first by the thread that will read it: with several memory nodes
// that is where it lies.
class Reader {
 public:
  Reader(Team& team, size_t bytes)
      : team_(team),
        memory_(bytes),
        part_(bytes / static_cast<size_t>(team.threads()) / 4096 * 4096),
        kernels_(probe_kernels().front()) {
    if (!good()) return;
    team_.run(1, [&](int, int thread) { std::fill_n(at(thread), part_, std::byte{1}); });
  }
  bool good() const { return memory_.good() && part_ > 0; }

  // The best of the passes that so many seconds hold, at least two of each kind: the first may
  // still find the processor at a low clock.
  double bytes_per_second(int threads, double seconds = 0.25) {
    std::atomic<uint64_t> sink{0};
    double best = 0;
    const auto start = Clock::now();
    for (int pass = 0; pass < 4 || seconds_since(start) < seconds; ++pass) {
      const auto read = pass % 2 == 0 ? kernels_.read_ahead : kernels_.read;
      const auto begin = Clock::now();
      team_.run(1, [&](int, int thread) {
        if (thread < threads) sink += read(at(thread), part_);
      });
      best = std::max(best, static_cast<double>(part_) * threads / seconds_since(begin));
    }
    return best;
  }

 private:
  std::byte* at(int thread) const { return memory_.at(static_cast<size_t>(thread) * part_); }

  Team& team_;
  Memory memory_;
  size_t part_;
  ProbeKernels kernels_;
};

double ops_per_second(Team& team, const PeakKernel& kernel, int threads) {
  const auto seconds_of = [&](int64_t rounds) {
    const auto begin = Clock::now();
    team.run(1, [&](int, int thread) {
      if (thread < threads) kernel.run(rounds);
    });
    return seconds_since(begin);
  };
  int64_t rounds = 1 << 12;
  while (seconds_of(rounds) < 2e-3) rounds *= 2;
  double best = 0;
  const auto start = Clock::now();
  for (int pass = 0; pass < 2 || seconds_since(start) < 0.05; ++pass)
    best = std::max(best, kernel.ops * static_cast<double>(rounds) * threads / seconds_of(rounds));
  return best;
}

// Which kernel the int8 work of a set would use.
const PeakKernel* int8_of(const std::vector<ProbeKernels>& all, const std::string& isa) {
  const std::string width = isa == "avxvnni" ? "avx2" : isa;
  for (const ProbeKernels& p : all) {
    const bool best = isa.empty() || (width.starts_with(p.isa) && isa.ends_with("vnni"));
    if (best && p.int8_dot.run != nullptr) return &p.int8_dot;
    if ((best || isa == p.isa) && p.int8_maddubs.run != nullptr) return &p.int8_maddubs;
  }
  return nullptr;
}

}  // namespace

struct ReadProbe::Parts {
  Parts(int threads, size_t bytes) : team(threads, Pin::kAuto), reader(team, bytes) {}
  Team team;
  Reader reader;
};

ReadProbe::ReadProbe(int threads, size_t bytes) : parts_(std::make_unique<Parts>(threads, bytes)) {}
ReadProbe::~ReadProbe() = default;

double ReadProbe::sample() {
  if (!parts_->reader.good()) return 0;
  return parts_->reader.bytes_per_second(parts_->team.threads(), 0.03);
}

Bandwidth measure_bandwidth(size_t bytes, int threads) {
  Team team(threads, Pin::kAuto);
  Bandwidth out;
  out.threads = team.threads();
  Reader reader(team, bytes);
  if (!reader.good()) return out;
  out.all_threads = reader.bytes_per_second(out.threads);
  out.one_thread = out.threads == 1 ? out.all_threads : reader.bytes_per_second(1);
  return out;
}

std::vector<Peak> measure_peaks(int threads) {
  Team team(threads, Pin::kAuto);
  std::vector<Peak> peaks;
  const auto measure = [&](const char* kind, const PeakKernel& kernel, const char* isa) {
    if (kernel.run == nullptr) return;
    Peak peak{kind, kernel.instruction, isa, 0, 0};
    peak.all_threads = ops_per_second(team, kernel, team.threads());
    peak.one_thread = team.threads() == 1 ? peak.all_threads : ops_per_second(team, kernel, 1);
    peaks.push_back(peak);
  };
  for (const ProbeKernels& p : probe_kernels()) {
    measure("int8", p.int8_dot, p.isa);
    measure("int8", p.int8_maddubs, p.isa);
    measure("bf16", p.bf16_dot, p.isa);
    measure("f32", p.f32_fma, p.isa);
  }
  return peaks;
}

double measure_barrier(int threads) {
  constexpr int kPhases = 2000;
  Team team(threads, Pin::kAuto);
  const Team::Work nothing = [](int, int) {};
  double best = 1;
  const auto start = Clock::now();
  for (int pass = 0; pass < 3 || seconds_since(start) < 0.1; ++pass) {
    const auto begin = Clock::now();
    team.run(kPhases, nothing);
    best = std::min(best, seconds_since(begin) / kPhases);
  }
  return best;
}

MachineSpeed measure_int8(int threads, const std::string& isa) {
  Team team(threads, Pin::kAuto);
  MachineSpeed speed;
  speed.threads = team.threads();
  const std::vector<ProbeKernels> all = probe_kernels();
  if (const PeakKernel* int8 = int8_of(all, isa)) {
    speed.int8_ops = ops_per_second(team, *int8, team.threads());
    speed.int8_kind = int8->instruction;
  }
  return speed;
}

}  // namespace braid
