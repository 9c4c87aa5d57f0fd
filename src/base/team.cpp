#include "base/team.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <utility>

namespace braid {
namespace {

// About 20 us of spinning before a thread gives its core away: longer than a phase of a small
// model, far shorter than a user's pause. With more threads than cores, yielding early is what
// keeps going.
constexpr int kSpins = 2000;

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Returns once `value` is no longer `old`.
void wait_for_change(const std::atomic<uint32_t>& value, uint32_t old) {
  for (int i = 0; i < kSpins; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    relax();
  }
  value.wait(old, std::memory_order_acquire);
}

// CPUs of the cgroup's quota ("max 100000" or "200000 100000"), or a large number.
int quota_cores() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return 1 << 20;
  return std::max(1, static_cast<int>(std::stod(quota) / period + 0.5));
}

}  // namespace

int Team::usable_cores() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return 1;
  std::set<std::pair<int, int>> cores;  // (package, core): hyper-threads of one core count once
  int cpus = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &mask)) continue;
    ++cpus;
    const std::string topology = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
    int package = 0, core = cpu;
    std::ifstream(topology + "physical_package_id") >> package;
    std::ifstream(topology + "core_id") >> core;
    cores.insert({package, core});
  }
  const int physical = cores.empty() ? cpus : static_cast<int>(cores.size());
  return std::max(1, std::min(physical, quota_cores()));
}

Team::Team(int threads) : threads_(threads > 0 ? threads : usable_cores()) {
  for (int i = 1; i < threads_; ++i) workers_.emplace_back([this, i] { worker(i); });
}

Team::~Team() {
  stop_ = true;
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
}

void Team::worker(int thread) {
  uint32_t seen = 0;
  while (true) {
    wait_for_change(generation_, seen);
    seen = generation_.load(std::memory_order_acquire);
    if (stop_) return;
    walk(thread);
  }
}

void Team::walk(int thread) {
  // Read once: after the last barrier the caller may already be preparing its next job.
  const int phases = phases_;
  const Work& work = *work_;
  // One barrier even for a job without phases: run() must not outrun a worker that has yet to read
  // it.
  for (int phase = 0; phase < std::max(phases, 1); ++phase) {
    try {
      if (phase < phases && !failed_.load(std::memory_order_relaxed)) work(phase, thread);
    } catch (...) {
      const std::lock_guard lock(error_mutex_);
      if (!error_) error_ = std::current_exception();
      failed_ = true;
    }
    barrier();
  }
}

void Team::run(int phases, const Work& work) {
  work_ = &work;
  phases_ = phases;
  failed_ = false;
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  walk(0);
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void Team::barrier() {
  const uint32_t phase = barrier_phase_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
    arrived_.store(0, std::memory_order_relaxed);
    barrier_phase_.fetch_add(1, std::memory_order_release);
    barrier_phase_.notify_all();
  } else {
    wait_for_change(barrier_phase_, phase);
  }
}

}  // namespace braid
