// However a sequence is cut into prefill pieces and single tokens, its logits are the same bits.
#include "tests/isolation/isolation_support.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace braid::isolation {
namespace {

class Cuts : public testing::TestWithParam<Setup> {};

EngineOptions for_pieces(int64_t longest) {
  EngineOptions options;
  options.context = longest;
  options.sequences = 2;
  options.ubatch = options.logit_rows = longest;
  return options;
}

// There are 2^39 cuts of 40 tokens; induction covers them all. Let C(i) be the canonical state
// after i tokens one by one (state_bytes: what decides the following tokens). This test shows for
// every i < j <= 40: from any slot that holds C(i), and NaN wherever C(i) says nothing, the step
// [i, j) gives the logits of the one-by-one run in all its rows and leaves C(j). A cut is a chain
// of such steps from C(0), so each of them gives these logits.
TEST_P(Cuts, AllCutsOf40TokensGiveTheSameBits) {
  const int64_t n = kSmall ? 24 : 40;
  for (const std::string& isa : isas(GetParam())) {
    SCOPED_TRACE(isa);
    Solo solo(GetParam(), isa);
    const Tokens tokens = timeline(0, n);
    const std::vector<Snapshot> states = solo.states(tokens);
    const Rows& expected = solo.logits(tokens);
    std::vector<std::vector<std::byte>> canonical;
    for (const Snapshot& s : states) canonical.push_back(state_bytes(s));
    Bench bench(GetParam(), isa, for_pieces(n));
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = i + 1; j <= n; ++j) {
        Sequence sequence = restore(bench.engine.pool(), states[static_cast<size_t>(i)]);
        poison_rest(bench.engine, sequence);
        ASSERT_TRUE(goes_on(bench.engine, sequence, part(tokens, i, j), expected));
        ASSERT_TRUE(state_bytes(take(sequence)) == canonical[static_cast<size_t>(j)])
            << "the state after [" << i << ", " << j << ")";
      }
    }
  }
}

using Lengths = std::vector<int64_t>;

Lengths repeated(int64_t piece, int64_t n) {
  Lengths cut;
  for (int64_t left = n; left > 0; left -= piece) cut.push_back(std::min(piece, left));
  return cut;
}

Lengths random_cut(std::mt19937& random, int64_t n) {
  Lengths cut;
  for (int64_t left = n; left > 0; left -= cut.back()) {
    const auto kind = random() % 3;  // single tokens, about a block, long ones
    const int64_t most = kind == 0 ? 1 : kind == 1 ? 40 : 300;
    cut.push_back(std::min<int64_t>(left, 1 + static_cast<int64_t>(random()) % most));
  }
  return cut;
}

// Pages of 64 and partials of 256 keys end inside.
std::vector<Lengths> cuts_of(int64_t n, size_t how_many) {
  std::vector<Lengths> cuts = {{n}, {n - 88, 88}, {1, n - 1}, repeated(17, n), repeated(257, n)};
  std::mt19937 random(5);
  while (cuts.size() < std::min<size_t>(how_many, 10)) cuts.push_back(random_cut(random, n));
  for (const int64_t piece : {8, 9, 15, 16, 64, 255, 256}) cuts.push_back(repeated(piece, n));
  cuts.insert(cuts.end(), {{n - 1, 1}, {n / 2, n - n / 2}});
  while (cuts.size() < how_many) cuts.push_back(random_cut(random, n));
  cuts.resize(how_many);
  return cuts;
}

TEST_P(Cuts, RandomCutsOf600TokensGiveTheSameBits) {
  const int64_t n = kSmall ? 290 : 600;
  for (const std::string& isa : isas(GetParam())) {
    SCOPED_TRACE(isa);
    Solo solo(GetParam(), isa);
    const Tokens tokens = timeline(0, n);
    const auto final_state = state_bytes(solo.states(tokens).back());
    const Rows& expected = solo.logits(tokens);
    Bench bench(GetParam(), isa, for_pieces(n));
    for (const Lengths& cut : cuts_of(n, in_full(GetParam(), isa) ? 22 : 8)) {
      ASSERT_EQ(std::accumulate(cut.begin(), cut.end(), int64_t{0}), n);
      Sequence sequence = bench.engine.new_sequence();
      for (const int64_t piece : cut)
        ASSERT_TRUE(goes_on(bench.engine, sequence,
                            part(tokens, sequence.length(), sequence.length() + piece), expected));
      EXPECT_TRUE(state_bytes(take(sequence)) == final_state);
    }
  }
}

TEST_P(Cuts, WantingFewerLogitsChangesNoBits) {
  const int64_t n = 35;
  for (const std::string& isa : isas(GetParam())) {
    SCOPED_TRACE(isa);
    Solo solo(GetParam(), isa);
    const Tokens tokens = timeline(0, n);
    const Rows& expected = solo.logits(tokens);
    Bench bench(GetParam(), isa, for_pieces(n));
    for (int64_t wanted = 0; wanted <= n; ++wanted) {
      Sequence sequence = bench.engine.new_sequence();
      const Feed feed{&sequence, tokens, wanted};
      bench.engine.step({&feed, 1});
      ASSERT_EQ(bench.engine.logit_rows(), wanted);
      for (int64_t r = 0; r < wanted; ++r)
        ASSERT_TRUE(same_bits(bench.engine.logits(r), expected[n - wanted + r]));
    }
  }
}

// The comparisons above can fail: each number of the canonical state matters to the next logits.
TEST_P(Cuts, TheNextLogitsDependOnEveryPartOfTheState) {
  const int64_t n = 21;
  const Tokens tokens = timeline(0, n + 1);
  const std::string isa = best_isa();
  Solo solo(GetParam(), isa);
  const Snapshot state = solo.states(timeline(0, n)).back();
  const Rows& expected = solo.logits(tokens);
  Bench bench(GetParam(), isa, for_pieces(64));
  const auto next_differs = [&](const Snapshot& s) {
    Sequence sequence = restore(bench.engine.pool(), s);
    const Feed feed{&sequence, part(tokens, n, n + 1), 1};
    bench.engine.step({&feed, 1});
    return differ(bench.engine.logits(0), expected[n]);
  };
  EXPECT_FALSE(next_differs(state));
  int moved = 0, tried = 0;
  for (size_t i = 0; i < state.recurrent.blocks.size(); i += 97) {
    Snapshot changed = state;
    changed.recurrent.blocks[i] += 8.0f;
    moved += next_differs(changed);
    ++tried;
  }
  // A change may be lost where inputs are rounded to int8 beside greater neighbours.
  const bool rounded = std::string(GetParam().model) == "quantised";
  EXPECT_GE(moved, rounded ? tried * 9 / 10 : tried);
  for (const size_t row : {1, 2, 3}) {  // from the end: the rows that the next convolution reads
    Snapshot changed = state;
    const size_t width = changed.recurrent.conv.size() / static_cast<size_t>(n - 13);
    changed.recurrent.conv[changed.recurrent.conv.size() - row * width + 1] += 0.5f;
    EXPECT_TRUE(next_differs(changed)) << "row " << row;
  }
  // Keys: of the first layer with any, in the first head.
  for (int64_t p = 0; p < n; ++p) {
    Snapshot changed = state;
    const auto& kv = std::get<KvSpec>(*std::find_if(
        state.spec.layers.begin(), state.spec.layers.end(),
        [](const LayerState& layer) { return std::holds_alternative<KvSpec>(layer); }));
    const size_t row = row_bytes(GetParam().cache, kv.head_dim);
    std::memset(&changed.kv.rows[static_cast<size_t>(p) * row], 0, row);
    EXPECT_TRUE(next_differs(changed)) << "key " << p;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Cuts, testing::ValuesIn(setups()), name_of);

}  // namespace
}  // namespace braid::isolation
