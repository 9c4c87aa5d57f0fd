#include "base/share_out.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

namespace braid {
namespace {

TEST(ShareOut, EachItemIsDoneOnce) {
  for (int threads : {1, 2, 5}) {
    Team team(threads);
    std::vector<std::atomic<int>> done(1000);
    size_t last = 0;
    share_out(
        team, done.size(), [&](size_t item, int) { ++done[item]; },
        [&](size_t n) {
          EXPECT_GT(n, 0u);
          EXPECT_GE(n, last);
          last = n;
        });
    for (const auto& n : done) EXPECT_EQ(n, 1);
    share_out(team, 0, [](size_t, int) { FAIL() << "there is nothing to do"; });
  }
}

TEST(ShareOut, EachNodeDoesItsOwn) {
  Team team(3, Placement{{{{}, 0}, {{}, 1}, {{}, 1}}, 2});
  std::vector<std::atomic<int>> node(1000);
  share_out_by_node(
      team, node.size(), [](size_t item) { return item % 3 == 0 ? 0 : 1; },
      [&](size_t item, int thread) { node[item] += 10 + team.node(thread); });
  for (size_t i = 0; i < node.size(); ++i) EXPECT_EQ(node[i], i % 3 == 0 ? 10 : 11) << i;
}

TEST(ShareOut, AfterAnExceptionNobodyTakesAnotherItem) {
  Team team(3);
  const auto items_done = [&](bool in_tick) {
    std::atomic<size_t> done{0};
    const auto fail_at = [&](size_t n) {
      if (n == 10) throw std::runtime_error("ten");
    };
    EXPECT_THROW(share_out(
                     team, size_t{1} << 40,  // for ever, if it went on
                     [&](size_t item, int) {
                       ++done;
                       if (!in_tick) fail_at(item);
                     },
                     [&](size_t) {
                       if (in_tick) throw std::runtime_error("tick");
                     }),
                 std::runtime_error);
    return done.load();
  };
  EXPECT_GE(items_done(false), 11u);
  EXPECT_GE(items_done(true), 1u);
}

}  // namespace
}  // namespace braid
