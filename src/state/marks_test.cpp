#include "state/marks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace braid {
namespace {

using Marks = std::vector<PlannedMark>;
PrefixMatch match_of(int64_t usable, int64_t known) {
  PrefixMatch match;
  match.usable = usable;
  match.known = known;
  return match;
}

TEST(Marks, TheGridWidens) {
  std::vector<int64_t> points;
  for (int64_t at = next_grid_point(0); at < 9000; at = next_grid_point(at)) points.push_back(at);
  EXPECT_EQ(points, (std::vector<int64_t>{256, 512, 768, 1024, 1280, 1536, 1792, 2048, 2560, 3072,
                                          3584, 4096, 5120, 6144, 7168, 8192}));
}

TEST(Marks, TheEndOfAPromptLeavesItsLastTokenToRun) {
  EXPECT_EQ(plan_marks(0, 100, {}, {}), (Marks{{100, Mark::kPrompt}}));
  EXPECT_EQ(plan_marks(0, 96, {}, {}), (Marks{{95, Mark::kPrompt}}));
  EXPECT_EQ(plan_marks(95, 96, {}, {}), (Marks{}));
}

TEST(Marks, WhereItParted) {
  EXPECT_EQ(plan_marks(40, 200, {}, match_of(40, 150)),
            (Marks{{150, Mark::kBranch}, {200, Mark::kPrompt}}));
  EXPECT_EQ(plan_marks(140, 200, {}, match_of(140, 150)), (Marks{{200, Mark::kPrompt}}));
}

TEST(Marks, OneSnapshotServesItsBlock) {
  const int64_t messages[] = {97, 103, 30, 95};
  EXPECT_EQ(plan_marks(0, 105, messages, {}),
            (Marks{{30, Mark::kMessage}, {95, Mark::kMessage}, {105, Mark::kPrompt}}));
}

// Whatever the messages: ascending, in range, logarithmically many, and no message is further
// behind the next mark below it than the thinning allows.
TEST(Marks, AreFewAndNear) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    const auto prompt = static_cast<int64_t>(100 + random() % 20000);
    const auto from = static_cast<int64_t>(random() % 100);
    std::vector<int64_t> messages;
    for (int64_t at = 0; at < prompt; at += 5 + random() % 100) messages.push_back(at);
    std::shuffle(messages.begin(), messages.end(), random);
    const Marks marks = plan_marks(from, prompt, messages, {});
    EXPECT_LE(marks.size(), 90u) << prompt;
    int64_t before = from;
    for (const PlannedMark& m : marks) {
      EXPECT_GT(m.at, before);
      before = m.at;
    }
    EXPECT_LE(before, prompt);
    for (const int64_t message : messages) {
      if (message <= from) continue;
      int64_t served = from;
      for (const PlannedMark& m : marks)
        if (m.at / kBlock * kBlock <= message) served = std::min(m.at, message);
      EXPECT_LE(message - served, (prompt - message) / 4 + 110) << message << " of " << prompt;
    }
  }
}

}  // namespace
}  // namespace braid
