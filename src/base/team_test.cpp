#include "base/team.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
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

TEST(Team, CountsCoresOfThisProcess) { EXPECT_GE(Team::usable_cores(), 1); }

}  // namespace
}  // namespace braid
