#include "engine/step_plan.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

namespace braid {
namespace {

using Rows = std::vector<int64_t>;

Work prompt(int64_t pending, int priority = 0, uint64_t number = 0) {
  return {pending, pending, false, priority, number};
}
const Work kDecoding{1, 1, true, 0, 0};

TEST(StepPlan, EveryDecodingOneGetsItsRow) {
  const Work work[] = {kDecoding, prompt(500), kDecoding};
  EXPECT_EQ(plan_rows(work, 100, 512), (Rows{1, 98, 1}));
  EXPECT_EQ(plan_rows(work, 2, 512), (Rows{1, 16, 1}));  // prompts go on whatever
  EXPECT_EQ(plan_rows(work, 100, 10), (Rows{1, 8, 1}));
}

TEST(StepPlan, HalfForWhoWaitsLongestTheRestForTheShortest) {
  const Work work[] = {prompt(300, 0, 3), prompt(500, 0, 1), prompt(40, 0, 2), prompt(60, 0, 4)};
  EXPECT_EQ(plan_rows(work, 100, 512), (Rows{0, 50, 40, 10}));
  EXPECT_EQ(plan_rows(work, 201, 512), (Rows{0, 101, 40, 60}));
  EXPECT_EQ(plan_rows(work, 400, 512), (Rows{100, 200, 40, 60}));
  // Who waits longest may be the shortest as well, and then has no need of more.
  const Work two[] = {prompt(10, 0, 1), prompt(500, 0, 2)};
  EXPECT_EQ(plan_rows(two, 100, 512), (Rows{10, 90}));
}

// A prompt that is there first ends after at most twice the steps that it would need alone, however
// many short ones come later.
TEST(StepPlan, ALongPromptIsNotStarved) {
  int64_t left = 2000;
  uint64_t number = 2;
  std::vector<Work> work{prompt(left, 0, 1)};
  for (int step = 0; step < 40; ++step) {
    while (work.size() < 8) work.push_back(prompt(30, 0, number++));
    const Rows rows = plan_rows(work, 100, 512);
    left -= rows[0];
    work[0] = prompt(left, 0, 1);
    for (size_t i = work.size() - 1; i > 0; --i)
      if (rows[i] == 30) work.erase(work.begin() + static_cast<int64_t>(i));
  }
  EXPECT_EQ(left, 0);
  EXPECT_GE(number, 40);  // and the short ones went on
}

TEST(StepPlan, HigherPrioritiesGoFirst) {
  const Work work[] = {prompt(500, -1), prompt(40, 7), prompt(500, 2), {1, 1, true, -5, 0}};
  EXPECT_EQ(plan_rows(work, 101, 512), (Rows{0, 40, 60, 1}));
  EXPECT_EQ(plan_rows(work, 512, 512), (Rows{0, 40, 471, 1}));
}

TEST(StepPlan, StopsForSnapshots) {
  const Work work[] = {{300, 20, false, 0, 0}, prompt(100)};
  EXPECT_EQ(plan_rows(work, 100, 512), (Rows{20, 80}));
}

TEST(StepPlan, NothingIsLeftThatSomebodyCouldUse) {
  std::mt19937 random(1);
  for (int round = 0; round < 500; ++round) {
    std::vector<Work> work(1 + random() % 20);
    int64_t wanted = 0, decoding = 0;
    for (Work& w : work) {
      w.decoding = random() % 2;
      w.pending = w.decoding ? 1 : 1 + random() % 100;
      w.until = w.decoding ? 1 : 1 + random() % 100;
      w.priority = static_cast<int>(random() % 3);
      w.number = random() % 100;
      wanted += std::min(w.pending, w.until);
      decoding += w.decoding;
    }
    const auto budget = static_cast<int64_t>(random() % 200);
    const int64_t most = std::max<int64_t>(decoding, 1 + static_cast<int64_t>(random() % 300));
    const Rows rows = plan_rows(work, budget, most);
    const int64_t sum = std::accumulate(rows.begin(), rows.end(), int64_t{0});
    EXPECT_EQ(sum, std::min({wanted, most, decoding + std::max(budget - decoding, kLeastPrefill)}));
    for (size_t i = 0; i < work.size(); ++i) {
      EXPECT_LE(rows[i], std::min(work[i].pending, work[i].until));
      EXPECT_TRUE(!work[i].decoding || rows[i] == 1);
    }
  }
}

// Steps that cost a fixed part and a part per row come to the wanted time, from both sides.
TEST(StepBudget, LearnsHowManyRowsFit) {
  for (const double row : {0.0001, 0.002, 0.005}) {
    StepBudget budget(0.2, 4096);
    for (int i = 0; i < 40; ++i)
      budget.note(budget.rows(), 0.03 + row * static_cast<double>(budget.rows()));
    const double seconds = 0.03 + row * static_cast<double>(budget.rows());
    EXPECT_NEAR(seconds, 0.2, 0.02) << row;
  }
  StepBudget slow(0.2, 4096);
  for (int i = 0; i < 20; ++i) slow.note(slow.rows(), 10);
  EXPECT_EQ(slow.rows(), kLeastPrefill);
  slow.note(1, 0.0001);  // a small one shows nothing
  EXPECT_EQ(slow.rows(), kLeastPrefill);
  StepBudget fast(0.2, 4096);
  for (int i = 0; i < 20; ++i) fast.note(fast.rows(), 0.1);
  const int64_t learnt = fast.rows();
  for (int i = 0; i < 100; ++i) fast.note(1, 0.01);  // the rows of an answer, one by one
  EXPECT_EQ(fast.rows(), learnt);
  StepBudget small(0.2, 8);
  small.note(8, 0.001);
  EXPECT_EQ(small.rows(), 8);
}

}  // namespace
}  // namespace braid
