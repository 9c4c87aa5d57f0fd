#include "engine/step_plan.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

namespace braid {
namespace {

using Rows = std::vector<int64_t>;

Work prompt(int64_t pending, int priority = 0) { return {pending, pending, false, priority}; }
const Work kDecoding{1, 1, true, 0};

TEST(StepPlan, EveryDecodingOneGetsItsRow) {
  const Work work[] = {kDecoding, prompt(500), kDecoding};
  EXPECT_EQ(plan_rows(work, 100, 512), (Rows{1, 98, 1}));
  EXPECT_EQ(plan_rows(work, 2, 512), (Rows{1, 16, 1}));  // prompts go on whatever
  EXPECT_EQ(plan_rows(work, 100, 10), (Rows{1, 8, 1}));
}

TEST(StepPlan, PromptsShareInEqualParts) {
  const Work work[] = {prompt(10), prompt(500), prompt(500)};
  EXPECT_EQ(plan_rows(work, 110, 512), (Rows{10, 50, 50}));
  EXPECT_EQ(plan_rows(work, 64, 4), (Rows{2, 1, 1}));
}

TEST(StepPlan, HigherPrioritiesGoFirst) {
  const Work work[] = {prompt(500, -1), prompt(40, 7), prompt(500, 2), {1, 1, true, -5}};
  EXPECT_EQ(plan_rows(work, 101, 512), (Rows{0, 40, 60, 1}));
  EXPECT_EQ(plan_rows(work, 512, 512), (Rows{0, 40, 471, 1}));
}

TEST(StepPlan, StopsForSnapshots) {
  const Work work[] = {{300, 20, false, 0}, prompt(100)};
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
