#include "state/prefix_tree.h"

#include "state/state_test_support.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <set>

namespace braid {
namespace {

using namespace state_test;
using Tokens = std::vector<int32_t>;

struct Fixture {
  explicit Fixture(const PrefixTreeOptions& options = {}, int pages = 64,
                   StateSpec spec = small_spec())
      : pool(device, std::move(spec), {.slots = 6, .pages = pages, .key_type = DType::F32}),
        tree(pool, options) {}

  size_t page_bytes() const {
    return StatePool::page_bytes(pool.spec(), pool.options().key_type, pool.options().value_type);
  }
  // Runs the prompt from where the tree lets it, stores it at `marks` and at its end.
  PrefixMatch converse(const Tokens& prompt, std::vector<int64_t> marks = {}) {
    PrefixMatch match;
    Sequence sequence = tree.start(prompt, match);
    for (const int64_t mark : marks) {
      if (mark <= sequence.length()) continue;
      step(sequence, std::span(prompt).subspan(static_cast<size_t>(sequence.length()),
                                               static_cast<size_t>(mark - sequence.length())));
      tree.store(sequence, mark, Mark::kMessage, false);
    }
    step(sequence, std::span(prompt).subspan(static_cast<size_t>(sequence.length())));
    EXPECT_TRUE(whole(sequence));
    tree.store(sequence, sequence.length(), Mark::kEnd, true);
    return match;
  }

  HostDevice device;
  StatePool pool;
  PrefixTree tree;
};

Tokens joined(std::span<const int32_t> a, std::span<const int32_t> b) {
  Tokens all(a.begin(), a.end());
  all.insert(all.end(), b.begin(), b.end());
  return all;
}
Tokens first(const Tokens& tokens, int64_t n) { return {tokens.begin(), tokens.begin() + n}; }

TEST(PrefixTree, AConversationGoesOnWhereItEnded) {
  Fixture f;
  Tokens prompt = fresh(100);
  EXPECT_EQ(f.converse(prompt).usable, 0);
  for (int turn = 0; turn < 5; ++turn) {
    const auto before = static_cast<int64_t>(prompt.size());
    prompt = joined(prompt, fresh(37));
    const PrefixMatch match = f.converse(prompt);
    EXPECT_EQ(match.usable, before);
    EXPECT_EQ(match.missed, Missed::kNew);
    EXPECT_EQ(match.other, -1);
  }
  EXPECT_EQ(f.tree.usage().snapshots, 6);
  EXPECT_EQ(f.tree.usage().pages, StatePool::pages_for(100 + 5 * 37));
}

TEST(PrefixTree, SaysWhyNoMoreIsUsable) {
  Fixture f;
  const Tokens prompt = fresh(200);
  EXPECT_EQ(f.tree.find(prompt).missed, Missed::kNew);
  f.converse(prompt, {70});

  PrefixMatch m = f.tree.find(prompt);  // the last token must run; the ring steps back to it
  EXPECT_EQ(m.usable, 199);
  EXPECT_EQ(m.missed, Missed::kNothing);
  EXPECT_EQ(m.shared.size(), 3u);

  Tokens edited = prompt;
  edited[150] = 100000;
  m = f.tree.find(edited);
  EXPECT_EQ(m.usable, 70);
  EXPECT_EQ(m.known, 150);
  EXPECT_EQ(m.other, prompt[150]);
  EXPECT_EQ(m.missed, Missed::kNoState);
  EXPECT_EQ(f.tree.find(first(prompt, 150)).missed, Missed::kNoState);

  edited = joined(first(prompt, 70), fresh(9));
  m = f.tree.find(edited);
  EXPECT_EQ(m.usable, 70);
  EXPECT_EQ(m.other, prompt[70]);
  EXPECT_EQ(m.missed, Missed::kDiffers);

  f.tree.make_room(64);
  EXPECT_EQ(f.tree.usage().nodes, 0);
  m = f.tree.find(prompt);
  EXPECT_EQ(m.usable, 0);
  EXPECT_EQ(m.missed, Missed::kEvicted);
  EXPECT_EQ(f.tree.find(first(prompt, 50)).missed, Missed::kNew);
}

// A snapshot at the end of a prompt serves its last block, from beside the way too.
TEST(PrefixTree, StepsBackThroughTheRing) {
  Fixture f;
  const Tokens prompt = fresh(93);
  f.converse(prompt);
  for (int64_t n = 1; n <= 93; ++n) {
    const Tokens branch = joined(first(prompt, n), fresh(3));
    EXPECT_EQ(f.tree.find(branch).usable, n >= 80 ? n : 0) << n;
  }
  f.converse(joined(first(prompt, 85), fresh(20)));
  const Tokens branch = joined(first(prompt, 88), fresh(3));
  PrefixMatch match;
  const Sequence sequence = f.tree.start(branch, match);
  EXPECT_EQ(match.usable, 88);
  EXPECT_TRUE(whole(sequence));
}

// Pages: one copy for each place where lines part inside of a page, all others once.
TEST(PrefixTree, SharesPages) {
  Fixture f;
  const Tokens prompt = fresh(100);
  f.converse(prompt, {90});
  EXPECT_EQ(f.tree.usage().pages, 2);  // the copy for 90 went when the end came
  f.converse(joined(prompt, fresh(100)));
  EXPECT_EQ(f.tree.usage().pages, 4);
  f.converse(joined(prompt, fresh(28)));
  EXPECT_EQ(f.tree.usage().pages, 5);
  EXPECT_EQ(f.pool.free_pages(), 64 - 5);
  EXPECT_EQ(f.tree.reclaimable_pages(), 5);
  f.tree.clear();
  EXPECT_EQ(f.pool.free_pages(), 64);
}

TEST(PrefixTree, PagesInUseStayWhatever) {
  Fixture f({}, 8);
  const Tokens prompt = fresh(300);
  f.converse(prompt);
  PrefixMatch match;
  Sequence sequence = f.tree.start(joined(prompt, fresh(1)), match);
  EXPECT_EQ(match.usable, 300);
  EXPECT_EQ(f.tree.reclaimable_pages(), 1);  // its own copy of the last one
  EXPECT_TRUE(f.tree.make_room(3));
  EXPECT_FALSE(f.tree.make_room(4));
  EXPECT_TRUE(whole(sequence));
  EXPECT_EQ(f.pool.free_pages(), 3);
}

TEST(PrefixTree, WithoutRecurrentLayersAnyTokenWillDo) {
  Fixture f({}, 64, {{KvSpec{2, 4}}});
  const Tokens prompt = fresh(300);
  f.converse(prompt);
  EXPECT_EQ(f.tree.find(first(prompt, 130)).usable, 129);
  EXPECT_EQ(f.converse(joined(first(prompt, 77), fresh(5))).usable, 77);
  EXPECT_EQ(f.tree.find(first(prompt, 200)).usable, 199);
  EXPECT_EQ(f.tree.usage().snapshot_bytes, 0u);
}

// With drafts the row of a line's last position belongs to the token after it.
TEST(PrefixTree, WithDraftsEachLineKeepsThePageBeforeIt) {
  for (const bool drafts : {false, true}) {
    Fixture f({.drafts = drafts});
    const Tokens prompt = fresh(128);
    f.converse(prompt);
    const auto go_on = [&](const Tokens& tokens) {
      PrefixMatch match;
      Sequence sequence = f.tree.start(tokens, match);
      EXPECT_EQ(match.usable, 128);
      sequence.unshare(127);  // as Engine::draft does for the row of 127
      step(sequence, std::span(tokens).subspan(128));
      const int32_t own = sequence.pages()[1];
      f.tree.store(sequence, sequence.length(), Mark::kEnd, true);
      return own;
    };
    const Tokens a = joined(prompt, fresh(10)), b = joined(prompt, fresh(10));
    const int32_t page_a = go_on(a), page_b = go_on(b);
    const auto shared_by = [&](const Tokens& tokens) {
      return f.tree.find(joined(tokens, fresh(60))).shared[1];
    };
    EXPECT_EQ(shared_by(a) == page_a, drafts);
    EXPECT_EQ(shared_by(b) == page_b, drafts);
    EXPECT_EQ(f.tree.usage().pages, drafts ? 5 : 4);
  }
}

TEST(PrefixTree, RealmsShareBudgetsAndNothingElse) {
  Fixture f({.kv_bytes = 20000});
  const Tokens prompt = fresh(100), other = joined(first(prompt, 60), fresh(9));
  const auto run = [&](int realm) {
    PrefixMatch match;
    Sequence sequence = f.tree.start(prompt, match, realm);
    step(sequence, std::span(prompt).subspan(static_cast<size_t>(sequence.length())));
    EXPECT_TRUE(whole(sequence));
    f.tree.store(sequence, 100, Mark::kEnd, true, realm);
    return match.usable;
  };
  EXPECT_EQ(run(5), 0);
  for (const int realm : {0, 4, -5}) {
    const PrefixMatch m = f.tree.find(other, realm);
    EXPECT_EQ(m.known, 0);
    EXPECT_EQ(m.other, -1);
    EXPECT_EQ(m.missed, Missed::kNew);
  }
  EXPECT_EQ(f.tree.find(other, 5).known, 60);
  EXPECT_EQ(run(0), 0);
  EXPECT_EQ(run(5), 99);
  EXPECT_EQ(f.tree.usage().pages, 4);
  EXPECT_EQ(f.tree.kept().size(), 2u);
  f.tree.forget(prompt, 5);
  EXPECT_EQ(f.tree.find(prompt, 5).missed, Missed::kEvicted);
  EXPECT_EQ(f.tree.find(prompt, 0).usable, 99);
  EXPECT_EQ(f.tree.find(prompt, 4).missed, Missed::kNew);
  for (int realm = 1; realm < 9; ++realm) run(realm);
  EXPECT_LE(f.tree.usage().kv_bytes, 20000u);
  EXPECT_GT(f.tree.usage().evicted, 1);
}

// What nobody planned is at most as much again as the pool.
TEST(PrefixTree, WithoutAPlanSnapshotsTakeNoMoreThanThePool) {
  Fixture f({}, 16);
  const size_t pool = StatePool::bytes(f.pool.spec(), f.pool.options());
  const Tokens prompt = fresh(900);
  PrefixMatch match;
  Sequence sequence = f.tree.start(prompt, match);
  size_t most = 0;
  for (const int32_t token : prompt) {
    step(sequence, std::span(&token, 1));
    f.tree.store(sequence, sequence.length(), Mark::kMessage, false);
    most = std::max(most, f.tree.usage().snapshot_bytes);
  }
  EXPECT_LE(most, pool);
  EXPECT_GT(most, pool / 2);
  EXPECT_GT(f.tree.usage().evicted + f.tree.usage().refused, 100);
}

TEST(PrefixTree, StateThatIsNoNumberIsNotKept) {
  Fixture f;
  for (const float bad : {std::nanf(""), -std::numeric_limits<float>::infinity()})
    for (const bool conv : {false, true}) {
      const Tokens prompt = fresh(100);
      PrefixMatch match;
      Sequence sequence = f.tree.start(prompt, match);
      step(sequence, prompt);
      const RecurrentSlot slot = f.pool.recurrent()[3].slot(sequence.slot());
      *(conv ? slot.conv(98) : slot.update(0, 97)) = bad;
      EXPECT_FALSE(f.tree.store(sequence, 100, Mark::kEnd, true));
      EXPECT_EQ(f.tree.find(prompt).known, 0);
    }
  EXPECT_EQ(f.tree.usage().nodes, 0);
  EXPECT_EQ(f.tree.usage().refused, 4);
}

TEST(PrefixTree, ForgetsAWholeWay) {
  Fixture f;
  const Tokens prompt = fresh(200), branch = joined(first(prompt, 90), fresh(40));
  f.converse(prompt, {50, 70, 150});
  f.converse(branch);
  f.tree.forget(first(prompt, 160));
  EXPECT_EQ(f.tree.find(first(prompt, 160)).usable, 0);
  EXPECT_EQ(f.tree.find(first(prompt, 160)).missed, Missed::kEvicted);
  // What lies beyond, or beside, stays: whoever goes on from there will see.
  EXPECT_EQ(f.tree.find(prompt).usable, 199);
  EXPECT_EQ(f.tree.find(branch).usable, 129);
  f.tree.forget(prompt);
  f.tree.forget(branch);
  EXPECT_EQ(f.tree.usage().nodes, 0);
  EXPECT_EQ(f.tree.usage().pages, 0);
}

// ---- Random operations against a naive model

struct Setting {
  const char* name;
  PrefixTreeOptions options;
  bool all_kept = false;
};

class RandomOperations : public testing::TestWithParam<Setting> {};

class World {
 public:
  World(const PrefixTreeOptions& options, uint32_t seed) : f_(options, kPages), random_(seed) {}

  void play() {
    const auto kind = below(10);
    if (kind < 3 && live_.size() < 4) {
      begin();
    } else if (live_.empty()) {
      return;
    } else if (kind < 6) {
      extend(live_[below(live_.size())]);
    } else if (kind < 8) {
      Sequence& s = live_[below(live_.size())];
      const int64_t at = s.floor() + static_cast<int64_t>(below(s.length() - s.floor() + 1));
      store(s, at, false);
    } else if (kind < 9) {
      const size_t i = below(live_.size());
      store(live_[i], live_[i].length(), true);
      live_.erase(live_.begin() + static_cast<ptrdiff_t>(i));
    } else if (!all_kept) {
      const auto want = static_cast<int64_t>(below(kPages / 2));
      const bool possible = f_.pool.free_pages() + f_.tree.reclaimable_pages() >= want;
      EXPECT_EQ(f_.tree.make_room(want), possible);
    }
  }

  void check(const PrefixTreeOptions& options) {
    const PrefixTreeUsage u = f_.tree.usage();
    EXPECT_LE(u.snapshot_bytes, options.snapshot_bytes);
    EXPECT_LE(u.kv_bytes, options.kv_bytes);
    std::map<int32_t, int32_t> in_use;
    for (const Sequence& s : live_)
      for (const int32_t page : s.pages()) ++in_use[page];
    int64_t taken = 0, only_live = 0, only_tree = 0;
    for (int32_t page = 1; page <= kPages; ++page) {
      const int32_t references = f_.pool.references(page);
      taken += references > 0;
      only_live += references > 0 && in_use.contains(page) && in_use[page] == references;
      only_tree += references > 0 && !in_use.contains(page);
    }
    EXPECT_EQ(taken, kPages - f_.pool.free_pages());
    EXPECT_EQ(u.pages, taken - only_live);
    EXPECT_EQ(f_.tree.reclaimable_pages(), only_tree);
    EXPECT_EQ(u.kv_bytes, static_cast<size_t>(u.pages) * f_.page_bytes());
    size_t bytes = 0;
    std::set<Tokens> kept;
    for (const auto& k : f_.tree.kept()) {
      bytes += bytes_of(k);
      EXPECT_TRUE(kept.insert(k.tokens).second);
    }
    EXPECT_EQ(u.snapshot_bytes, bytes);
    EXPECT_EQ(u.snapshots, static_cast<int64_t>(kept.size()));
    EXPECT_LE(u.nodes, 2 * u.snapshots);  // every leaf has one, other nodes have one or branch
    if (all_kept) {
      EXPECT_TRUE(kept == stored_);
    }
  }

  void end() {
    live_.clear();
    EXPECT_EQ(f_.tree.usage().pages, kPages - f_.pool.free_pages());
    EXPECT_TRUE(f_.tree.make_room(kPages));
    EXPECT_EQ(f_.tree.usage().nodes, 0);
    EXPECT_EQ(f_.tree.usage().snapshot_bytes, 0u);
  }

  bool all_kept = false;
  int64_t reused = 0;

 private:
  static constexpr int kPages = 160;

  size_t below(auto n) { return random_() % static_cast<size_t>(n); }

  static size_t bytes_of(const PrefixTree::Kept& k) {
    const auto length = static_cast<int64_t>(k.tokens.size()), n = length % kBlock;
    int64_t floats = 0;
    for (const LayerState& layer : small_spec().layers)
      if (const auto* r = std::get_if<RecurrentLayout>(&layer))
        floats += r->value_heads * r->key_dim * r->value_dim +
                  n * (r->key_heads * r->key_dim + r->value_heads * (r->value_dim + 1)) +
                  (length - std::max<int64_t>(0, k.floor - kConvHistory)) * r->conv_dim;
    return static_cast<size_t>(floats) * sizeof(float);
  }

  // Goes along an old line, or its beginning, and then on with few kinds of tokens.
  Tokens prompt() {
    Tokens tokens;
    if (!lines_.empty() && below(8) > 0) {
      tokens = lines_[below(lines_.size())];
      if (below(2)) tokens.resize(below(tokens.size() + 1));
    }
    const size_t more = 1 + below(90);
    for (size_t i = 0; i < more; ++i) tokens.push_back(static_cast<int32_t>(below(3)));
    if (tokens.size() > 700) tokens.resize(700);
    lines_.push_back(tokens);
    return tokens;
  }

  void begin() {
    const Tokens tokens = prompt();
    int64_t usable = 0, known = 0;
    const auto most = static_cast<int64_t>(tokens.size()) - 1;
    for (const auto& k : f_.tree.kept()) {
      const auto [a, b] =
          std::mismatch(tokens.begin(), tokens.end(), k.tokens.begin(), k.tokens.end());
      const int64_t same = a - tokens.begin();
      known = std::max(known, same);
      if (std::min(same, most) >= k.floor) usable = std::max(usable, std::min(same, most));
    }
    PrefixMatch match = f_.tree.find(tokens);
    EXPECT_EQ(match.known, known);
    EXPECT_EQ(match.usable, usable);
    const bool copies = usable % kPageTokens != 0;
    if (f_.pool.free_pages() < copies) return;
    live_.push_back(f_.tree.start(tokens, match));
    EXPECT_EQ(live_.back().length(), usable);
    EXPECT_TRUE(whole(live_.back()));
    reused += usable;
    const size_t left = tokens.size() - static_cast<size_t>(usable);
    extend(live_.back(), std::span(tokens).last(left));
  }

  void extend(Sequence& s, std::span<const int32_t> tokens) {
    const int64_t missing = StatePool::pages_for(s.length() + static_cast<int64_t>(tokens.size())) -
                            static_cast<int64_t>(s.pages().size());
    if (f_.pool.free_pages() < missing && all_kept) return;
    if (!f_.tree.make_room(missing)) return;
    step(s, tokens);
  }
  void extend(Sequence& s) {
    Tokens more(1 + below(40));
    for (int32_t& token : more) token = static_cast<int32_t>(below(3));
    extend(s, more);
  }

  void store(Sequence& s, int64_t length, bool ended) {
    if (all_kept && f_.pool.free_pages() == 0) return;  // the copy might cost another its place
    const bool stored = f_.tree.store(s, length, static_cast<Mark>(below(kMarks)), ended);
    if (stored && length > 0) stored_.insert(first({s.tokens().begin(), s.tokens().end()}, length));
    // Somebody's last page may be shared with the tree only when nobody writes it any more.
    if (!ended && s.length() % kPageTokens != 0) {
      EXPECT_EQ(f_.pool.references(s.pages().back()), 1);
    }
  }

  Fixture f_;
  std::mt19937 random_;
  std::vector<Sequence> live_;
  std::vector<Tokens> lines_;
  std::set<Tokens> stored_;
};

TEST_P(RandomOperations, AgreeWithANaiveModel) {
  int64_t reused = 0;
  for (uint32_t seed = 0; seed < 6; ++seed) {
    World world(GetParam().options, seed);
    world.all_kept = GetParam().all_kept;
    for (int i = 0; i < 300; ++i) {
      world.play();
      world.check(GetParam().options);
      if (testing::Test::HasFailure()) FAIL() << "seed " << seed << ", operation " << i;
    }
    world.end();
    reused += world.reused;
  }
  EXPECT_GT(reused, 2000);
}

INSTANTIATE_TEST_SUITE_P(
    All, RandomOperations,
    testing::Values(
        Setting{"Unlimited", {.snapshot_bytes = SIZE_MAX - 1}, true}, Setting{"Pages", {}},
        Setting{"Budgets", {.kv_bytes = 60000, .snapshot_bytes = 12000}},
        Setting{"Tight", {.kv_bytes = 9000, .snapshot_bytes = 3000}},
        Setting{"LeastRecent",
                {.kv_bytes = 60000, .snapshot_bytes = 12000, .eviction = Eviction::kLeastRecent}},
        Setting{"Drafts", {.snapshot_bytes = 20000, .drafts = true}}),
    [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace braid
