#include "base/team.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <stdexcept>
#include <thread>
#include <vector>

namespace braid {
namespace {

TEST(Team, EveryThreadWalksEveryPhaseAndMeetsAtTheBarrier) {
  for (int threads : {1, 2, 3, 5}) {
    Team team(threads);
    constexpr int kPhases = 200;
    std::vector<std::atomic<int>> arrived(kPhases);
    std::atomic<int> early{0};
    for (int round = 0; round < 3; ++round) {
      for (auto& a : arrived) a = 0;
      team.run(kPhases, [&](int phase, int) {
        if (phase > 0 && arrived[phase - 1] != threads)
          ++early;  // someone is still in the last phase
        ++arrived[phase];
      });
      for (auto& a : arrived) EXPECT_EQ(a, threads);
    }
    EXPECT_EQ(early, 0);
  }
}

TEST(Team, AnExceptionReachesTheCallerAndTheTeamGoesOn) {
  Team team(3);
  for (int thrower = 0; thrower < 3; ++thrower) {
    std::atomic<int> later{0};
    EXPECT_THROW(team.run(10,
                          [&](int phase, int thread) {
                            if (phase == 4 && thread == thrower) throw std::runtime_error("lost");
                            if (phase > 4) ++later;
                          }),
                 std::runtime_error);
    EXPECT_EQ(later, 0) << "work after the failed phase";
    int sum = 0;
    team.run(1, [&](int, int thread) {
      if (thread == 0) sum = 7;
    });
    EXPECT_EQ(sum, 7);
  }
}

// A worker that leaves the last barrier late must not walk on into the next, longer job.
TEST(Team, JobsOfDifferentLengthsFollowEachOther) {
  Team team(3);
  for (int round = 0; round < 3000; ++round) {
    const int phases = 1 + round % 7 * 5;
    std::vector<std::atomic<int>> arrived(static_cast<size_t>(phases));
    team.run(phases, [&](int phase, int) { ++arrived[static_cast<size_t>(phase)]; });
    for (auto& a : arrived) ASSERT_EQ(a, 3);
  }
}

TEST(Team, AJobWithoutPhasesReturns) {
  Team team(2);
  for (int i = 0; i < 1000; ++i) team.run(0, [](int, int) { FAIL(); });
}

double processor_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

TEST(Team, SleepsWhenIdle) {
  Team team(4);
  team.run(10, [](int, int) {});
  const double before = processor_seconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_LT(processor_seconds() - before, 0.03);
}

std::vector<int> mask_of_this_thread() {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof set, &set);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(static_cast<size_t>(cpu), &set)) cpus.push_back(cpu);
  return cpus;
}

// The caller is free again between jobs, so that what else it starts is not bound with it.
TEST(Team, ThreadsRunWhereTheyArePut) {
  const std::vector<int> before = mask_of_this_thread();
  if (before.size() < 2) GTEST_SKIP() << "one processor: nothing to choose from";
  Team team(2, Placement{{{{before[1]}, 0}, {{before[0]}, 1}}, 2});
  std::vector<std::vector<int>> masks(2);
  team.run(1, [&](int, int thread) { masks[static_cast<size_t>(thread)] = mask_of_this_thread(); });
  EXPECT_EQ(masks[0], std::vector<int>{before[1]});
  EXPECT_EQ(masks[1], std::vector<int>{before[0]});
  EXPECT_EQ(mask_of_this_thread(), before);
  EXPECT_EQ(team.node(1), 1);
  EXPECT_EQ(Team(3).threads(), 3);
  EXPECT_EQ(Team(0).threads(), this_topology().default_threads());
}

}  // namespace
}  // namespace braid
