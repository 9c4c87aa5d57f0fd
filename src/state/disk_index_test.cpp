#include "state/disk_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace braid {
namespace {

constexpr int64_t kRun = 4;
using Tokens = std::vector<int32_t>;

DiskEntry entry_of(uint64_t id, uint64_t parent, int64_t first, Tokens tokens, bool state,
                   uint64_t realm = 0) {
  DiskEntry e;
  e.id = id;
  e.parent = parent;
  e.first = first;
  e.tokens = std::move(tokens);
  e.state = state;
  e.realm = realm;
  e.floor = state ? e.end() - e.end() % 2 : 0;
  e.bytes = 10 + e.tokens.size();
  e.used = id;
  return e;
}

TEST(DiskIndex, RefusesWhatBelongsNowhere) {
  DiskIndex index(kRun);
  EXPECT_FALSE(index.add(entry_of(1, 9, 4, {1}, true)));           // without its run
  EXPECT_FALSE(index.add(entry_of(1, 0, 4, {1}, true)));           // not at the start
  EXPECT_FALSE(index.add(entry_of(1, 0, 0, {}, true)));            // of nothing
  EXPECT_FALSE(index.add(entry_of(1, 0, 0, {1, 2, 3, 4}, true)));  // that is a run
  EXPECT_FALSE(index.add(entry_of(1, 0, 0, {1, 2, 3}, false)));    // that is none
  EXPECT_TRUE(index.add(entry_of(1, 0, 0, {1, 2, 3, 4}, false)));
  EXPECT_FALSE(index.add(entry_of(1, 0, 0, {1, 2, 3, 5}, false)));
  EXPECT_FALSE(index.add(entry_of(2, 0, 0, {1, 2, 3, 4}, false)));
  EXPECT_FALSE(index.add(entry_of(2, 1, 8, {1}, true)));
  EXPECT_FALSE(index.add(entry_of(2, 1, 4, {1}, true, 5)));  // another realm's
  EXPECT_TRUE(index.add(entry_of(2, 1, 4, {}, true)));
  EXPECT_FALSE(index.add(entry_of(3, 2, 4, {1}, true)));  // behind a state
  EXPECT_EQ(index.bytes(), 14u + 10u);
  EXPECT_EQ(index.states(), 1);
  EXPECT_EQ(index.runs(), 1);
}

TEST(DiskIndex, WhatNobodyNeedsGoes) {
  DiskIndex index(kRun);
  index.add(entry_of(1, 0, 0, {1, 2, 3, 4}, false));
  index.add(entry_of(2, 1, 4, {5, 6, 7, 8}, false));
  index.add(entry_of(3, 2, 8, {9}, true));
  index.add(entry_of(4, 1, 4, {5}, true));
  EXPECT_EQ(index.oldest_state(), 3u);
  index.touch(3, 10);
  EXPECT_EQ(index.oldest_state(), 4u);
  index.hold(2);
  EXPECT_EQ(index.remove(3).size(), 1u);
  EXPECT_EQ(index.remove(4).size(), 1u);
  EXPECT_EQ(index.runs(), 2);
  EXPECT_EQ(index.remove_unneeded().size(), 0u);
  EXPECT_EQ(index.release(2).size(), 2u);
  EXPECT_EQ(index.bytes(), 0u);
  EXPECT_EQ(index.release(2).size(), 0u);
  // A run takes along what is behind it, held or not.
  index.add(entry_of(1, 0, 0, {1, 2, 3, 4}, false));
  index.add(entry_of(2, 1, 4, {5}, true));
  index.hold(1);
  EXPECT_EQ(index.remove(1).size(), 2u);
  EXPECT_EQ(index.release(1).size(), 0u);
}

// Against a list of all states, each with all its tokens.
TEST(DiskIndex, AgreesWithANaiveModel) {
  struct State {
    uint64_t realm;
    Tokens tokens;
    int64_t floor;
  };
  int64_t found = 0;
  for (uint32_t seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](uint64_t n) { return random() % n; };
    DiskIndex index(kRun);
    std::map<uint64_t, State> states;
    uint64_t next = 1;
    for (int i = 0; i < 200; ++i) {
      const uint64_t realm = below(2);
      Tokens tokens(1 + below(14));
      for (int32_t& t : tokens) t = static_cast<int32_t>(below(2));
      const auto n = static_cast<int64_t>(tokens.size());
      if (below(4) == 0 && !states.empty()) {
        auto victim = std::next(states.begin(), static_cast<ptrdiff_t>(below(states.size())));
        EXPECT_FALSE(index.remove(victim->first).empty());
        states.erase(victim);
      } else if (index.state_at(realm, tokens) == 0) {
        uint64_t run = index.last_run(realm, tokens);
        int64_t at = run == 0 ? 0 : index.get(run).end();
        for (; at + kRun <= n; at += kRun) {
          ASSERT_TRUE(index.add(entry_of(
              next, run, at, {tokens.begin() + at, tokens.begin() + at + kRun}, false, realm)));
          run = next++;
        }
        ASSERT_TRUE(
            index.add(entry_of(next, run, at, {tokens.begin() + at, tokens.end()}, true, realm)));
        EXPECT_EQ(index.state_at(realm, tokens), next);
        EXPECT_EQ(index.tokens_of(next), tokens);
        states[next] = {realm, tokens, index.get(next).floor};
        ++next;
      }
      EXPECT_EQ(index.states(), static_cast<int64_t>(states.size()));
      std::set<std::pair<uint64_t, Tokens>> runs;
      for (const auto& [id, s] : states)
        for (int64_t end = kRun; end <= static_cast<int64_t>(s.tokens.size()); end += kRun)
          runs.emplace(s.realm, Tokens(s.tokens.begin(), s.tokens.begin() + end));
      EXPECT_EQ(index.runs(), static_cast<int64_t>(runs.size()));
      int64_t usable = 0;
      for (const auto& [id, s] : states) {
        if (s.realm != realm) continue;
        const auto same =
            std::mismatch(tokens.begin(), tokens.end(), s.tokens.begin(), s.tokens.end());
        const int64_t serves = std::min<int64_t>(same.first - tokens.begin(), n - 1);
        // Only runs that are the same in full lead to a state.
        const int64_t whole = static_cast<int64_t>(s.tokens.size()) / kRun * kRun;
        if (serves >= s.floor && same.first - tokens.begin() >= whole)
          usable = std::max(usable, serves);
      }
      const auto f = index.find(realm, tokens);
      EXPECT_EQ(f.usable, usable);
      EXPECT_EQ(f.id != 0, usable > 0);
      found += usable;
      if (testing::Test::HasFailure()) FAIL() << seed << ", " << i;
    }
  }
  EXPECT_GT(found, 1000);
}

}  // namespace
}  // namespace braid
