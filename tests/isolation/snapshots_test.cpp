// A restored sequence goes on with the same bits in any slot of any engine; what a slot or a page
// held before never shows (rules S2 and S3).
#include "tests/isolation/isolation_support.h"

#include <algorithm>

namespace braid::isolation {
namespace {

class Snapshots : public testing::TestWithParam<Setup> {};

EngineOptions options(int sequences, int64_t ubatch) {
  EngineOptions o;
  o.context = 384;
  o.sequences = sequences;
  o.ubatch = o.logit_rows = ubatch;
  return o;
}

std::vector<int64_t> lengths(bool all) {
  if (!all) return {1, 15, 16, 17, 35, 64, 70};
  return {0,  1,  2,  3,  4,  5,  13, 14, 15,  16,  17,  18,  19,
          31, 32, 33, 47, 63, 64, 65, 80, 127, 255, 256, 257, 300};
}

// Restored directly and from bytes, in the engine that took it and in another one of other sizes
// and threads, all free memory poisoned before.
TEST_P(Snapshots, RestoredAnywhereGoesOnWithTheSameBits) {
  for (const std::string& isa : isas(GetParam())) {
    SCOPED_TRACE(isa);
    Solo solo(GetParam(), isa);
    Bench here(GetParam(), isa, options(4, 320));
    Bench there({GetParam().model, GetParam().cache, GetParam().threads % 3 + 1}, isa,
                options(2, 50));
    Sequence live = here.engine.new_sequence();
    for (const int64_t length : lengths(in_full(GetParam(), isa))) {
      const Tokens same = timeline(0, length + 20);
      const Tokens other = joined(part(same, 0, length), timeline(1, 20));
      if (length > 0) {
        ASSERT_TRUE(
            goes_on(here.engine, live, part(same, live.length(), length), solo.logits(same)));
      }
      const Snapshot direct = take(live);
      const Snapshot stored = snapshot_from_bytes(to_bytes(direct), "the test");
      for (Bench* bench : {&here, &there}) {
        Engine& engine = bench->engine;
        poison_free(engine.pool());
        {
          Sequence a = restore(engine.pool(), direct), b = restore(engine.pool(), stored);
          EXPECT_NE(a.slot(), b.slot());
          const auto next = [&](const Tokens& all) { return part(all, length, length + 20); };
          ASSERT_TRUE(goes_on(engine, a, next(same), solo.logits(same))) << length;
          ASSERT_TRUE(goes_on(engine, b, next(other), solo.logits(other))) << length;
          EXPECT_TRUE(state_bytes(take(a)) != state_bytes(take(b)));
        }
        poison_free(engine.pool());
        Sequence back = restore(engine.pool(), stored);  // as far as the snapshot allows
        back.truncate(back.floor());
        ASSERT_TRUE(
            goes_on(engine, back, part(other, back.length(), length + 20), solo.logits(other)))
            << length;
      }
    }
  }
}

// Every free slot and page, and the trash ones, hold NaN; a new sequence must not see any of it.
TEST_P(Snapshots, ADirtySlotDoesNotLeak) {
  for (const std::string& isa : isas(GetParam())) {
    SCOPED_TRACE(isa);
    Solo solo(GetParam(), isa);
    const Tokens tokens = timeline(0, 40);
    const Rows& expected = solo.logits(tokens);
    Bench bench(GetParam(), isa, options(3, 64));
    for (const int64_t piece : {1, 2, 3, 5, 16, 40}) {
      poison_free(bench.engine.pool());
      std::vector<Sequence> all;
      for (int i = 0; i < 3; ++i) all.push_back(bench.engine.new_sequence());
      for (Sequence& s : all)
        while (s.length() < 40)
          ASSERT_TRUE(goes_on(bench.engine, s,
                              part(tokens, s.length(), std::min<int64_t>(40, s.length() + piece)),
                              expected));
    }
  }
}

TEST_P(Snapshots, ASlotServesOneSequenceAfterAnother) {
  Solo solo(GetParam(), best_isa());
  Bench bench(GetParam(), best_isa(), options(1, 64));
  for (int i = 0; i < 12; ++i) {
    const Tokens tokens = timeline(i % 5, 3 + 5 * i);
    Sequence sequence = bench.engine.new_sequence();
    EXPECT_EQ(sequence.slot(), 1);
    ASSERT_TRUE(goes_on(bench.engine, sequence, tokens, solo.logits(tokens)));
    if (i % 3 == 0) {  // the same by resetting
      sequence.reset();
      const Tokens others = timeline(7, 20);
      ASSERT_TRUE(goes_on(bench.engine, sequence, others, solo.logits(others)));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Snapshots, testing::ValuesIn(setups()), name_of);

}  // namespace
}  // namespace braid::isolation
