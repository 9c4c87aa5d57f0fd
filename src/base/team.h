// A fixed team of threads that walks the phases of a program together.
//
// The caller is thread 0; the others spin for a short while between jobs and then sleep, so an idle
// engine costs nothing. Threads run where a Placement puts them, the caller only while it runs a
// job. A barrier ends each phase. After an exception of any thread the remaining
// phases are walked without work and run() rethrows it, so no thread is ever left behind at a
// barrier.
#pragma once

#include "base/topology.h"

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace braid {

class Team {
 public:
  // 0 threads: as many as the topology advises.
  explicit Team(int threads, Pin pin = Pin::kOff);
  // For tests of other machines than this one.
  Team(int threads, Placement placement);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int threads() const { return threads_; }
  // Memory nodes that the threads are bound to, and a thread's among them.
  int nodes() const { return placement_.nodes; }
  int node(int thread) const {
    return placement_.threads.empty() ? 0 : placement_.threads[static_cast<size_t>(thread)].node;
  }

  // Runs work(phase, thread) on every thread for each phase in turn; returns when all have ended.
  // One job at a time: the caller owns the team.
  using Work = std::function<void(int phase, int thread)>;
  void run(int phases, const Work& work);

 private:
  void worker(int thread);
  void dismiss();
  void walk(int thread);
  void barrier();

  int threads_;
  Placement placement_;
  const Work* work_ = nullptr;
  int phases_ = 0;
  alignas(64) std::atomic<uint32_t> generation_{0};
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<uint32_t> barrier_phase_{0};
  std::atomic<bool> failed_{false};
  std::atomic<bool> stop_{false};
  std::mutex error_mutex_;
  std::exception_ptr error_;
  std::vector<std::jthread> workers_;  // last: they use all of the above
};

}  // namespace braid
