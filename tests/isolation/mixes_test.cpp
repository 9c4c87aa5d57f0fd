// Whoever shares its steps, wherever its rows stand in the batch and whichever slot holds its
// state, a sequence gives the bits of its solo run, and so do the others.
#include "tests/isolation/isolation_support.h"

#include <algorithm>
#include <set>

namespace braid::isolation {
namespace {

class Mixes : public testing::TestWithParam<Setup> {};

// A sequence on its way along a timeline.
struct Lane {
  Sequence sequence;
  const Tokens* tokens;
  const Rows* expected;

  int64_t left() const { return static_cast<int64_t>(tokens->size()) - sequence.length(); }
};

struct Chunk {
  Lane* lane;
  int64_t tokens;
  int64_t logits;
};

testing::AssertionResult step_together(Engine& engine, const std::vector<Chunk>& chunks) {
  std::vector<Feed> feeds;
  for (const Chunk& c : chunks) {
    Sequence& s = c.lane->sequence;
    feeds.push_back({&s, part(*c.lane->tokens, s.length(), s.length() + c.tokens), c.logits});
  }
  engine.step(feeds);
  int64_t row = 0;
  for (size_t i = 0; i < chunks.size(); ++i) {
    const Lane& lane = *chunks[i].lane;
    for (int64_t p = lane.sequence.length() - chunks[i].logits; p < lane.sequence.length(); ++p)
      if (const auto same = same_bits(engine.logits(row++), (*lane.expected)[p]); !same)
        return testing::AssertionFailure()
               << fmt::format("sequence {} of {}, slot {}, position {}: ", i, chunks.size(),
                              lane.sequence.slot(), p)
               << same.message();
  }
  return testing::AssertionSuccess();
}

constexpr int kLanes = 8;

// Eight timelines that run at most `length` tokens, and an engine for all of them.
class Company {
 public:
  Company(const Setup& setup, const std::string& isa, int64_t length)
      : solo_(setup, isa), bench_(setup, isa, options()) {
    for (int i = 0; i < kLanes; ++i) tokens_.push_back(timeline(i, length));
    for (const Tokens& t : tokens_) expected_.push_back(solo_.logits(t));
    for (int i = 0; i < kLanes; ++i) new_sequences_.push_back(bench_.engine.new_sequence());
  }

  Engine& engine() { return bench_.engine; }
  const std::set<int64_t>& row_counts() const { return row_counts_; }

  // The lane of timeline `which` in a slot from 1 to 8, empty.
  Lane lane(int which, int32_t slot) {
    const auto i = static_cast<size_t>(which);
    Sequence& s = new_sequences_[static_cast<size_t>(slot - 1)];
    CHECK(s.slot() == slot);
    s.reset();
    return {std::move(s), &tokens_[i], &expected_[i]};
  }
  void give_back(std::vector<Lane>& lanes) {
    for (Lane& l : lanes) {
      const auto slot = static_cast<size_t>(l.sequence.slot());
      new_sequences_[slot - 1] = std::move(l.sequence);
    }
  }

  // Runs all lanes, in this order in every step, until lanes[subject] is at its end. Who is at its
  // end before starts again. Pieces of any size, mostly single tokens.
  testing::AssertionResult run(std::vector<Lane>& lanes, size_t subject, std::mt19937& random) {
    constexpr int64_t kSizes[] = {1, 1, 1, 1, 2, 3, 5, 8};
    while (lanes[subject].left() > 0) {
      std::vector<Chunk> chunks;
      int64_t rows = 0;
      for (Lane& lane : lanes) {
        if (lane.left() == 0) lane.sequence.reset();
        const int64_t n = std::min(lane.left(), kSizes[random() % std::size(kSizes)]);
        chunks.push_back({&lane, n, std::min<int64_t>(n, static_cast<int64_t>(random() % 3))});
        rows += n;
      }
      chunks[subject].logits = chunks[subject].tokens;
      row_counts_.insert(rows);
      if (const auto same = step_together(engine(), chunks); !same) return same;
    }
    return testing::AssertionSuccess();
  }

 private:
  static EngineOptions options() {
    EngineOptions o;
    o.context = 128;
    o.sequences = kLanes;
    o.ubatch = o.logit_rows = 80;
    return o;
  }

  Solo solo_;
  Bench bench_;
  std::vector<Tokens> tokens_;
  std::vector<Rows> expected_;
  std::vector<Sequence> new_sequences_;  // by slot - 1
  std::set<int64_t> row_counts_;
};

// Every number of others, every place in the batch; every slot with the best instruction set on one
// thread, otherwise slots in turn.
TEST_P(Mixes, WithUpTo7OthersInEveryPlaceAndEverySlot) {
  for (const std::string& isa : isas(GetParam())) {
    SCOPED_TRACE(isa);
    Company company(GetParam(), isa, 22);
    const bool all_slots = in_full(GetParam(), isa);
    std::mt19937 random(7);
    int turn = 0;
    for (int others = 0; others < kLanes; ++others)
      for (int place = 0; place <= others; ++place)
        for (int32_t s = 0; s < (all_slots ? kLanes : 1); ++s, ++turn) {
          const int32_t slot = 1 + turn % kLanes;
          std::vector<Lane> lanes;
          for (int i = 0; i <= others; ++i)  // timeline 0 at `place`, neighbours in the next slots
            lanes.push_back(company.lane(i == place ? 0 : 1 + (i + turn) % (kLanes - 1),
                                         1 + (slot - 1 + kLanes + i - place) % kLanes));
          ASSERT_EQ(lanes[static_cast<size_t>(place)].sequence.slot(), slot);
          ASSERT_TRUE(company.run(lanes, static_cast<size_t>(place), random))
              << others << " others, place " << place << ", slot " << slot;
          company.give_back(lanes);
        }
    for (const int64_t rows :
         {1, 2, 7, 8, 9, 15, 16, 17})  // few rows and many, ends of row buckets
      EXPECT_TRUE(company.row_counts().contains(rows)) << rows;
  }
}

// One decoding row between prefill rows of other sequences, for every number of rows.
TEST_P(Mixes, ADecodingRowAmongAnyNumberOfPrefillRows) {
  const int64_t length = 41;
  for (const std::string& isa : isas(GetParam())) {
    SCOPED_TRACE(isa);
    Company company(GetParam(), isa, length);
    std::vector<int64_t> counts = {31, 32, 33, 63, 64, 65};
    for (int64_t rows = 1; rows <= 18; ++rows) counts.push_back(rows);
    for (const int64_t rows : counts) {
      for (const int64_t before : {int64_t{0}, (rows - 1) / 2, rows - 1}) {
        const int64_t after = rows - 1 - before;
        if (before > length || after > length) continue;
        std::vector<Lane> lanes;
        for (int i = 0; i < 3; ++i) lanes.push_back(company.lane(i, 1 + i));
        const int64_t prefilled = 10 + rows % 16;  // each place in a block in turn
        ASSERT_TRUE(step_together(company.engine(), {{&lanes[1], prefilled, prefilled}}));
        std::vector<Chunk> chunks;
        if (before > 0) chunks.push_back({&lanes[0], before, before});
        chunks.push_back({&lanes[1], 1, 1});
        if (after > 0) chunks.push_back({&lanes[2], after, after});
        ASSERT_TRUE(step_together(company.engine(), chunks)) << rows << " rows, " << before;
        company.give_back(lanes);
      }
    }
  }
}

// Timelines differ, so a mistaken row would be seen.
TEST_P(Mixes, TimelinesHaveLogitsOfTheirOwn) {
  Solo solo(GetParam(), best_isa());
  for (int a = 0; a < kLanes; ++a)
    for (int b = 0; b < a; ++b)
      for (int64_t p = 0; p < 8; ++p) {
        const Rows &of_a = solo.logits(timeline(a, 8)), &of_b = solo.logits(timeline(b, 8));
        EXPECT_TRUE(differ(of_a[p], of_b[p]));
        EXPECT_TRUE(differ(of_a[p], of_b[7 - p]));
      }
}

INSTANTIATE_TEST_SUITE_P(All, Mixes, testing::ValuesIn(setups()), name_of);

}  // namespace
}  // namespace braid::isolation
