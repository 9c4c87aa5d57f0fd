// A trace of many conversations through trees with a tenth of the memory that it wants: eviction by
// value against least recent use. Nothing is computed, only counted.
#include "state/marks.h"
#include "state/state_test_support.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

namespace braid {
namespace {

using namespace state_test;
using Tokens = std::vector<int32_t>;

struct Turn {
  Tokens prompt;
  std::vector<int64_t> messages;
  int64_t answer = 0;  // tokens, after the prompt
  Tokens answer_tokens;
};

// People who talk, ask again, edit and branch, on a few system prompts; beside them documents that
// are read once.
class Crowd {
 public:
  explicit Crowd(uint32_t seed) : random_(seed) {
    for (int i = 0; i < 4; ++i) systems_.push_back(text(300 + below(1200)));
    for (int i = 0; i < 30; ++i) talks_.push_back(new_talk());
  }

  Turn next() {
    Turn turn;
    if (below(100) < 20) {
      turn.prompt = text(500 + below(3000));
      turn.answer_tokens = text(20 + below(100));
      return turn;
    }
    // Some talk much more than others.
    Talk& talk = talks_[std::min(below(talks_.size()), below(talks_.size()))];
    const auto kind = below(100);
    if (talk.size() > 40 || kind < 4) talk = new_talk();
    if (kind >= 4 && kind < 16 && talk.size() > 2) {
      talk.pop_back();  // ask again
    } else {
      if (kind >= 16 && kind < 24 && talk.size() > 4)  // edit an earlier question
        talk.resize(1 + 2 * below((talk.size() - 1) / 2));
      talk.push_back(text(20 + below(200)));
    }
    for (const Tokens& message : talk) {
      turn.prompt.insert(turn.prompt.end(), message.begin(), message.end());
      turn.messages.push_back(static_cast<int64_t>(turn.prompt.size()));
    }
    turn.answer_tokens = text(30 + below(250));
    talk.push_back(turn.answer_tokens);
    return turn;
  }

 private:
  using Talk = std::vector<Tokens>;

  size_t below(size_t n) { return random_() % n; }
  Tokens text(size_t n) { return fresh(static_cast<int64_t>(n)); }
  Talk new_talk() { return {systems_[std::min(below(4), below(4))]}; }

  std::mt19937 random_;
  std::vector<Tokens> systems_;
  std::vector<Talk> talks_;
};

struct Result {
  double hit_rate = 0;
  size_t kv_bytes = 0, snapshot_bytes = 0;  // at the most
};

void run(Sequence& sequence, std::span<const int32_t> tokens) {
  sequence.reserve(static_cast<int64_t>(tokens.size()));
  sequence.advance(tokens);
}

Result play(const PrefixTreeOptions& options, const std::vector<Turn>& turns) {
  HostDevice device;
  // Of a slot like those of real models: as much as some thousand tokens of keys and values.
  StatePool pool(device, {{KvSpec{1, 2}, RecurrentLayout{1, 1, 64, 64, 8}}},
                 {.slots = 1, .pages = 30000});
  PrefixTree tree(pool, options);
  Result result;
  int64_t used = 0, all = 0;
  for (const Turn& turn : turns) {
    PrefixMatch match;
    Sequence sequence = tree.start(turn.prompt, match);
    used += match.usable;
    const auto prompt = static_cast<int64_t>(turn.prompt.size());
    all += prompt;
    for (const PlannedMark& m : plan_marks(match.usable, prompt, turn.messages, match)) {
      run(sequence, std::span(turn.prompt)
                        .subspan(static_cast<size_t>(sequence.length()),
                                 static_cast<size_t>(m.at - sequence.length())));
      tree.store(sequence, m.at, m.mark, false);
    }
    run(sequence, std::span(turn.prompt).subspan(static_cast<size_t>(sequence.length())));
    run(sequence, turn.answer_tokens);
    tree.store(sequence, sequence.length(), Mark::kEnd, true);
    const PrefixTreeUsage u = tree.usage();
    result.kv_bytes = std::max(result.kv_bytes, u.kv_bytes);
    result.snapshot_bytes = std::max(result.snapshot_bytes, u.snapshot_bytes);
  }
  result.hit_rate = static_cast<double>(used) / static_cast<double>(all);
  return result;
}

TEST(PrefixTrace, ValueBeatsLeastRecentUseWithATenthOfTheMemory) {
  for (const uint32_t seed : {1, 2, 3}) {
    Crowd crowd(seed);
    std::vector<Turn> turns;
    for (int i = 0; i < 600; ++i) turns.push_back(crowd.next());
    const Result unlimited = play({}, turns);
    PrefixTreeOptions tenth;
    tenth.kv_bytes = unlimited.kv_bytes / 10;
    tenth.snapshot_bytes = unlimited.snapshot_bytes / 10;
    const Result by_value = play(tenth, turns);
    tenth.eviction = Eviction::kLeastRecent;
    const Result least_recent = play(tenth, turns);
    const std::string figures =
        fmt::format("unlimited {:.3f}, by value {:.3f}, least recent {:.3f}", unlimited.hit_rate,
                    by_value.hit_rate, least_recent.hit_rate);
    RecordProperty("seed" + std::to_string(seed), figures);
    EXPECT_GT(by_value.hit_rate, least_recent.hit_rate + 0.03) << figures;
    EXPECT_LE(by_value.hit_rate, unlimited.hit_rate);
    EXPECT_LE(by_value.kv_bytes, tenth.kv_bytes);
    EXPECT_LE(by_value.snapshot_bytes, tenth.snapshot_bytes);
  }
}

}  // namespace
}  // namespace braid
