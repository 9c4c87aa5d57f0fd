// Whatever traffic shares the engine, every request gives the bits of its solo run: the logits at
// each token and the token that a sampler of its own chooses from them.
#include "tests/isolation/scheduler_support.h"

#include <algorithm>

namespace braid::isolation {
namespace {

class Scheduling : public testing::TestWithParam<Setup> {};

TEST_P(Scheduling, RandomTrafficGivesTheBitsOfSoloRuns) {
  House house(GetParam());
  play_traffic(house, kSmall ? 24 : 60, 1);
  house.scheduler->shut_down(0);
  const SchedulerStats stats = house.scheduler->stats();
  EXPECT_GT(stats.cached_tokens, stats.prompt_tokens / 5);
  EXPECT_EQ(stats.failed, 0);
}

// A tenth of the memory that the traffic wants, and hardly more pages than one request may need.
TEST_P(Scheduling, ScarceMemoryChangesNoBitsAndRefusesNothing) {
  SchedulerOptions options;
  {
    House house(GetParam());
    play_traffic(house, 30, 2);
    house.scheduler->shut_down(0);
    options.prefix.kv_bytes = house.scheduler->stats().prefix.kv_bytes / 10;
    options.prefix.snapshot_bytes = house.scheduler->stats().prefix.snapshot_bytes / 10;
    EXPECT_GT(options.prefix.snapshot_bytes, 0u);
  }
  for (const Eviction eviction : {Eviction::kByValue, Eviction::kLeastRecent}) {
    options.prefix.eviction = eviction;
    House house(GetParam(), engine_options(4, 6), options);
    play_traffic(house, 30, 2);
    house.scheduler->shut_down(0);
    const SchedulerStats stats = house.scheduler->stats();
    EXPECT_LE(stats.prefix.kv_bytes, options.prefix.kv_bytes);
    EXPECT_LE(stats.prefix.snapshot_bytes, options.prefix.snapshot_bytes);
    EXPECT_EQ(stats.ended, stats.submitted);
  }
}

// Turns, an edit, asking again, and a branch: what runs is what nobody ran before.
TEST_P(Scheduling, AConversationRunsItsNewTokensAlone) {
  EngineOptions options = engine_options(2, 300);
  options.context = 4096;
  House house(GetParam(), options);
  std::vector<Tokens> seen;
  int64_t rows = 0, fresh = 0;
  const auto ask = [&](const Tokens& prompt, std::vector<int64_t> messages, int64_t seed) {
    int64_t known = 0;
    for (const Tokens& s : seen)
      known = std::max<int64_t>(
          known,
          std::mismatch(prompt.begin(), prompt.end(), s.begin(), s.end()).first - prompt.begin());
    Request r = request_of(prompt, 24, seed);
    r.end_tokens.clear();
    r.messages = std::move(messages);
    auto answer = house.ask(std::move(r));
    rows += answer->wait().prompt_rows;
    fresh += static_cast<int64_t>(prompt.size()) - known;
    EXPECT_EQ(answer->wait().prompt_rows,
              static_cast<int64_t>(prompt.size()) - answer->wait().cached.usable);
    seen.push_back(joined(prompt, answer->wait().tokens));
    return answer;
  };
  Tokens talk = timeline(0, 333);
  std::vector<int64_t> messages = {333};
  std::vector<Tokens> questions;
  for (int turn = 0; turn < 20; ++turn) {
    const Tokens before = talk;
    const auto old_messages = messages;
    talk = joined(talk, timeline(1 + turn, 20 + turn * 7 % 60));
    messages.push_back(static_cast<int64_t>(talk.size()));
    auto answer = ask(talk, messages, turn);
    if (turn == 7) answer = ask(talk, messages, 1000);  // once more
    if (turn == 11) {                                   // another question instead
      talk = joined(before, timeline(300, 45));
      messages = old_messages;
      messages.push_back(static_cast<int64_t>(talk.size()));
      answer = ask(talk, messages, 7);
    }
    if (turn % 3 == 2 && seen.back().size() < 768) {  // what Solo takes
      EXPECT_TRUE(house.as_alone(*answer)) << turn;
    }
    talk = joined(talk, answer->wait().tokens);
    messages.push_back(static_cast<int64_t>(talk.size()));
  }
  EXPECT_LE(static_cast<double>(rows), 1.1 * static_cast<double>(fresh)) << rows << " of " << fresh;
  EXPECT_GT(rows, fresh / 2);
  EXPECT_EQ(house.scheduler->stats().failed, 0);
}

// Steps stop where a snapshot is due, and no later than its state is in the ring.
TEST_P(Scheduling, MarksInsideOfAPromptGetTheirSnapshots) {
  House house(GetParam());
  const Tokens prompt = timeline(0, 333);
  Request r = request_of(prompt, 1, 0);
  r.messages = {100, 170, 230};
  house.ask(std::move(r))->wait();
  for (const int64_t message : {100, 170, 230}) {
    auto other =
        house.ask(request_of(joined(part(prompt, 0, message + 3), timeline(9, 30)), 4, message));
    EXPECT_EQ(other->wait().cached.usable, message);
    EXPECT_EQ(other->wait().cached.known, message + 3);
    EXPECT_EQ(other->wait().cached.missed, Missed::kNoState);
    ASSERT_TRUE(house.as_alone(*other));
  }
}

// The same prompt several times at once runs once.
TEST_P(Scheduling, OneRunsThePromptAndTheOthersWait) {
  House house(GetParam());
  const Tokens prompt = timeline(0, 300);
  std::vector<std::unique_ptr<Answer>> answers;
  for (int i = 0; i < 4; ++i) answers.push_back(house.ask(request_of(prompt, 10, i)));
  int64_t rows = 0;
  for (auto& answer : answers) {
    ASSERT_TRUE(house.as_alone(*answer));
    rows += answer->wait().prompt_rows;
  }
  EXPECT_LE(rows, 300 + 3 * 1);
  auto other = house.ask(request_of(joined(part(prompt, 0, 200), timeline(5, 60)), 5, 0));
  ASSERT_TRUE(house.as_alone(*other));
  EXPECT_EQ(other->wait().cached.known, 200);
  EXPECT_EQ(other->wait().cached.other, prompt[200]);
}

INSTANTIATE_TEST_SUITE_P(All, Scheduling, testing::ValuesIn(few_setups()), name_of);

}  // namespace
}  // namespace braid::isolation
