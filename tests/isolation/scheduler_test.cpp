// Whatever traffic shares the engine, every request gives the bits of its solo run: the logits at
// each token and the token that a sampler of its own chooses from them.
#include "engine/scheduler.h"

#include "sample/test_vocabulary.h"
#include "tests/isolation/isolation_support.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <limits>
#include <map>
#include <thread>

namespace braid::isolation {
namespace {

using namespace std::chrono_literals;

class Scheduling : public testing::TestWithParam<Setup> {};

std::vector<Setup> few_setups() {
  if (kSmall) return {{"qwen3next", DType::F16, 2}};
  return {
      {"qwen3next", DType::F16, 2}, {"quantised", DType::BF16, 1}, {"qwen35moe", DType::F32, 3}};
}

EngineOptions engine_options(int sequences = 4, int64_t pages = 40) {
  EngineOptions o;
  o.context = 512;
  o.sequences = sequences;
  o.pages = pages;
  o.ubatch = 64;
  return o;
}

// One request from outside: what it gave, token by token.
struct Answer {
  explicit Answer(Request from) : request(std::move(from)) {
    request.on_token = [this](int32_t token, std::span<const float> row) {
      logits.add(row);
      told.push_back(token);
      ++given;
      return stop_after < 0 || given < stop_after;
    };
    request.on_end = [this](const Outcome& o) { ended.set_value(o); };
  }
  const Outcome& wait() {
    if (!outcome) outcome = ended.get_future().get();
    return *outcome;
  }

  Request request;
  Rows logits{1};
  Tokens told;
  std::atomic<int> given{0};
  int stop_after = -1;
  std::promise<Outcome> ended;
  std::optional<Outcome> outcome;
  RequestId id = 0;
};

Request request_of(const Tokens& prompt, int64_t max_tokens, int64_t seed) {
  Request r;
  r.prompt = prompt;
  r.max_tokens = max_tokens;
  r.sampling.seed = seed;
  r.sampling.temperature = seed % 3 == 0 ? 0.0f : 1.2f;
  r.sampling.repeat_penalty = seed % 2 ? 1.1f : 1.0f;
  r.end_tokens = {3};
  return r;
}

struct House {
  explicit House(const Setup& setup, EngineOptions options = engine_options(),
                 SchedulerOptions scheduling = SchedulerOptions(), void (*change)(Ops&) = nullptr)
      : solo(setup, best_isa()),
        bench(setup, best_isa(), options, change),
        vocabulary(plain_vocabulary(static_cast<int32_t>(bench.engine.spec().vocabulary))),
        scheduler(std::make_unique<Scheduler>(bench.engine, vocabulary, scheduling)) {}

  std::unique_ptr<Answer> ask(Request request, int stop_after = -1) {
    auto answer = std::make_unique<Answer>(std::move(request));
    answer->logits = Rows(static_cast<size_t>(vocabulary.n_tokens));
    answer->stop_after = stop_after;
    answer->id = scheduler->submit(answer->request);
    return answer;
  }

  // The answer, as far as it goes, is that of the solo run.
  testing::AssertionResult as_alone(Answer& answer) {
    const Outcome& outcome = answer.wait();
    const Request& request = answer.request;
    if (answer.told != outcome.tokens) return testing::AssertionFailure() << "told others";
    const Tokens all = joined(request.prompt, outcome.tokens);
    const Rows& expected = solo.logits(all);
    Sampler sampler(request.sampling, vocabulary);
    sampler.accept(request.prompt);
    const auto prompt = static_cast<int64_t>(request.prompt.size());
    const auto n = static_cast<int64_t>(outcome.tokens.size());
    for (int64_t i = 0; i < n; ++i) {
      if (const auto same = same_bits(answer.logits[i], expected[prompt - 1 + i]); !same)
        return testing::AssertionFailure() << fmt::format("token {}: ", i) << same.message();
      const int32_t wanted = sampler.sample(expected[prompt - 1 + i]);
      if (outcome.tokens[static_cast<size_t>(i)] != wanted)
        return testing::AssertionFailure() << "token " << i << " should be " << wanted;
      sampler.accept(wanted);
    }
    if (outcome.reason == EndReason::kEndToken && sampler.sample(expected[prompt - 1 + n]) != 3)
      return testing::AssertionFailure() << "ended too early";
    if (outcome.reason == EndReason::kMaxTokens && n != request.max_tokens)
      return testing::AssertionFailure() << n << " tokens";
    return testing::AssertionSuccess();
  }

  Solo solo;
  Bench bench;
  SamplerVocabulary vocabulary;
  std::unique_ptr<Scheduler> scheduler;
};

// Requests in threads of their own: some start as others do, some go on from an answer, some are
// the same as another.
void play_traffic(House& house, int requests, uint32_t seed) {
  constexpr int kThreads = 3;
  std::vector<std::vector<std::unique_ptr<Answer>>> answers(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      std::mt19937 random(seed * 10 + static_cast<uint32_t>(t));
      const auto below = [&](size_t n) { return static_cast<int64_t>(random() % n); };
      auto& mine = answers[static_cast<size_t>(t)];
      for (int i = 0; i < requests / kThreads; ++i) {
        Tokens prompt = timeline(static_cast<int>(below(3)), 20 + below(150));
        if (below(3) == 0 && !mine.empty()) {
          const Answer& before = *mine[static_cast<size_t>(below(mine.size()))];
          prompt = before.request.prompt;
          if (below(2) && mine.back()->request.prompt.size() < 250)
            prompt = joined(mine.back()->request.prompt, mine.back()->wait().tokens);
        }
        prompt = joined(prompt, timeline(100 + static_cast<int>(below(50)), below(40)));
        const auto n = static_cast<int64_t>(prompt.size());
        Request r = request_of(prompt, 1 + below(30), below(1000));
        r.messages = {n / 3, n / 2, n - 4};
        r.priority = static_cast<int>(below(3));
        mine.push_back(house.ask(std::move(r), below(5) == 0 ? 4 : -1));
        if (below(6) == 0) house.scheduler->cancel(mine.back()->id);
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (auto& mine : answers)
    for (auto& answer : mine) answer->wait();  // nobody is told any more, whatever fails below
  int cancelled = 0, all = 0;
  for (auto& mine : answers)
    for (auto& answer : mine) {
      ASSERT_TRUE(house.as_alone(*answer)) << answer->wait().error;
      EXPECT_NE(answer->wait().reason, EndReason::kFailed) << answer->wait().error;
      EXPECT_NE(answer->wait().reason, EndReason::kHandedBack);
      cancelled += answer->wait().reason == EndReason::kCancelled;
      ++all;
    }
  EXPECT_LT(cancelled, all / 2);
}

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

// ---- Ends

// Each step of the engine takes a while.
void (*real_head)(const HeadArgs&, const Share&) = nullptr;
std::atomic<int> slow_ms{0};
void slow_head(const HeadArgs& args, const Share& share) {
  if (share.thread == 0) std::this_thread::sleep_for(std::chrono::milliseconds(slow_ms));
  real_head(args, share);
}
void plant_slowness(Ops& ops) {
  real_head = ops.head.work;
  ops.head.work = slow_head;
}

constexpr Setup kPlain{"qwen3next", DType::F16, 1};

TEST(SchedulerEnds, CancellingEndsAtOnceAndHarmsNobody) {
  slow_ms = 5;
  House house(kPlain, engine_options(), SchedulerOptions(), plant_slowness);
  auto prefilling = house.ask(request_of(timeline(0, 400), 50, 1));
  Request endless = request_of(timeline(1, 30), 400, 1);
  endless.end_tokens.clear();
  auto decoding = house.ask(std::move(endless));
  auto other = house.ask(request_of(timeline(2, 60), 20, 1));
  while (decoding->given < 3) std::this_thread::sleep_for(1ms);
  const auto before = std::chrono::steady_clock::now();
  house.scheduler->cancel(decoding->id);
  EXPECT_EQ(decoding->wait().reason, EndReason::kCancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 250ms);
  EXPECT_TRUE(house.as_alone(*decoding));
  EXPECT_LT(decoding->wait().tokens.size(), 400u);
  house.scheduler->cancel(prefilling->id);
  house.scheduler->cancel(12345);
  EXPECT_TRUE(house.as_alone(*prefilling));
  EXPECT_TRUE(house.as_alone(*other));
  // What had run is not lost.
  auto again = house.ask(request_of(timeline(1, 30), 5, 1));
  EXPECT_EQ(again->wait().cached.usable, 29);
}

TEST(SchedulerEnds, DeadlinesHoldWaitingOrRunning) {
  slow_ms = 5;
  House house(kPlain, engine_options(1), SchedulerOptions(), plant_slowness);
  const auto now = std::chrono::steady_clock::now();
  Request endless = request_of(timeline(1, 30), 400, 1);
  endless.end_tokens.clear();
  endless.deadline = now + 100ms;
  auto running = house.ask(endless);
  endless.deadline = now + 20ms;
  auto waiting = house.ask(endless);
  EXPECT_EQ(waiting->wait().reason, EndReason::kDeadline);
  EXPECT_TRUE(waiting->wait().tokens.empty());
  EXPECT_EQ(running->outcome.has_value(), false);
  EXPECT_EQ(running->wait().reason, EndReason::kDeadline);
  EXPECT_TRUE(house.as_alone(*running));
  EXPECT_GT(running->wait().seconds, 0.09);
  EXPECT_LT(running->wait().seconds, 0.35);
}

TEST(SchedulerEnds, ShuttingDownFinishesOrHandsBack) {
  slow_ms = 3;
  House house(kPlain, engine_options(2), SchedulerOptions(), plant_slowness);
  Request endless = request_of(timeline(1, 30), 400, 1);
  endless.end_tokens.clear();
  auto long_one = house.ask(endless);
  auto short_one = house.ask(request_of(timeline(2, 30), 5, 1));
  auto waiting = house.ask(endless);
  house.scheduler->shut_down(0.2);
  EXPECT_TRUE(house.as_alone(*short_one));
  EXPECT_NE(short_one->wait().reason, EndReason::kHandedBack);
  EXPECT_EQ(long_one->wait().reason, EndReason::kHandedBack);
  EXPECT_TRUE(house.as_alone(*long_one));
  EXPECT_GT(long_one->wait().tokens.size(), 3u);
  EXPECT_EQ(waiting->wait().reason, EndReason::kHandedBack);
  EXPECT_THROW(house.ask(endless), ShuttingDown);
  EXPECT_EQ(house.bench.engine.pool().free_slots(), 2);
}

TEST(SchedulerEnds, ForcedTokensStandInForTheSamplers) {
  House house(kPlain);
  Request free = request_of(timeline(1, 30), 12, 1);
  free.end_tokens.clear();
  auto before = house.ask(free);
  ASSERT_EQ(before->wait().tokens.size(), 12u);
  int asked = 0;
  Request forced = free;
  forced.forced = [&] { return asked++ == 4 ? 77 : asked == 6 ? 88 : -1; };
  auto after = house.ask(forced);
  const Tokens &a = before->wait().tokens, &b = after->wait().tokens;
  ASSERT_EQ(b.size(), 12u);
  EXPECT_EQ(joined(part(b, 0, 4), {}), joined(part(a, 0, 4), {}));
  EXPECT_EQ(b[4], 77);
  EXPECT_EQ(b[5], 88);
  // What follows is what follows them: the same as after a prompt that ends so.
  Request rest = free;
  rest.prompt = joined(free.prompt, part(b, 0, 6));
  rest.max_tokens = 6;
  EXPECT_EQ(house.ask(rest)->wait().tokens, joined(part(b, 6, 12), {}));
  forced.forced = [] { return 3; };
  forced.end_tokens = {3};
  EXPECT_EQ(house.ask(forced)->wait().reason, EndReason::kEndToken);
}

TEST(SchedulerEnds, TheHighestPriorityGoesFirst) {
  slow_ms = 2;
  House house(kPlain, engine_options(1), SchedulerOptions(), plant_slowness);
  std::mutex mutex;
  std::vector<int> order;
  std::vector<std::unique_ptr<Answer>> answers;
  for (const int priority : {0, 1, 5, 1, 9}) {
    Request r = request_of(timeline(answers.empty() ? 0 : 1, 40), 20, 0);
    r.priority = priority;
    auto answer = std::make_unique<Answer>(r);
    answer->logits = Rows(static_cast<size_t>(house.vocabulary.n_tokens));
    const int number = static_cast<int>(answers.size());
    auto tell = answer->request.on_end;
    answer->request.on_end = [&, number, tell](const Outcome& o) {
      {
        const std::lock_guard lock(mutex);
        order.push_back(number);
      }
      tell(o);
    };
    answers.push_back(std::move(answer));
    house.scheduler->submit(answers.back()->request);
    if (number == 0)
      while (answers.back()->given == 0) std::this_thread::sleep_for(1ms);
  }
  for (auto& answer : answers) EXPECT_TRUE(house.as_alone(*answer));
  EXPECT_EQ(order, (std::vector<int>{0, 4, 2, 1, 3}));
}

// Each row takes a while.
void (*quick_embed)(const EmbedArgs&, const Share&) = nullptr;
void slow_embed(const EmbedArgs& args, const Share& share) {
  if (share.thread == 0) std::this_thread::sleep_for(1ms * args.batch.counts->rows);
  quick_embed(args, share);
}
void plant_slow_rows(Ops& ops) {
  quick_embed = ops.embed.work;
  ops.embed.work = slow_embed;
}

TEST(SchedulerBudget, ALongPromptDoesNotHoldUpAnswers) {
  SchedulerOptions options;
  options.shared_seconds = options.alone_seconds = 0.02;
  House house(kPlain, engine_options(), options, plant_slow_rows);
  Request endless = request_of(timeline(1, 30), 400, 1);
  endless.end_tokens.clear();
  auto decoding = house.ask(std::move(endless));
  while (decoding->given < 5) std::this_thread::sleep_for(1ms);
  const int before = decoding->given;
  Request prompt = request_of(timeline(0, 400), 1, 0);
  std::vector<int64_t> progress;
  prompt.on_progress = [&](const PromptProgress& p) { progress.push_back(p.done); };
  auto long_one = house.ask(std::move(prompt));
  long_one->wait();
  EXPECT_GE(decoding->given - before, 12);  // 400 rows of 1 ms in steps of 20 to 33
  house.scheduler->cancel(decoding->id);
  EXPECT_TRUE(house.as_alone(*decoding));
  EXPECT_TRUE(house.as_alone(*long_one));
  EXPECT_LT(house.scheduler->stats().longest_step_seconds, 0.15);
  ASSERT_GE(progress.size(), 12u);
  EXPECT_TRUE(std::is_sorted(progress.begin(), progress.end()));
  EXPECT_EQ(progress.back(), 400);
}

TEST(SchedulerEnds, RefusesWhatCouldNeverRun) {
  SchedulerOptions few;
  few.queue = 1;
  slow_ms = 20;
  House house(kPlain, engine_options(1, 4), few, plant_slowness);
  EXPECT_THROW(house.ask(request_of({}, 5, 0)), Error);
  EXPECT_THROW(house.ask(request_of(timeline(0, 513), 1, 0)), Error);
  EXPECT_THROW(house.ask(request_of({1, 100000}, 1, 0)), Error);
  EXPECT_THROW(house.ask(request_of(timeline(0, 200), 58, 0)), Error);  // 257 positions
  Request bad = request_of(timeline(0, 20), 1, 0);
  bad.sampling.top_p = -1;
  EXPECT_THROW(house.ask(bad), Error);
  auto fits = house.ask(request_of(timeline(0, 200), 57, 0));
  std::vector<std::unique_ptr<Answer>> more;
  EXPECT_THROW(for (int i = 0; i < 4; ++i) more.push_back(house.ask(request_of({1, 2}, 300, i))),
               Error);
  EXPECT_TRUE(house.as_alone(*fits));
  auto nothing = house.ask(request_of(timeline(0, 40), 0, 0));
  EXPECT_EQ(nothing->wait().reason, EndReason::kMaxTokens);
  auto again = house.ask(request_of(timeline(0, 40), 0, 0));
  EXPECT_EQ(again->wait().cached.usable, 39);
}

// ---- Faults

constexpr int32_t kPoison = 255;
void (*real_embed)(const EmbedArgs&, const Share&) = nullptr;
void poisoned_embed(const EmbedArgs& args, const Share& share) {
  const BatchView& b = args.batch;
  for (int r = 0; share.thread == 0 && r < b.counts->rows; ++r)
    if (b.tokens[r] == kPoison) throw std::runtime_error("poisoned");
  real_embed(args, share);
}
void plant_poison(Ops& ops) {
  real_embed = ops.embed.work;
  ops.embed.work = poisoned_embed;
}

Tokens harmless(int which, int64_t n) {
  Tokens tokens = timeline(which, n);
  std::replace(tokens.begin(), tokens.end(), kPoison, 254);
  return tokens;
}

TEST(SchedulerFaults, OnlyTheRequestAtFaultEnds) {
  House house(kPlain, engine_options(), SchedulerOptions(), plant_poison);
  std::vector<std::unique_ptr<Answer>> good, bad;
  for (int i = 0; i < 12; ++i) {
    Tokens prompt = harmless(i, 40 + 17 * i);
    if (i % 4 == 2) prompt[static_cast<size_t>(10 * i)] = kPoison;
    Request r = request_of(prompt, 15, i);
    r.sampling.logit_bias[kPoison] = -std::numeric_limits<float>::infinity();
    (i % 4 == 2 ? bad : good).push_back(house.ask(std::move(r)));
  }
  for (auto& answer : good) {
    EXPECT_TRUE(house.as_alone(*answer));
    EXPECT_NE(answer->wait().reason, EndReason::kFailed) << answer->wait().error;
  }
  for (auto& answer : bad) {
    EXPECT_EQ(answer->wait().reason, EndReason::kFailed);
    EXPECT_EQ(answer->wait().error, "poisoned");
  }
  EXPECT_GT(house.scheduler->stats().failed_steps, 0);
}

TEST(SchedulerFaults, ACallbackThatThrowsEndsItsRequest) {
  House house(kPlain);
  Request r = request_of(timeline(0, 40), 30, 1);
  std::promise<Outcome> ended;
  r.on_token = [](int32_t, std::span<const float>) -> bool { throw std::runtime_error("thrown"); };
  r.on_end = [&](const Outcome& o) {
    ended.set_value(o);
    throw std::runtime_error("thrown again");
  };
  house.scheduler->submit(r);
  auto other = house.ask(request_of(timeline(1, 80), 30, 2));
  EXPECT_EQ(ended.get_future().get().error, "thrown");
  EXPECT_TRUE(house.as_alone(*other));
}

INSTANTIATE_TEST_SUITE_P(All, Scheduling, testing::ValuesIn(few_setups()), name_of);

}  // namespace
}  // namespace braid::isolation
