// A trace of many conversations through trees with a tenth of the memory that it wants: eviction by
// value against least recent use. Nothing is computed, only counted.
#include "state/marks.h"
#include "state/state_test_support.h"
#include "state/test_crowd.h"

#include <fmt/format.h>

#include <algorithm>

namespace braid {
namespace {

using namespace state_test;
using test::Crowd;
using test::Turn;

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
    run(sequence, turn.answer);
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
    Crowd crowd(seed, [](size_t n) { return fresh(static_cast<int64_t>(n)); });
    std::vector<Turn> turns;
    for (int i = 0; i < 600; ++i) {
      turns.push_back(crowd.next());
      crowd.answered(turns.back().answer);
    }
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
