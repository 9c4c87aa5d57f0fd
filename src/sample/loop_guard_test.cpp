#include "sample/loop_guard.h"

#include <gtest/gtest.h>

#include <random>

namespace braid {
namespace {

// After how many tokens of a block of p, over and over, the guard sees a loop of `tokens`.
int64_t seen_after(size_t p, int64_t tokens, LoopGuard guard = {}) {
  for (int64_t n = 1; n < 40'000; ++n) {
    guard.accept(static_cast<int32_t>(static_cast<size_t>(n - 1) % p));
    if (guard.loops(tokens)) return n;
  }
  return -1;
}

TEST(LoopGuard, SeesBlocksThatComeAgainAndAgain) {
  EXPECT_EQ(seen_after(1, 512), 512);
  EXPECT_EQ(seen_after(2, 512), 512);
  EXPECT_EQ(seen_after(64, 512), 512);
  EXPECT_EQ(seen_after(65, 512), 8 * 65);
  EXPECT_EQ(seen_after(1024, 512), 8 * 1024);
  EXPECT_EQ(seen_after(1025, 512), -1);
  EXPECT_EQ(seen_after(7, 8192), 8192);
  EXPECT_EQ(seen_after(7, 0), -1);
}

TEST(LoopGuard, WhatStandsBeforeChangesNothing) {
  LoopGuard guard;
  for (int32_t i = 0; i < 3000; ++i) guard.accept(5000 + i);
  EXPECT_EQ(seen_after(100, 512, guard), 800);
  guard.reset();
  EXPECT_EQ(seen_after(3, 512, guard), 512);
}

TEST(LoopGuard, OneOtherTokenBreaksIt) {
  LoopGuard guard;
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 511; ++i) guard.accept(i % 3);
    EXPECT_FALSE(guard.loops(512));
    guard.accept(100 + round);
  }
}

// As counters and tables do: lines of one form with a number that grows.
TEST(LoopGuard, LinesThatDifferALittleAreNone) {
  LoopGuard guard;
  for (int32_t line = 0; line < 5000; ++line) {
    for (int32_t i = 0; i < 12; ++i) guard.accept(i);
    for (int32_t n = line; n > 0; n /= 10) guard.accept(100 + n % 10);
    ASSERT_FALSE(guard.loops(512)) << line;
  }
}

TEST(LoopGuard, RandomTokensAreNone) {
  std::mt19937 random(1);
  LoopGuard guard;
  for (int i = 0; i < 100'000; ++i) {
    guard.accept(static_cast<int32_t>(random() % 2));
    ASSERT_FALSE(guard.loops(64));
  }
}

}  // namespace
}  // namespace braid
