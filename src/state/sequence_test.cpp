#include "state/sequence.h"

#include "state/snapshot.h"
#include "state/state_test_support.h"

#include <algorithm>
#include <random>

namespace braid {
namespace {

using namespace state_test;

// The smallest shapes: the exhaustive tests below look at millions of positions.
StateSpec tiny_spec() { return {{RecurrentLayout{1, 1, 1, 1, 1}, KvSpec{1, 1}}}; }

struct Fixture {
  explicit Fixture(StateSpec spec = tiny_spec(), int32_t slots = 8, int32_t pages = 32)
      : pool(device, std::move(spec), {.slots = slots, .pages = pages}) {}
  void expect_empty() const {
    EXPECT_EQ(pool.free_slots(), pool.options().slots);
    EXPECT_EQ(pool.free_pages(), pool.options().pages);
  }

  HostDevice device;
  StatePool pool;
};

// At every length the floor must be where the slot's contents end: a length at or above it is
// served, one below it is not (0 excepted: a zeroed slot looks like it).
void expect_floor_is_exact(const Sequence& sequence) {
  const std::vector<uint64_t> names = history(sequence.tokens());
  for (int64_t length = 0; length <= sequence.length(); ++length) {
    if (length == 0 && sequence.floor() > 0) continue;
    ASSERT_EQ(ready(sequence, names, length), length >= sequence.floor())
        << "length " << length << " of " << sequence.length() << ", floor " << sequence.floor();
  }
}

TEST(RewindFloor, AlwaysReachesABlock) {
  for (int64_t furthest = 0; furthest < 1000; ++furthest) {
    EXPECT_GE(rewind_floor(furthest), 0);
    EXPECT_GE(furthest - rewind_floor(furthest), std::min<int64_t>(furthest, kBlock)) << furthest;
  }
  EXPECT_EQ(rewind_floor(15), 0);
  EXPECT_EQ(rewind_floor(29), 0);
  EXPECT_EQ(rewind_floor(30), 1);
  EXPECT_EQ(rewind_floor(31), 2);
  EXPECT_EQ(rewind_floor(32), 16);
  EXPECT_EQ(rewind_floor(45), 16);
  EXPECT_EQ(rewind_floor(47), 18);
}

TEST(RewindFloor, IsExactAtEveryLength) {
  Fixture f;
  Sequence sequence(f.pool);
  for (int length = 0; length < 150; ++length) {
    expect_floor_is_exact(sequence);
    step(sequence, fresh(1));
  }
}

// Furthest position, first step back, tokens after it: then again every length.
TEST(RewindFloor, IsExactAfterSteppingBackAndOn) {
  Fixture f;
  for (int64_t furthest = 1; furthest <= 70; ++furthest) {
    Sequence parent(f.pool);
    step(parent, fresh(furthest));
    for (int64_t back = parent.floor(); back <= furthest; ++back) {
      Sequence sequence = parent.fork();
      sequence.rewind(furthest - back);
      ASSERT_EQ(sequence.length(), back);
      for (int64_t on = 0; on < 2 * kBlock + 2; ++on) {
        ASSERT_NO_FATAL_FAILURE(expect_floor_is_exact(sequence));
        step(sequence, fresh(1));
      }
    }
  }
  f.expect_empty();
}

TEST(RewindFloor, IsExactAfterRestore) {
  Fixture f;
  for (int64_t furthest = 1; furthest <= 70; ++furthest) {
    for (int64_t back = rewind_floor(furthest); back <= furthest; ++back) {
      Sequence source(f.pool);
      step(source, fresh(furthest));
      source.truncate(back);
      Sequence sequence = restore(f.pool, take(source));
      const int64_t held = std::max(source.floor(), back / kBlock * kBlock);
      ASSERT_EQ(sequence.floor(), held <= kConvHistory ? 0 : held);
      for (int64_t on = 0; on < kBlock + 2; ++on) {
        ASSERT_NO_FATAL_FAILURE(expect_floor_is_exact(sequence));
        Sequence deepest = sequence.fork();
        deepest.truncate(deepest.floor());
        ASSERT_NO_FATAL_FAILURE(expect_floor_is_exact(deepest));
        step(sequence, fresh(1));
      }
    }
  }
  f.expect_empty();
}

// Of the sequences of a step all must move on, so nothing may fail once it has run.
TEST(Sequence, AdvancingTakesNoMemory) {
  HostDevice device;
  StatePool pool(device, small_spec(), {.slots = 1, .pages = 20, .key_type = DType::F32});
  Sequence sequence(pool);
  int moved = 0;
  for (int64_t n = 1; sequence.length() + n < 1000; n = n * 2 % 97) {
    const int32_t* before = sequence.tokens().data();
    sequence.reserve(n);
    const int32_t* reserved = sequence.tokens().data();
    moved += before != reserved;
    sequence.advance(fresh(n));
    EXPECT_EQ(sequence.tokens().data(), reserved);
  }
  EXPECT_LT(moved, 14);
}

TEST(Sequence, RefusesToStepBackTooFarAndStaysAsItIs) {
  Fixture f;
  Sequence sequence(f.pool);
  step(sequence, fresh(100));  // floor 80
  ASSERT_EQ(sequence.floor(), 80);
  const std::string error = error_of([&] { sequence.rewind(21); });
  EXPECT_NE(error.find("reaches back to 80"), std::string::npos) << error;
  EXPECT_NE(error.find("snapshot of at most 79"), std::string::npos) << error;
  EXPECT_NE(error_of([&] { sequence.truncate(1); }).find("snapshot"), std::string::npos);
  EXPECT_NE(error_of([&] { sequence.rewind(101); }), "");
  EXPECT_EQ(sequence.length(), 100);
  EXPECT_TRUE(whole(sequence));

  sequence.rewind(10);
  EXPECT_NE(error_of([&] { sequence.rewind(11); }), "");  // counted from the furthest position
  sequence.rewind(10);
  EXPECT_TRUE(whole(sequence));
  EXPECT_NE(error_of([&] { sequence.rewind(1); }), "");
  step(sequence, fresh(5));
  EXPECT_EQ(sequence.floor(), 80);

  sequence.truncate(0);
  EXPECT_EQ(sequence.floor(), 0);
  EXPECT_EQ(f.pool.free_pages(), 32);
  EXPECT_TRUE(whole(sequence));
  step(sequence, fresh(40));
  EXPECT_TRUE(whole(sequence));
}

TEST(Sequence, WithoutRecurrentLayersCutsAnywhere) {
  Fixture f({{KvSpec{1, 2}}});
  Sequence sequence(f.pool);
  step(sequence, fresh(300));
  sequence.rewind(299);
  EXPECT_EQ(sequence.pages().size(), 1u);
  step(sequence, fresh(200));
  EXPECT_TRUE(whole(sequence));
  const Sequence copy = restore(f.pool, take(sequence));
  EXPECT_EQ(copy.floor(), 0);
  EXPECT_TRUE(whole(copy));
}

// What speculation relies on: any number of up to kBlock verified rows can be refused, wherever
// they lie.
TEST(Sequence, CommitKeepsTheFirstRows) {
  Fixture f;
  for (int64_t before = 0; before < 70; ++before) {
    Sequence parent(f.pool);
    step(parent, fresh(before));
    for (int64_t rows = 1; rows <= kBlock; ++rows) {
      for (int64_t accepted = 0; accepted <= rows; ++accepted) {
        Sequence sequence = parent.fork();
        const std::vector<int32_t> draft = fresh(rows);
        step(sequence, draft);
        sequence.commit(accepted);
        ASSERT_EQ(sequence.length(), before + accepted);
        ASSERT_TRUE(std::equal(draft.begin(), draft.begin() + accepted,
                               sequence.tokens().begin() + before));
        ASSERT_TRUE(whole(sequence));
      }
    }
    EXPECT_THROW(parent.commit(before + 1), InternalError);
  }
  f.expect_empty();
}

TEST(Sequence, ReservesBeforeItGrows) {
  Fixture f(tiny_spec(), 2, 3);
  Sequence sequence(f.pool);
  EXPECT_THROW(sequence.advance(fresh(1)), InternalError);
  sequence.reserve(64);
  EXPECT_EQ(sequence.pages().size(), 1u);
  sequence.reserve(65);
  EXPECT_EQ(sequence.pages().size(), 2u);
  step(sequence, fresh(130));
  const std::string error = error_of([&] { sequence.reserve(63); });
  EXPECT_NE(error.find("need 1 pages"), std::string::npos) << error;
  EXPECT_NE(error.find("-c"), std::string::npos) << error;
  EXPECT_EQ(sequence.pages().size(), 3u);
  sequence.rewind(2);  // to 128
  EXPECT_EQ(sequence.pages().size(), 2u);
  EXPECT_THROW(sequence.advance(fresh(1)),
               InternalError);  // stepping back takes the reservation with it
  EXPECT_NE(error_of([&] { sequence.reserve(int64_t{1} << 31); }), "");
}

TEST(Sequence, ForksShareFullPagesAndNothingElse) {
  Fixture f(small_spec());
  Sequence a(f.pool);
  step(a, fresh(150));
  a.reserve(10);
  Sequence b = a.fork();
  EXPECT_EQ(b.floor(), a.floor());
  EXPECT_EQ(b.pages().size(), 3u);
  EXPECT_EQ(f.pool.references(a.pages()[0]), 2);
  EXPECT_EQ(f.pool.references(a.pages()[1]), 2);
  EXPECT_EQ(f.pool.references(a.pages()[2]), 1);
  EXPECT_NE(a.pages()[2], b.pages()[2]);
  EXPECT_NE(a.slot(), b.slot());

  const std::vector<int32_t> rows = fresh(10);
  write_rows(a, rows);  // reserved before the fork: its rows are a's own
  a.advance(rows);
  EXPECT_TRUE(whole(a));
  EXPECT_TRUE(whole(b));
  step(b, fresh(90));
  EXPECT_TRUE(whole(a));
  EXPECT_TRUE(whole(b));
}

TEST(Sequence, CopiesASharedPageBeforeWritingIntoIt) {
  Fixture f(small_spec());
  for (const bool parent_goes : {true, false}) {
    Sequence a(f.pool);
    step(a, fresh(130));
    Sequence b = a.fork();
    Sequence& back = parent_goes ? a : b;
    Sequence& stays = parent_goes ? b : a;
    back.truncate(120);  // into the second page, which both have
    EXPECT_EQ(a.pages()[1], b.pages()[1]);
    back.reserve(0);
    EXPECT_EQ(a.pages()[1], b.pages()[1]);
    step(back, fresh(3));
    EXPECT_NE(a.pages()[1], b.pages()[1]);
    EXPECT_EQ(a.pages()[0], b.pages()[0]);
    EXPECT_TRUE(whole(back));
    EXPECT_TRUE(whole(stays));
  }
  f.expect_empty();
}

TEST(Sequence, FailedForksAndReservationsLeakNothing) {
  Fixture f(tiny_spec(), 2, 2);
  Sequence a(f.pool);
  step(a, fresh(100));
  EXPECT_NE(error_of([&] { a.fork(); }).find("pages"), std::string::npos);
  EXPECT_EQ(f.pool.free_slots(), 1);
  EXPECT_EQ(f.pool.references(a.pages()[0]), 1);
  EXPECT_NE(error_of([&] { restore(f.pool, take(a)); }).find("pages"), std::string::npos);
  EXPECT_EQ(f.pool.free_slots(), 1);
  const Sequence b(f.pool);
  EXPECT_NE(error_of([&] { a.fork(); }).find("parallel"), std::string::npos);
  EXPECT_EQ(f.pool.references(a.pages()[0]), 1);
}

TEST(Sequence, AnAbandonedStepCountsAsWritten) {
  Fixture f;
  for (int64_t before = 0; before < 50; ++before) {
    for (int64_t rows = 0; rows < 50; ++rows) {
      Sequence sequence(f.pool);
      step(sequence, fresh(before));
      sequence.reserve(rows);
      write_rows(sequence, fresh(rows));
      const bool stands = ready(sequence, history(sequence.tokens()), before);
      ASSERT_EQ(sequence.abandon(rows), stands) << before << " + " << rows;
      if (stands) {
        ASSERT_NO_FATAL_FAILURE(expect_floor_is_exact(sequence));
      } else {
        EXPECT_THROW(sequence.reserve(1), InternalError);
        EXPECT_THROW(sequence.fork(), InternalError);
        EXPECT_THROW(take(sequence), InternalError);
        sequence.truncate(0);
      }
      step(sequence, fresh(20));
      ASSERT_TRUE(whole(sequence));
    }
  }
}

TEST(Sequence, Moves) {
  Fixture f;
  Sequence a(f.pool), b(f.pool);
  step(a, fresh(20));
  step(b, fresh(70));
  const int32_t slot = a.slot();
  b = std::move(a);
  EXPECT_EQ(b.slot(), slot);
  EXPECT_EQ(b.length(), 20);
  EXPECT_EQ(f.pool.free_slots(), 7);
  EXPECT_EQ(f.pool.free_pages(), 31);
  { const Sequence c = std::move(b); }
  f.expect_empty();
}

// Everything at once, against nothing but the markers and the pool's counts.
TEST(Sequence, RandomLivesStayWholeAndLeakNothing) {
  Fixture f(small_spec(), 5, 14);
  std::mt19937 random(1);
  const auto below = [&](int64_t n) {
    return n <= 0 ? 0 : static_cast<int64_t>(random() % static_cast<uint64_t>(n));
  };
  std::vector<Sequence> live;
  int refused = 0;
  for (int round = 0; round < 4000; ++round) {
    const size_t at = static_cast<size_t>(below(static_cast<int64_t>(live.size())));
    const std::string error = error_of([&] {
      if (live.empty()) return live.emplace_back(f.pool), void();
      Sequence& s = live[at];
      switch (random() % 10) {
        case 0:
          live.emplace_back(f.pool);
          break;
        case 1:
          live.push_back(s.fork());
          break;
        case 2:
          live.push_back(restore(f.pool, take(s)));
          break;
        case 3:
          live.erase(live.begin() + static_cast<ptrdiff_t>(at));
          break;
        case 4:
          s.truncate(s.floor() + below(s.length() - s.floor() + 1));
          break;
        case 5:
          s.rewind(below(40));
          break;
        case 6: {
          const int64_t rows = 1 + below(kBlock);
          step(s, fresh(rows));
          s.commit(below(rows + 1));
          break;
        }
        default:
          step(s, fresh(below(60)));
      }
    });
    refused += !error.empty();
    std::vector<int32_t> references(15, 0);
    for (const Sequence& s : live) {
      ASSERT_TRUE(whole(s)) << "round " << round;
      for (int32_t page : s.pages()) ++references[static_cast<size_t>(page)];
    }
    for (int32_t page = 1; page <= 14; ++page)
      ASSERT_EQ(f.pool.references(page), references[static_cast<size_t>(page)]);
    ASSERT_EQ(f.pool.free_slots(), 5 - static_cast<int>(live.size()));
    ASSERT_EQ(f.pool.free_pages(), std::count(references.begin() + 1, references.end(), 0));
  }
  EXPECT_GT(refused, 100);  // the pool was small enough to run out
  live.clear();
  f.expect_empty();
}

}  // namespace
}  // namespace braid
