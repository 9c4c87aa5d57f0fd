#include "base/team.h"

#include "base/check.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <system_error>
#include <utility>
#include <vector>

namespace braid {
namespace {

// About 20 us of spinning before a thread offers its core to others: longer than a phase of a small
// model. With more threads than cores, offering early is what keeps going.
constexpr int kSpins = 2000;
// Then it offers its core again and again before it sleeps: to be woken takes tens of microseconds,
// which a token's sampling and a neighbour's longer half of a phase are worth, a user's pause not.
constexpr auto kOffering = std::chrono::milliseconds(1);

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
  const auto end = std::chrono::steady_clock::now() + kOffering;
  do {
    if (value.load(std::memory_order_acquire) != old) return;
    sched_yield();
  } while (std::chrono::steady_clock::now() < end);
  value.wait(old, std::memory_order_acquire);
}

cpu_set_t as_set(const std::vector<int>& cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : cpus)
    if (cpu < CPU_SETSIZE) CPU_SET(static_cast<size_t>(cpu), &set);
  return set;
}

// Advice: where it is refused, the system places the thread.
void bind_this_thread(const std::vector<int>& cpus) {
  if (cpus.empty()) return;
  const cpu_set_t set = as_set(cpus);
  sched_setaffinity(0, sizeof set, &set);
}

// Binds the calling thread for a while.
class Bound {
 public:
  explicit Bound(const Placement& placement) {
    if (placement.threads.empty() || placement.threads[0].cpus.empty()) return;
    bound_ = sched_getaffinity(0, sizeof before_, &before_) == 0;
    if (bound_) bind_this_thread(placement.threads[0].cpus);
  }
  ~Bound() {
    if (bound_) sched_setaffinity(0, sizeof before_, &before_);
  }
  Bound(const Bound&) = delete;
  Bound& operator=(const Bound&) = delete;

 private:
  bool bound_ = false;
  cpu_set_t before_;
};

}  // namespace

Team::Team(int threads, Pin pin)
    : Team(threads > 0 ? threads : this_topology().default_threads(),
           this_topology().place(threads > 0 ? threads : this_topology().default_threads(), pin)) {}

Team::Team(int threads, Placement placement) : threads_(threads), placement_(std::move(placement)) {
  CHECK(placement_.threads.empty() || static_cast<int>(placement_.threads.size()) == threads_);
  try {
    for (int i = 1; i < threads_; ++i) workers_.emplace_back([this, i] { worker(i); });
  } catch (const std::system_error& error) {
    dismiss();  // those that are there wait for work, and nobody would end them
    fail("{} threads: the system gives no more than {} ({}); take fewer with -t", threads_,
         workers_.size() + 1, error.what());
  }
}

Team::~Team() { dismiss(); }

void Team::dismiss() {
  stop_ = true;
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
}

void Team::worker(int thread) {
  if (!placement_.threads.empty())
    bind_this_thread(placement_.threads[static_cast<size_t>(thread)].cpus);
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
  const Bound bound(placement_);
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
#if defined(BRAID_BARRIER_DELAY_NS)
  // What a barrier costs on a machine with many cores, emulated: never in a build for use.
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::nanoseconds(BRAID_BARRIER_DELAY_NS);
  while (std::chrono::steady_clock::now() < end) relax();
#endif
}

}  // namespace braid
