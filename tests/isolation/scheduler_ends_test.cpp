// How requests end: cancelled, late, refused, shut down, at fault; and what others notice of it.
#include "tests/isolation/scheduler_support.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <thread>

namespace braid::isolation {
namespace {

using namespace std::chrono_literals;

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
  // All its time was in the queue.
  EXPECT_GE(waiting->wait().queue_seconds, 0.019);
  EXPECT_EQ(waiting->wait().queue_seconds, waiting->wait().seconds);
  EXPECT_EQ(running->outcome.has_value(), false);
  EXPECT_EQ(running->wait().reason, EndReason::kDeadline);
  EXPECT_TRUE(house.as_alone(*running));
  EXPECT_GT(running->wait().seconds, 0.09);
  EXPECT_LT(running->wait().queue_seconds, running->wait().seconds);
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

TEST(SchedulerEnds, WhoStartsHasTheLowestSlotThatIsFree) {
  slow_ms = 5;
  House house(kPlain, engine_options(3), SchedulerOptions(), plant_slowness);
  const auto start = [&](int which) {
    Request endless = request_of(timeline(which, 30), 400, 1);
    endless.end_tokens.clear();
    auto answer = house.ask(std::move(endless));
    while (answer->given == 0) std::this_thread::sleep_for(1ms);
    return answer;
  };
  const auto first = start(1), second = start(2), third = start(3);
  house.scheduler->cancel(first->id);
  first->wait();
  const auto fourth = start(4);
  const std::vector<RequestId> wanted = {fourth->id, second->id, third->id};
  std::vector<RequestId> there;
  for (int i = 0; i < 1000 && there != wanted; ++i) {  // told between steps
    there.clear();
    for (const SlotInfo& slot : house.scheduler->slots()) there.push_back(slot.id);
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_EQ(there, wanted);
  for (const auto* answer : {&second, &third, &fourth}) house.scheduler->cancel((*answer)->id);
  for (const auto* answer : {&second, &third, &fourth}) (*answer)->wait();
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
  options.shared_seconds = 0.02;
  options.alone_seconds = 10;
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
  EXPECT_THROW(for (int i = 0; i < 4; ++i) more.push_back(house.ask(request_of({1, 2}, 60, i))),
               QueueFull);
  EXPECT_TRUE(house.as_alone(*fits));
  for (const auto& one : more) one->wait();
  auto nothing = house.ask(request_of(timeline(0, 40), 0, 0));
  EXPECT_EQ(nothing->wait().reason, EndReason::kMaxTokens);
  auto again = house.ask(request_of(timeline(0, 40), 0, 0));
  EXPECT_EQ(again->wait().cached.usable, 39);
}

TEST(SchedulerEnds, RefusesAnEngineWithoutALogitRowForEach) {
  EngineOptions options = engine_options();
  options.logit_rows = 3;
  EXPECT_THROW(House(kPlain, options), Error);
}

// ---- Inside of a step

// Each phase of these operations takes a while.
std::atomic<int> phase_ms{0}, phases{0};
template <class Args>
struct Slow {
  static inline void (*real)(const Args&, const Share&) = nullptr;
  static void work(const Args& args, const Share& share) {
    if (share.thread == 0) {
      ++phases;
      std::this_thread::sleep_for(std::chrono::milliseconds(phase_ms));
    }
    real(args, share);
  }
  static void plant(Entry<Args>& entry) {
    real = entry.work;
    entry.work = work;
  }
};
void plant_slow_phases(Ops& ops) {
  Slow<GdnMixArgs>::plant(ops.gdn_mix);
  Slow<AttnMixArgs>::plant(ops.attn_mix);
  Slow<RouteArgs>::plant(ops.route);
  Slow<ExpertsArgs>::plant(ops.experts);
}

void wait_for_phases(int more) {
  const int before = phases;
  while (phases < before + more) std::this_thread::sleep_for(1ms);
}

// Of a step with all its phases.
int phases_of_a_step(House& house) {
  phase_ms = 0;
  phases = 0;
  house.ask(request_of({7, 8, 9}, 0, 0))->wait();
  return phases;
}

TEST(SchedulerStop, APromptAloneEndsInTheMiddleOfAStep) {
  for (const int threads : {1, 3}) {
    House house({"qwen3next", DType::F16, threads}, engine_options(), SchedulerOptions(),
                plant_slow_phases);
    const int all = phases_of_a_step(house);
    phase_ms = 900 / all;
    const Tokens prompt = timeline(0, 400);
    auto answer = house.ask(request_of(prompt, 50, 1));
    wait_for_phases(3);
    const auto before = std::chrono::steady_clock::now();
    house.scheduler->cancel(answer->id);
    EXPECT_EQ(answer->wait().reason, EndReason::kCancelled);
    EXPECT_LT(std::chrono::steady_clock::now() - before, 250ms);
    EXPECT_TRUE(answer->wait().tokens.empty());
    phase_ms = 0;
    auto again = house.ask(request_of(prompt, 10, 1));
    EXPECT_TRUE(house.as_alone(*again));
    EXPECT_EQ(house.scheduler->stats().stopped_steps, 1);
    EXPECT_EQ(house.scheduler->stats().failed_steps, 0);
  }
}

// Those who lose nothing but the time of a slow step go on, and not every step is stopped.
TEST(SchedulerStop, CompanyThatDecodesGoesOn) {
  SchedulerOptions options;
  options.shared_seconds = 0.05;  // the fewest rows that there are
  House house(kPlain, engine_options(), options, plant_slow_phases);
  phase_ms = 330 / phases_of_a_step(house);
  Request endless = request_of(timeline(1, 30), 400, 1);
  endless.end_tokens.clear();
  auto decoding = house.ask(std::move(endless));
  while (decoding->given < 2) std::this_thread::sleep_for(1ms);
  std::vector<std::unique_ptr<Answer>> prompts;
  std::atomic<int> progress{0};
  for (int i = 0; i < 2; ++i) {
    Request prompt = request_of(timeline(2 + i, 400), 5, 1);
    prompt.on_progress = [&](const PromptProgress&) { ++progress; };
    prompts.push_back(house.ask(std::move(prompt)));
  }
  while (progress < 3) std::this_thread::sleep_for(1ms);
  wait_for_phases(3);
  auto before = std::chrono::steady_clock::now();
  house.scheduler->cancel(prompts[0]->id);
  EXPECT_EQ(prompts[0]->wait().reason, EndReason::kCancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 250ms);
  EXPECT_EQ(house.scheduler->stats().stopped_steps, 1);
  wait_for_phases(3);
  const int given = decoding->given;
  house.scheduler->cancel(prompts[1]->id);
  EXPECT_EQ(prompts[1]->wait().reason, EndReason::kCancelled);
  EXPECT_EQ(house.scheduler->stats().stopped_steps, 1);
  EXPECT_EQ(decoding->given, given + 1);
  phase_ms = 0;
  while (decoding->given < 20) std::this_thread::sleep_for(1ms);
  house.scheduler->cancel(decoding->id);
  EXPECT_TRUE(house.as_alone(*decoding));
  EXPECT_EQ(house.bench.engine.pool().free_slots(), 4);
}

// A step in which another would lose what it has run comes to its end.
TEST(SchedulerStop, NobodyLosesTheStateOfAPrompt) {
  SchedulerOptions options;
  options.shared_seconds = 10;
  options.prefix.snapshot_bytes = 0;
  House house(kPlain, engine_options(), options, plant_slow_phases);
  phase_ms = 260 / phases_of_a_step(house);
  std::vector<std::unique_ptr<Answer>> prompts;
  std::atomic<int64_t> done{0};
  for (int i = 0; i < 2; ++i) {  // the second one is shorter, so both are in each step
    Request prompt = request_of(timeline(2 + i, i == 0 ? 400 : 200), 5, 1);
    prompt.on_progress = [&](const PromptProgress& p) { done = p.done; };
    prompts.push_back(house.ask(std::move(prompt)));
  }
  while (done < 60) std::this_thread::sleep_for(1ms);
  wait_for_phases(3);
  house.scheduler->cancel(prompts[0]->id);
  EXPECT_EQ(prompts[0]->wait().reason, EndReason::kCancelled);
  phase_ms = 0;
  EXPECT_TRUE(house.as_alone(*prompts[1]));
  EXPECT_EQ(prompts[1]->wait().prompt_rows, 200);
  EXPECT_EQ(house.scheduler->stats().stopped_steps, 0);
}

}  // namespace
}  // namespace braid::isolation
