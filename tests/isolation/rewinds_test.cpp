// A sequence that forked, stepped back or was cut short goes on with the bits of a run that never
// did, with the same tokens and with other ones.
#include "tests/isolation/isolation_support.h"

#include <algorithm>
#include <map>

namespace braid::isolation {
namespace {

class Rewinds : public testing::TestWithParam<Setup> {};

EngineOptions options(int sequences) {
  EngineOptions o;
  o.context = 320;
  o.sequences = sequences;
  o.ubatch = o.logit_rows = 64;
  return o;
}

// What timeline 0 gives until `at` and, from there on, the start of timeline 1.
Tokens turned(int64_t at, int64_t more) { return joined(timeline(0, at), timeline(1, more)); }

// Timeline 0 token by token up to `last`; visit(sequence) at each length from `first` on.
template <class Visit>
void walk(Engine& engine, Solo& solo, int64_t first, int64_t last, Visit&& visit) {
  const Tokens tokens = timeline(0, last);
  const Rows& expected = solo.logits(tokens);
  Sequence sequence = engine.new_sequence();
  while (sequence.length() < last && !testing::Test::HasFatalFailure()) {
    const int64_t at = sequence.length();
    const int64_t n = std::max<int64_t>(1, std::min<int64_t>(64, first - at));
    ASSERT_TRUE(goes_on(engine, sequence, part(tokens, at, at + n), expected));
    if (sequence.length() >= first) visit(sequence);
  }
}

// From every place in a block, by every distance up to a block (so over one boundary, at places
// over a page's too), then over the rest of a block and the whole next one.
TEST_P(Rewinds, By1To16FromEveryPlaceInABlock) {
  const int64_t most = 19;
  for (const std::string& isa : isas(GetParam())) {
    SCOPED_TRACE(isa);
    Solo solo(GetParam(), isa);
    Bench bench(GetParam(), isa, options(2));
    const int64_t step = in_full(GetParam(), isa) ? 1 : 5;
    const auto by_each = [&](const Sequence& live) {
      const int64_t length = live.length();
      for (int64_t n = 1 + length % step; n <= std::min<int64_t>(kBlock, length); n += step) {
        for (const bool same : {true, false}) {
          const Tokens tokens = same ? timeline(0, length - n + most) : turned(length - n, most);
          const Rows& expected = solo.logits(tokens);
          Sequence sequence = live.fork();
          sequence.rewind(n);
          // One piece, or a few tokens one by one first.
          for (int64_t i = 0; i < n % 3; ++i)
            ASSERT_TRUE(goes_on(bench.engine, sequence,
                                part(tokens, length - n + i, length - n + i + 1), expected));
          ASSERT_TRUE(goes_on(bench.engine, sequence,
                              part(tokens, sequence.length(), length - n + most), expected))
              << "from " << length << " back by " << n;
        }
      }
    };
    walk(bench.engine, solo, 1, 35, by_each);
    walk(bench.engine, solo, 63, step == 1 ? 70 : 66, by_each);
    if (step == 1) walk(bench.engine, solo, 256, 258, by_each);
  }
}

TEST_P(Rewinds, BelowTheFloorIsRefusedAndMovesNothing) {
  Solo solo(GetParam(), best_isa());
  Bench bench(GetParam(), best_isa(), options(1));
  const Tokens tokens = timeline(0, 120);
  const Rows& expected = solo.logits(tokens);
  Sequence sequence = bench.engine.new_sequence();
  ASSERT_TRUE(goes_on(bench.engine, sequence, part(tokens, 0, 60), expected));
  ASSERT_TRUE(goes_on(bench.engine, sequence, part(tokens, 60, 100), expected));
  const auto before = state_bytes(take(sequence));
  EXPECT_THROW(sequence.rewind(100 - sequence.floor() + 1), Error);
  EXPECT_THROW(sequence.truncate(sequence.floor() - 1), Error);
  EXPECT_EQ(sequence.length(), 100);
  EXPECT_TRUE(state_bytes(take(sequence)) == before);
  sequence.truncate(sequence.floor());
  ASSERT_TRUE(goes_on(bench.engine, sequence, part(tokens, sequence.length(), 120), expected));
  sequence.truncate(0);
  ASSERT_TRUE(goes_on(bench.engine, sequence, part(tokens, 0, 60), expected));
}

// Parent and child share the same step, each on its way; then the child forks again and the parent
// steps back into a page that it shares.
TEST_P(Rewinds, ForksGoOnIndependently) {
  for (const std::string& isa : isas(GetParam())) {
    SCOPED_TRACE(isa);
    Solo solo(GetParam(), isa);
    Bench bench(GetParam(), isa, options(4));
    Engine& engine = bench.engine;
    const auto both = [&](Sequence& a, Sequence& b, const Tokens& of_a, const Tokens& of_b,
                          int64_t n) {
      const Rows& rows_a = solo.logits(of_a);
      const Rows& rows_b = solo.logits(of_b);
      const int64_t from_a = a.length(), from_b = b.length();
      const Feed feeds[] = {{&a, part(of_a, from_a, from_a + n), n},
                            {&b, part(of_b, from_b, from_b + n), n}};
      engine.step(feeds);
      for (int64_t r = 0; r < n; ++r) {
        EXPECT_TRUE(same_bits(engine.logits(r), rows_a[from_a + r])) << from_a + r;
        EXPECT_TRUE(same_bits(engine.logits(n + r), rows_b[from_b + r])) << from_b + r;
      }
    };
    const auto fork_here = [&](Sequence& live) {
      const int64_t length = live.length();
      Sequence parent = live.fork(), child = parent.fork();
      const Tokens straight = timeline(0, length + 24), other = turned(length, 24);
      both(parent, child, straight, other, 1);
      both(parent, child, straight, other, 20);
      Sequence grandchild = child.fork();
      both(grandchild, child, other, other, 3);
      parent.rewind(std::min<int64_t>(kBlock, parent.length()));
      grandchild.rewind(7);
      both(parent, grandchild, turned(parent.length(), 9), other, 6);
      // The live one still stands where it stood.
      EXPECT_EQ(live.length(), length);
    };
    const bool all = in_full(GetParam(), isa);
    walk(engine, solo, all ? 1 : 14, all ? 33 : 18, fork_here);
    walk(engine, solo, 62, all ? 81 : 66, fork_here);
  }
}

// Any order of pieces, rewinds, truncations, commits, forks and restores, with branches into other
// tokens; every row that was ever computed is compared.
TEST_P(Rewinds, RandomWalks) {
  for (const std::string& isa : isas(GetParam())) {
    SCOPED_TRACE(isa);
    Solo solo(GetParam(), isa);
    Bench bench(GetParam(), isa, options(2));
    StatePool& pool = bench.engine.pool();
    std::mt19937 random(11);
    const auto below = [&](int64_t n) { return static_cast<int64_t>(random()) % n; };
    Sequence sequence = bench.engine.new_sequence();
    Tokens ahead = timeline(2, 24);  // what comes next
    const int operations = in_full(GetParam(), isa) ? 200 : kSmall ? 40 : 60;
    std::map<int64_t, int> used;
    for (int i = 0; i < operations; ++i) {
      const int64_t room = sequence.length() - sequence.floor(), kind = below(10);
      ++used[kind];
      if (kind < 5 || room == 0) {
        const int64_t n = 1 + below(kind < 2 ? 20 : 4);
        const Tokens next(ahead.begin(), ahead.begin() + n);
        const Rows& expected = solo.logits(joined(sequence.tokens(), next));
        ASSERT_TRUE(goes_on(bench.engine, sequence, next, expected)) << "operation " << i;
        if (kind == 4) sequence.commit(below(n + 1));
        ahead = timeline(100 + i, 24);
      } else if (kind < 7) {
        const int64_t n = 1 + below(room);
        ahead.insert(ahead.begin(), sequence.tokens().end() - n, sequence.tokens().end());
        if (random() % 2) ahead = timeline(100 + i, 24);
        sequence.rewind(n);
      } else if (kind == 7) {
        sequence.truncate(sequence.floor() + below(room + 1));
      } else if (kind == 8) {
        sequence = sequence.fork();
      } else {
        const auto bytes = to_bytes(take(sequence));
        sequence = restore(pool, snapshot_from_bytes(bytes, "the walk"));
      }
      if (sequence.length() > 150) sequence.reset();
    }
    EXPECT_EQ(used.size(), 10u);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Rewinds, testing::ValuesIn(setups()), name_of);

}  // namespace
}  // namespace braid::isolation
