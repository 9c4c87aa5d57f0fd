// The memory of past prompts in a tenth of what a trace of conversations and documents wants: the
// answers of the demo model stay what they are, nothing that fits is refused, and what is found
// again is counted beside eviction by least recent use.
#include "device/registry.h"
#include "engine/scheduler.h"
#include "format/open.h"
#include "state/test_crowd.h"
#include "tests/isolation/scheduler_support.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

namespace braid::isolation {
namespace {

using test::Crowd;
using test::Turn;

constexpr int64_t kContext = 2048;
constexpr size_t kScale = 8;
constexpr int kRequests = kSmall ? 25 : 300;

struct Budget {
  int64_t pages = 0;
  size_t snapshot_bytes = 0;
  Eviction eviction = Eviction::kByValue;
};

// The demo model behind a scheduler with so much memory.
class Demo {
 public:
  explicit Demo(const Budget& budget)
      : file_(open_model_file(BRAID_TEST_DATA "/../../assets/braid-demo.gguf")),
        device_(open_device("cpu", {2, ""})),
        engine_(*file_, *device_, engine_options(budget.pages)),
        vocabulary_(plain_vocabulary(static_cast<int32_t>(engine_.spec().vocabulary))) {
    SchedulerOptions options;
    options.prefix.kv_bytes = static_cast<size_t>(budget.pages) * page_bytes();
    options.prefix.snapshot_bytes = budget.snapshot_bytes;
    options.prefix.eviction = budget.eviction;
    // As many rows as a step may have, however long they take: the grid's snapshots stand where
    // steps end, and should stand there on any machine.
    options.shared_seconds = options.alone_seconds = 1e9;
    scheduler_ = std::make_unique<Scheduler>(engine_, vocabulary_, options);
  }
  ~Demo() { scheduler_->shut_down(0); }

  std::unique_ptr<Answer> ask(const Turn& turn) {
    Request request;
    request.prompt = turn.prompt;
    request.messages = turn.messages;
    request.max_tokens = static_cast<int64_t>(turn.answer.size());
    request.sampling.temperature = 0;
    auto answer = std::make_unique<Answer>(std::move(request));
    answer->logits = Rows(static_cast<size_t>(vocabulary_.n_tokens));
    answer->id = scheduler_->submit(answer->request);
    return answer;
  }
  SchedulerStats stats() const { return scheduler_->stats(); }
  size_t page_bytes() { return static_cast<size_t>(kPageTokens) * kv_row_bytes(engine_.pool()); }
  Scheduler& scheduler() { return *scheduler_; }

 private:
  static EngineOptions engine_options(int64_t pages) {
    EngineOptions o;
    o.context = kContext;
    o.sequences = 4;
    o.pages = pages;
    o.ubatch = 128;
    return o;
  }

  std::unique_ptr<TensorFile> file_;
  std::unique_ptr<Device> device_;
  Engine engine_;
  SamplerVocabulary vocabulary_;
  std::unique_ptr<Scheduler> scheduler_;
};

struct Played {
  SchedulerStats stats;
  int64_t pages = 0;  // most that past prompts had, and bytes of snapshots
  size_t snapshot_bytes = 0;

  void note(const PrefixTreeUsage& usage) {
    pages = std::max(pages, usage.pages);
    snapshot_bytes = std::max(snapshot_bytes, usage.snapshot_bytes);
  }
  double hits() const {
    return static_cast<double>(stats.cached_tokens) / static_cast<double>(stats.prompt_tokens);
  }
};

// Plays the trace with so many requests at a time. Where there are answers already they must come
// again, with the same logits; otherwise the first ones are noted, and the conversations go on
// from them.
class Trace {
 public:
  explicit Trace(uint32_t seed)
      : random_(seed),
        crowd_(
            seed, [this](size_t n) { return text(n); }, kScale) {}

  Played play(const Budget& budget, size_t at_a_time) {
    Demo demo(budget);
    Played played;
    std::deque<std::pair<size_t, std::unique_ptr<Answer>>> running;
    const auto finish_first = [&] {
      auto [i, answer] = std::move(running.front());
      running.pop_front();
      EXPECT_EQ(answer->wait().reason, EndReason::kMaxTokens)
          << name_of(answer->wait().reason) << " " << answer->wait().error;
      take(i, *answer);
      played.note(demo.stats().prefix);
    };
    for (size_t i = 0; i < static_cast<size_t>(kRequests); ++i) {
      if (turns_.size() == i) turns_.push_back(crowd_.next());
      if (running.size() == at_a_time) finish_first();
      running.emplace_back(i, demo.ask(turns_[i]));
      if (logits_.size() == i) finish_first();
    }
    while (!running.empty()) finish_first();
    demo.scheduler().shut_down(0);
    played.stats = demo.stats();
    played.note(played.stats.prefix);  // before, what is told may be a request behind
    EXPECT_EQ(played.stats.failed, 0);
    EXPECT_LE(played.pages, budget.pages);
    EXPECT_LE(played.snapshot_bytes, budget.snapshot_bytes);
    return played;
  }
  // Pages of the request that needs most.
  int64_t largest() const {
    int64_t most = 0;
    for (const Turn& turn : turns_)
      most = std::max(most, StatePool::pages_for(
                                static_cast<int64_t>(turn.prompt.size() + turn.answer.size())));
    return most;
  }

 private:
  Tokens text(size_t n) {
    Tokens tokens(n);
    for (int32_t& token : tokens) token = static_cast<int32_t>(5 + random_() % 4000);
    return tokens;
  }
  void take(size_t i, const Answer& answer) {
    const auto n = static_cast<int64_t>(answer.told.size());
    std::vector<float> last(answer.logits[n - 1].begin(), answer.logits[n - 1].end());
    if (logits_.size() == i) {
      turns_[i].answer = answer.told;
      crowd_.answered(answer.told);
      logits_.push_back(std::move(last));
      return;
    }
    EXPECT_EQ(answer.told, turns_[i].answer) << i;
    EXPECT_TRUE(same_bits(last, logits_[i])) << i;
  }

  std::mt19937 random_;
  Crowd crowd_;
  std::vector<Turn> turns_;
  std::vector<std::vector<float>> logits_;  // of the last token of each answer
};

class Budgets : public testing::TestWithParam<uint32_t> {};

TEST_P(Budgets, ATenthOfTheMemoryGivesTheSameAnswers) {
  Trace trace(GetParam());
  const Played all = trace.play({4000, size_t{4} << 30}, 1);
  EXPECT_EQ(all.stats.prefix.evicted, 0);
  Budget tenth{all.pages / 10, all.snapshot_bytes / 10};
  // It must hold the largest request.
  if (kSmall) tenth.pages = std::max(tenth.pages, trace.largest());
  ASSERT_GE(tenth.pages, trace.largest());
  const Played by_value = trace.play(tenth, 1);
  const Played at_once = trace.play(tenth, 4);
  tenth.eviction = Eviction::kLeastRecent;
  const Played least_recent = trace.play(tenth, 1);
  const std::string figures = fmt::format(
      "{} tokens of prompts; {} pages and {:.1f} MB of snapshots in all, {} and {:.1f} in a tenth; "
      "found again: all memory {:.1f}%, by value {:.1f}%, four at a time {:.1f}%, least recent use "
      "{:.1f}%",
      all.stats.prompt_tokens, all.pages, static_cast<double>(all.snapshot_bytes) * 1e-6,
      tenth.pages, static_cast<double>(tenth.snapshot_bytes) * 1e-6, 100 * all.hits(),
      100 * by_value.hits(), 100 * at_once.hits(), 100 * least_recent.hits());
  RecordProperty("found", figures);
  fmt::print("{}\n", figures);
  EXPECT_GT(by_value.stats.prefix.evicted, 0);
  EXPECT_LE(by_value.hits(), all.hits());
  // PrefixTrace has the comparison on longer traces. On this one a little more memory moves
  // either by three points.
  if (!kSmall) {
    EXPECT_GT(by_value.hits(), least_recent.hits() - 0.05) << figures;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Budgets, testing::Values(1u, 2u, 3u));

// What can never fit is refused at once, and says so; what needs all of it runs.
TEST(BudgetsTest, OnlyWhatCannotFitIsRefused) {
  constexpr int64_t kPages = 6;
  Demo demo({kPages, size_t{2} << 20});
  Turn turn;
  turn.prompt = Tokens(static_cast<size_t>(kPages * kPageTokens - 9), 7);
  turn.answer = Tokens(10, 0);
  std::vector<std::unique_ptr<Answer>> answers;
  for (int i = 0; i < 3; ++i) {
    answers.push_back(demo.ask(turn));
    ++turn.prompt[0];
  }
  for (const auto& answer : answers) EXPECT_EQ(answer->wait().reason, EndReason::kMaxTokens);
  turn.answer.resize(11);
  EXPECT_THROW(demo.ask(turn), Error);
}

}  // namespace
}  // namespace braid::isolation
