// Drafting and verifying changes no bits: with any number of drafted and accepted tokens, the
// accepted sequence has the logits of plain decoding, and the MTP layer those of drafting one by
// one.
#include "tests/isolation/isolation_support.h"

#include <algorithm>
#include <utility>

namespace braid::isolation {
namespace {

class Drafts : public testing::TestWithParam<Setup> {};

EngineOptions options(int sequences) {
  EngineOptions o;
  o.context = 384;
  o.sequences = sequences;
  o.ubatch = o.logit_rows = 120;
  o.draft = true;
  return o;
}

int32_t best_of(std::span<const float> logits) {
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

// A sequence that is decoded with drafts. Its last token is known but not yet run.
struct Loop {
  Loop(Engine& engine, const Tokens& start)
      : sequence(engine.new_sequence()),
        tokens(start),
        trunk(width(engine)),
        drafts(width(engine)) {}
  // A fork that goes on with another last token.
  Loop(const Loop& other, int32_t last)
      : sequence(other.sequence.fork()),
        tokens(other.tokens),
        trunk(other.trunk),
        drafts(other.drafts),
        hidden(other.hidden) {
    tokens.back() = last;
  }
  static size_t width(const Engine& engine) {
    return static_cast<size_t>(engine.spec().vocabulary);
  }

  Sequence sequence;
  Tokens tokens;
  Rows trunk, drafts;         // logits by position, of what was accepted
  std::vector<float> hidden;  // of the positions [drafts.count(), sequence.length())
};

struct Turn {
  Loop* loop;
  int drafts, accepted;
  bool own;            // draft what the MTP layer says; otherwise `forced`
  Tokens forced = {};  // drafts, and the token after the accepted ones
};

// One step of rows[i] for turns[i], all logits wanted.
void step(Engine& engine, const std::vector<Turn>& turns, const std::vector<Tokens>& rows) {
  std::vector<Feed> feeds;
  for (size_t i = 0; i < turns.size(); ++i)
    feeds.push_back({&turns[i].loop->sequence, rows[i], static_cast<int64_t>(rows[i].size())});
  engine.step(feeds);
}

// Runs all tokens but the last in one piece.
void prefill(Engine& engine, Loop& loop) {
  const auto n = static_cast<int64_t>(loop.tokens.size()) - 1;
  step(engine, {{&loop, 0, 0, true}}, {{loop.tokens.begin(), loop.tokens.end() - 1}});
  for (int64_t r = 0; r < n; ++r) {
    loop.trunk.add(engine.logits(r));
    loop.hidden.insert(loop.hidden.end(), engine.hidden(r).begin(), engine.hidden(r).end());
  }
}

// The MTP layer runs the positions whose tokens have been accepted since the last time; the last
// row of each loop is the first draft.
std::vector<Tokens> catch_up(Engine& engine, const std::vector<Turn>& turns,
                             std::vector<std::vector<float>>& last_hidden) {
  std::vector<DraftFeed> feeds;
  for (const Turn& t : turns) {
    const int64_t from = t.loop->drafts.count(), end = t.loop->sequence.length();
    feeds.push_back({&t.loop->sequence, from, part(t.loop->tokens, from + 1, end + 1),
                     t.loop->hidden, end - from});
  }
  engine.draft(feeds);
  std::vector<Tokens> drafted;
  int64_t row = 0;
  for (size_t i = 0; i < turns.size(); ++i) {
    for (size_t r = 0; r < feeds[i].tokens.size(); ++r)
      turns[i].loop->drafts.add(engine.logits(row++));
    drafted.push_back({best_of(engine.logits(row - 1))});
    last_hidden.emplace_back(engine.hidden(row - 1).begin(), engine.hidden(row - 1).end());
    turns[i].loop->hidden.clear();
  }
  return drafted;
}

// One round of all loops together: catch up, draft on, verify, accept.
void play(Engine& engine, const std::vector<Turn>& turns) {
  std::vector<std::vector<float>> hidden;
  std::vector<Tokens> drafted = catch_up(engine, turns, hidden);
  for (int i = 1;; ++i) {
    std::vector<DraftFeed> feeds;
    std::vector<size_t> who;
    for (size_t t = 0; t < turns.size(); ++t) {
      if (turns[t].drafts <= i) continue;
      who.push_back(t);
      feeds.push_back({&turns[t].loop->sequence, turns[t].loop->sequence.length() - 1 + i,
                       std::span(drafted[t]).last(1), hidden[t], 1});
    }
    if (feeds.empty()) break;
    engine.draft(feeds);
    for (size_t f = 0; f < who.size(); ++f) {
      drafted[who[f]].push_back(best_of(engine.logits(static_cast<int64_t>(f))));
      const auto next = engine.hidden(static_cast<int64_t>(f));
      hidden[who[f]].assign(next.begin(), next.end());
    }
  }
  std::vector<Tokens> rows;
  for (size_t t = 0; t < turns.size(); ++t) {
    const Turn& turn = turns[t];
    const Tokens& drafts = turn.own ? drafted[t] : turn.forced;
    rows.push_back({turn.loop->tokens.back()});
    rows.back().insert(rows.back().end(), drafts.begin(), drafts.begin() + turn.drafts);
  }
  step(engine, turns, rows);
  int64_t row = 0;
  for (size_t t = 0; t < turns.size(); ++t) {
    const Turn& turn = turns[t];
    Loop& loop = *turn.loop;
    for (int r = 0; r <= turn.accepted; ++r) {
      loop.trunk.add(engine.logits(row + r));
      loop.hidden.insert(loop.hidden.end(), engine.hidden(row + r).begin(),
                         engine.hidden(row + r).end());
      if (r > 0) loop.tokens.push_back(rows[t][static_cast<size_t>(r)]);
    }
    loop.tokens.push_back(turn.own ? best_of(engine.logits(row + turn.accepted))
                                   : turn.forced[static_cast<size_t>(turn.drafts)]);
    loop.sequence.commit(turn.accepted + 1);
    row += turn.drafts + 1;
  }
}

// Decodes one by one, and drafts after each token from it alone.
Rows solo_drafts(Bench& bench, const Tokens& tokens) {
  Engine& engine = bench.engine;
  Loop loop(engine, tokens);
  for (size_t i = 0; i + 1 < tokens.size(); ++i) {
    const Feed feed{&loop.sequence, std::span(tokens).subspan(i, 1), 1};
    engine.step({&feed, 1});
    const std::vector<float> hidden(engine.hidden(0).begin(), engine.hidden(0).end());
    const DraftFeed next{&loop.sequence, static_cast<int64_t>(i),
                         std::span(tokens).subspan(i + 1, 1), hidden, 1};
    engine.draft({&next, 1});
    loop.drafts.add(engine.logits(0));
  }
  return loop.drafts;
}

struct Judge {
  Judge(const Setup& setup, const std::string& isa)
      : solo(setup, isa), bench({setup.model, setup.cache, 1}, isa, options(1)) {}

  testing::AssertionResult agrees(const Loop& loop) {
    const Rows& trunk = solo.logits(loop.tokens);  // of an engine without drafts
    for (int64_t p = 0; p < loop.trunk.count(); ++p)
      if (const auto same = same_bits(loop.trunk[p], trunk[p]); !same)
        return testing::AssertionFailure() << fmt::format("position {}: ", p) << same.message();
    const Rows drafts = solo_drafts(bench, loop.tokens);
    for (int64_t p = 0; p < loop.drafts.count(); ++p)
      if (const auto same = same_bits(loop.drafts[p], drafts[p]); !same)
        return testing::AssertionFailure() << fmt::format("draft after {}: ", p) << same.message();
    return testing::AssertionSuccess();
  }

  Solo solo;
  Bench bench;
};

Turn forced(Loop& loop, int drafts, int accepted, std::mt19937& random) {
  Turn turn{&loop, drafts, accepted, false, {}};
  for (int i = 0; i <= drafts; ++i) turn.forced.push_back(static_cast<int32_t>(random() % 256));
  return turn;
}

// From every place in a block: every number of drafts, every number of accepted ones, and one more
// round on top. The drafts are random tokens, so what is accepted is not the model's own choice.
TEST_P(Drafts, EveryPatternFromEveryPlaceInABlock) {
  for (const std::string& isa : isas(GetParam())) {
    SCOPED_TRACE(isa);
    Judge judge(GetParam(), isa);
    Bench bench(GetParam(), isa, options(2));
    std::mt19937 random(3);
    const bool all = in_full(GetParam(), isa);
    for (int64_t length = 12; length < 28; length += all ? 1 : 5) {
      Loop base(bench.engine, timeline(0, length + 1));
      prefill(bench.engine, base);
      for (int drafts = 1; drafts <= 4; ++drafts) {
        for (int accepted = 0; accepted <= drafts; ++accepted) {
          Loop loop(base, base.tokens.back());
          play(bench.engine, {forced(loop, drafts, accepted, random)});
          ASSERT_EQ(loop.sequence.length(), length + 1 + accepted);
          play(bench.engine, {forced(loop, 1 + drafts % 4, 1, random)});
          play(bench.engine, {forced(loop, 1, 0, random)});
          ASSERT_TRUE(judge.agrees(loop))
              << accepted << " of " << drafts << " accepted after " << length;
        }
      }
    }
  }
}

// A long loop in which the model's own drafts are accepted or refused by force, several sequences
// verified in one step.
TEST_P(Drafts, ALongLoopOfSeveralSequences) {
  for (const std::string& isa : isas(GetParam())) {
    SCOPED_TRACE(isa);
    Judge judge(GetParam(), isa);
    Bench bench(GetParam(), isa, options(3));
    std::vector<Loop> loops;
    for (const int64_t length : {5, 30, 62}) {
      Loop& loop = loops.emplace_back(bench.engine, timeline(3 + static_cast<int>(length), length));
      prefill(bench.engine, loop);
    }
    std::mt19937 random(9);
    std::vector<std::pair<int, int>> patterns;  // drafted, accepted
    for (int drafts = 1; drafts <= 4; ++drafts)
      for (int accepted = 0; accepted <= drafts; ++accepted) patterns.push_back({drafts, accepted});
    size_t next = 0;  // 14 patterns, three loops: after 14 rounds each loop has met all of them
    for (int round = 0; round < (kSmall ? 14 : 50); ++round) {
      std::vector<Turn> turns;
      for (Loop& loop : loops) {
        const auto [drafts, accepted] = patterns[next++ % patterns.size()];
        turns.push_back({&loop, drafts, accepted, true});
        if (random() % 4 == 0) turns.back() = forced(loop, drafts, accepted, random);
      }
      std::rotate(turns.begin(), turns.begin() + round % 3, turns.end());
      play(bench.engine, turns);
    }
    for (const Loop& loop : loops) EXPECT_TRUE(judge.agrees(loop));
  }
}

// The keys of the MTP layer at the last position depend on the token that follows. Forks that share
// that position's page must not overwrite each other's.
TEST_P(Drafts, ForksDraftOnTheirOwn) {
  for (const std::string& isa : isas(GetParam())) {
    SCOPED_TRACE(isa);
    Judge judge(GetParam(), isa);
    for (const int64_t length : {40, 63, 64, 65, 70}) {
      Bench bench(GetParam(), isa, options(3));
      std::mt19937 random(static_cast<uint32_t>(length));
      Loop a(bench.engine, timeline(0, length + 1));
      prefill(bench.engine, a);
      Loop b(a, 17), c(a, 99);
      for (int round = 0; round < 3; ++round)
        for (Loop* loop : {&a, &b, &c}) play(bench.engine, {forced(*loop, 3, 1, random)});
      for (const Loop* loop : {&a, &b, &c}) ASSERT_TRUE(judge.agrees(*loop)) << length;
    }
  }
}

// The same after stepping back into a page that a fork shares, before anything else is run.
TEST_P(Drafts, ARewoundForkDraftsOnItsOwn) {
  Judge judge(GetParam(), best_isa());
  const int64_t length = 66, kept = 60, d_model = 32;
  Bench bench(GetParam(), best_isa(), options(2));
  std::mt19937 random(4);
  Loop a(bench.engine, timeline(0, length + 1));
  prefill(bench.engine, a);
  const std::vector<float> hidden = a.hidden;
  ASSERT_EQ(static_cast<int64_t>(hidden.size()), length * d_model);
  play(bench.engine, {forced(a, 2, 1, random)});
  Loop b(a, 0);
  b.sequence.truncate(kept);
  b.tokens = joined(timeline(0, kept), Tokens{201});  // position 59 is followed by another token
  b.trunk = b.drafts = Rows(Loop::width(bench.engine));
  for (int64_t p = 0; p < kept; ++p) b.trunk.add(a.trunk[p]);
  for (int64_t p = 0; p + 1 < kept; ++p) b.drafts.add(a.drafts[p]);
  b.hidden.assign(hidden.begin() + (kept - 1) * d_model, hidden.begin() + kept * d_model);
  for (Loop* loop : {&b, &a, &b, &a}) play(bench.engine, {forced(*loop, 2, 1, random)});
  EXPECT_TRUE(judge.agrees(a));
  EXPECT_TRUE(judge.agrees(b));
}

INSTANTIATE_TEST_SUITE_P(All, Drafts, testing::ValuesIn(setups_with_mtp()), name_of);

}  // namespace
}  // namespace braid::isolation
