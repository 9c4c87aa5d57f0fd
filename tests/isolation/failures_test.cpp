// A step that is refused or breaks off moves nothing: all its sequences go on with the same bits.
#include "tests/isolation/isolation_support.h"

#include <algorithm>
#include <atomic>
#include <functional>

namespace braid::isolation {
namespace {

class Failures : public testing::TestWithParam<Setup> {};

EngineOptions options() {
  EngineOptions o;
  o.context = 80;
  o.sequences = 2;
  o.ubatch = 48;
  o.logit_rows = 40;
  return o;
}

// Two sequences on their way; what they stand at must not change.
struct Pair {
  Pair(const Setup& setup, const std::string& isa, Bench& b)
      : solo(setup, isa),
        engine(b.engine),
        sequences{engine.new_sequence(), engine.new_sequence()},
        tokens{timeline(0, 79), timeline(1, 79)},
        expected{solo.logits(tokens[0]), solo.logits(tokens[1])} {}

  testing::AssertionResult go_on(int which, int64_t n) {
    Sequence& s = sequences[which];
    return goes_on(engine, s, part(tokens[which], s.length(), s.length() + n), expected[which]);
  }
  Feed feed(int which, int64_t n, int64_t logits = 1) {
    Sequence& s = sequences[which];
    return {&s, part(tokens[which], s.length(), s.length() + n), logits};
  }
  std::vector<std::vector<std::byte>> states() const {
    return {state_bytes(take(sequences[0])), state_bytes(take(sequences[1]))};
  }

  Solo solo;
  Engine& engine;
  Sequence sequences[2];
  Tokens tokens[2];
  Rows expected[2];
};

TEST_P(Failures, ARefusedStepMovesNothing) {
  Bench bench(GetParam(), best_isa(), options());
  Pair pair(GetParam(), best_isa(), bench);
  ASSERT_TRUE(pair.go_on(0, 20));
  ASSERT_TRUE(pair.go_on(1, 31));
  const Tokens unknown = {1, 2, static_cast<int32_t>(bench.engine.spec().vocabulary)};
  const Tokens negative = {-1}, none, long_one = timeline(5, 61);
  const std::vector<std::vector<Feed>> bad = {
      {pair.feed(0, 1), {&pair.sequences[1], unknown, 1}},
      {{&pair.sequences[1], negative, 1}, pair.feed(0, 3)},
      {pair.feed(0, 20), pair.feed(1, 29)},          // 49 rows
      {pair.feed(0, 20, 20), pair.feed(1, 21, 21)},  // 41 logits
      {pair.feed(0, 1), {&pair.sequences[1], none, 1}},
      {pair.feed(0, 1), pair.feed(0, 1)},                    // twice
      {pair.feed(1, 1), {&pair.sequences[0], long_one, 1}},  // context
  };
  for (const std::vector<Feed>& feeds : bad) {
    SCOPED_TRACE(&feeds - bad.data());
    const auto before = pair.states();
    EXPECT_THROW(bench.engine.step(feeds), Error);
    EXPECT_TRUE(pair.states() == before);
    ASSERT_TRUE(pair.go_on(0, 1));
    ASSERT_TRUE(pair.go_on(1, 3));
  }
}

// A fault that one thread meets at one of its calls.
std::atomic<int> calls_left{-1};
std::atomic<int> faulty_thread{0};
struct Fault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <auto member>
struct Faulty;
template <class Args, Entry<Args> Ops::*member>
struct Faulty<member> {
  static inline void (*real)(const Args&, const Share&) = nullptr;
  static void work(const Args& args, const Share& share) {
    if (share.thread == faulty_thread && calls_left.fetch_sub(1) == 0) throw Fault("planted");
    real(args, share);
  }
  static void plant(Ops& ops) {
    real = (ops.*member).work;
    (ops.*member).work = work;
  }
};

void plant_faults(Ops& ops) {
  Faulty<&Ops::embed>::plant(ops);
  Faulty<&Ops::gdn_mix>::plant(ops);
  Faulty<&Ops::attn_mix>::plant(ops);
  Faulty<&Ops::linear_add>::plant(ops);
  Faulty<&Ops::mlp>::plant(ops);
  Faulty<&Ops::route>::plant(ops);
  Faulty<&Ops::experts>::plant(ops);
  Faulty<&Ops::head>::plant(ops);
}

// Whatever phase it breaks off in, on whatever thread: layers before it have moved on, layers after
// it have not.
TEST_P(Failures, AStepThatBreaksOffAnywhereMovesNothing) {
  for (const int thread : {0, GetParam().threads - 1}) {
    faulty_thread = thread;
    calls_left = -1;
    Bench bench(GetParam(), best_isa(), options(), plant_faults);
    Pair pair(GetParam(), best_isa(), bench);
    ASSERT_TRUE(pair.go_on(0, 1));
    ASSERT_TRUE(pair.go_on(1, 3));
    int faults = 0;
    for (const int64_t rows : {1, 4, 13}) {  // of the second sequence, beside one of the first
      const int phases = bench.engine.program(1 + rows).phases();
      for (int phase = 0; phase < phases; phase += rows == 4 ? 1 : 5) {
        const auto before = pair.states();
        const Feed feeds[] = {pair.feed(0, 1), pair.feed(1, rows)};
        calls_left = phase;
        EXPECT_THROW(bench.engine.step(feeds), Fault);
        calls_left = -1;
        ++faults;
        ASSERT_TRUE(pair.states() == before);
        // Sometimes after several faults in a row.
        ASSERT_TRUE(faults % 2 || pair.go_on(0, 1)) << "after phase " << phase;
        ASSERT_TRUE(faults % 3 || pair.go_on(1, 2)) << "after phase " << phase;
        for (int i : {0, 1})
          if (pair.sequences[i].length() > 60) pair.sequences[i].reset();
      }
      calls_left = phases;  // one more would be one too many
      ASSERT_TRUE(pair.go_on(1, rows));
      calls_left = -1;
    }
    EXPECT_GT(faults, 25);
  }
}

// A long piece overwrites what stepping back needs: the sequence says so and can start again.
TEST_P(Failures, ABrokenOffPrefillNeedsAReset) {
  faulty_thread = 0;
  calls_left = -1;
  Bench bench(GetParam(), best_isa(), options(), plant_faults);
  Pair pair(GetParam(), best_isa(), bench);
  ASSERT_TRUE(pair.go_on(0, 5));
  ASSERT_TRUE(pair.go_on(1, 20));
  const Feed feeds[] = {pair.feed(0, 5), pair.feed(1, 40)};
  calls_left = 10;
  EXPECT_THROW(bench.engine.step(feeds), Fault);
  calls_left = -1;
  EXPECT_EQ(pair.sequences[1].length(), 20);
  EXPECT_THROW(pair.go_on(1, 1), InternalError);
  ASSERT_TRUE(pair.go_on(0, 5));
  pair.sequences[1].reset();
  ASSERT_TRUE(pair.go_on(1, 40));
}

INSTANTIATE_TEST_SUITE_P(All, Failures, testing::ValuesIn(setups()), name_of);

}  // namespace
}  // namespace braid::isolation
