// Steps and callbacks that fail, and requests that are kept apart or wait for each other.
#include "tests/isolation/scheduler_support.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

namespace braid::isolation {
namespace {

using namespace std::chrono_literals;

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

TEST(SchedulerFaults, WhateverACallbackThrows) {
  House house(kPlain);
  std::vector<std::promise<Outcome>> ended(3);
  for (size_t i = 0; i < ended.size(); ++i) {
    Request r = request_of(timeline(static_cast<int>(i), 40), 30, 1);
    if (i == 0) r.on_token = [](int32_t, std::span<const float>) -> bool { throw 7; };
    if (i == 1) r.on_progress = [](const PromptProgress&) { throw std::string("thrown"); };
    r.on_end = [&, i](const Outcome& o) {
      ended[i].set_value(o);
      throw i;
    };
    house.scheduler->submit(r);
  }
  auto other = house.ask(request_of(timeline(5, 80), 30, 2));
  EXPECT_EQ(ended[0].get_future().get().reason, EndReason::kFailed);
  EXPECT_EQ(ended[1].get_future().get().reason, EndReason::kFailed);
  EXPECT_NE(ended[2].get_future().get().reason, EndReason::kFailed);
  EXPECT_TRUE(house.as_alone(*other));
}

// One step fails. What the engine runs from then on is noted: sequences, and where the first one
// stands.
std::atomic<int> fail_at{-1};
std::mutex noted_mutex;
std::vector<std::pair<int, int>> noted;  // segments, rows
void failing_embed(const EmbedArgs& args, const Share& share) {
  const BatchView& b = args.batch;
  if (share.thread == 0) {
    for (int s = 0; s < b.counts->segments; ++s)
      if (fail_at >= 0 && b.counts->segments > 1 && b.segments[s].position >= fail_at) {
        fail_at = -1;
        throw std::runtime_error("once");
      }
    const std::lock_guard lock(noted_mutex);
    noted.emplace_back(b.counts->segments, b.counts->rows);
  }
  real_embed(args, share);
}
void plant_one_failure(Ops& ops) {
  real_embed = ops.embed.work;
  ops.embed.work = failing_embed;
}

// Of a prompt that lost its state only the rows that failed run alone, not those before them.
TEST(SchedulerFaults, OnlyTheRowsThatFailedRunAlone) {
  SchedulerOptions options;
  options.prefix.snapshot_bytes = 0;  // nothing is found again
  House house(kPlain, engine_options(), options, plant_one_failure);
  Request endless = request_of(timeline(1, 30), 400, 1);
  endless.end_tokens.clear();
  auto decoding = house.ask(std::move(endless));
  while (decoding->given < 2) std::this_thread::sleep_for(1ms);
  noted.clear();
  fail_at = 300;
  auto prompt = house.ask(request_of(timeline(0, 450), 5, 1));
  EXPECT_TRUE(house.as_alone(*prompt));
  EXPECT_EQ(fail_at, -1);
  EXPECT_GT(prompt->wait().prompt_rows, 450 + 299);
  house.scheduler->cancel(decoding->id);
  EXPECT_TRUE(house.as_alone(*decoding));
  int alone = 0;
  for (const auto& [segments, rows] : noted)
    if (segments == 1 && rows > 1) alone += rows;
  EXPECT_LE(alone, 64);
  EXPECT_GT(alone, 0);
}

// Logits that are no numbers.
constexpr int32_t kSpoiler = 254;
std::atomic<int> last_token{-1};
void (*true_embed)(const EmbedArgs&, const Share&) = nullptr;
void (*true_head)(const HeadArgs&, const Share&) = nullptr;
void noting_embed(const EmbedArgs& args, const Share& share) {
  if (share.thread == 0) last_token = args.batch.tokens[args.batch.counts->rows - 1];
  true_embed(args, share);
}
void note_tokens(Ops& ops) {
  true_embed = ops.embed.work;
  ops.embed.work = noting_embed;
}
void spoilt_head(const HeadArgs& args, const Share& share) {
  true_head(args, share);
  if (last_token == kSpoiler && share.thread == 0 && args.batch.counts->logit_rows > 0)
    std::fill_n(args.logits.data, args.logits.cols, std::numeric_limits<float>::quiet_NaN());
}
void plant_spoilt_logits(Ops& ops) {
  note_tokens(ops);
  true_head = ops.head.work;
  ops.head.work = spoilt_head;
}

TEST(SchedulerFaults, NobodyGoesOnFromStateThatGaveNoNumbers) {
  House house(kPlain, engine_options(), SchedulerOptions(), plant_spoilt_logits);
  Tokens prompt = timeline(0, 300);
  std::replace(prompt.begin(), prompt.end(), kSpoiler, 1);
  prompt.back() = kSpoiler;
  Request r = request_of(prompt, 10, 1);
  r.messages = {100, 200};
  auto spoilt = house.ask(std::move(r));
  EXPECT_EQ(spoilt->wait().reason, EndReason::kFailed);
  EXPECT_GT(house.scheduler->stats().prefix.stored, 1);
  auto other = house.ask(request_of(joined(part(prompt, 0, 250), timeline(3, 9)), 5, 1));
  EXPECT_EQ(other->wait().cached.usable, 0);
  EXPECT_EQ(house.scheduler->stats().prefix.refused, 0);
}

// Neither does a vector leave that holds what is no number, nor is anything kept of its way.
void (*true_norm_rows)(const NormRowsArgs&, const Share&) = nullptr;
void spoilt_norm_rows(const NormRowsArgs& args, const Share& share) {
  true_norm_rows(args, share);
  if (last_token == kSpoiler && share.thread == 0)
    args.out.data[args.batch.counts->rows * args.out.cols - 1] =
        std::numeric_limits<float>::infinity();
}
void plant_spoilt_vectors(Ops& ops) {
  note_tokens(ops);
  true_norm_rows = ops.norm_rows.work;
  ops.norm_rows.work = spoilt_norm_rows;
}

TEST(SchedulerFaults, NobodyIsGivenAVectorThatHoldsNoNumbers) {
  EngineOptions options = engine_options();
  options.hidden = true;
  House house(kPlain, options, SchedulerOptions(), plant_spoilt_vectors);
  Tokens prompt = timeline(0, 300);
  std::replace(prompt.begin(), prompt.end(), kSpoiler, 1);
  const auto embed = [&](const Tokens& of) {
    Request r = request_of(of, 0, 1);
    r.messages = {100, 200};
    auto told = std::make_shared<int>(0);
    r.on_hidden = [told](std::span<const float>) { ++*told; };
    auto answer = house.ask(std::move(r));
    return std::pair(answer->wait(), *told);
  };
  Tokens bad = prompt;
  bad.back() = kSpoiler;
  const auto [outcome, told] = embed(bad);
  EXPECT_EQ(outcome.reason, EndReason::kFailed);
  EXPECT_EQ(told, 0);
  EXPECT_GT(house.scheduler->stats().prefix.stored, 1);
  const auto [good, told_good] = embed(prompt);
  EXPECT_EQ(good.reason, EndReason::kMaxTokens) << good.error;
  EXPECT_EQ(good.cached.usable, 0);
  EXPECT_EQ(told_good, 1);
}

// ---- Apart and together

// A request that stands still in the middle of its prompt, and all others with it, until they may.
struct Held {
  Held(House& house, Request request) {
    request.on_progress = [this](const PromptProgress& p) {
      if (p.done == p.tokens || std::exchange(was_held, true)) return;
      begun.set_value();
      go.get_future().get();
    };
    answer = house.ask(std::move(request));
    begun.get_future().get();
  }
  bool was_held = false;
  std::promise<void> begun, go;
  std::unique_ptr<Answer> answer;
};

SchedulerOptions small_steps() {
  SchedulerOptions options;
  options.shared_seconds = options.alone_seconds = 1e-9;  // 16 rows
  return options;
}

TEST(SchedulerRealms, NothingOfAnotherIsUsedOrShown) {
  House house(kPlain, engine_options(), small_steps());
  const Tokens prompt = timeline(0, 300), guess = joined(part(prompt, 0, 280), timeline(9, 20));
  const auto of = [&](int realm, Tokens tokens) {
    Request r = request_of(std::move(tokens), 5, 1);
    r.realm = realm;
    return r;
  };
  // At once, and one after the other.
  Held first(house, of(1, prompt));
  auto second = house.ask(of(2, guess));
  first.go.set_value();
  EXPECT_TRUE(house.as_alone(*first.answer));
  EXPECT_TRUE(house.as_alone(*second));
  EXPECT_EQ(first.answer->wait().prompt_rows, 300);
  EXPECT_EQ(second->wait().prompt_rows, 300);
  EXPECT_EQ(house.scheduler->stats().marks_for_others, 0);
  auto third = house.ask(of(3, guess));
  EXPECT_EQ(third->wait().cached.usable, 0);
  EXPECT_EQ(third->wait().cached.known, 0);
  EXPECT_EQ(third->wait().cached.other, -1);
  EXPECT_EQ(third->wait().cached.missed, Missed::kNew);
  auto own = house.ask(of(1, guess));
  EXPECT_EQ(own->wait().cached.known, 280);
  EXPECT_EQ(own->wait().cached.other, prompt[280]);
  EXPECT_TRUE(house.as_alone(*own));
}

TEST(SchedulerFollowing, ThoseThatWaitAreLookedUpOnceAndPlanFewMarks) {
  constexpr int kFollowers = 30;
  House house(kPlain, engine_options(2), small_steps());
  const Tokens prompt = timeline(0, 450);
  Held leader(house, request_of(prompt, 1, 0));
  std::vector<std::unique_ptr<Answer>> answers;
  for (int i = 0; i < kFollowers; ++i)
    answers.push_back(
        house.ask(request_of(joined(part(prompt, 0, 160 + 9 * i), timeline(7 + i, 4)), 0, 0)));
  leader.go.set_value();
  leader.answer->wait();
  for (auto& answer : answers) EXPECT_EQ(answer->wait().reason, EndReason::kMaxTokens);
  const SchedulerStats stats = house.scheduler->stats();
  EXPECT_GE(stats.steps, 450 / 16);
  EXPECT_LT(stats.lookups, 4 * kFollowers) << stats.lookups;
  EXPECT_GT(stats.marks_for_others, 0);
  EXPECT_LE(stats.marks_for_others, 12);
  EXPECT_GT(stats.cached_tokens, stats.prompt_tokens / 2);
}

// A step does not end for the grid's sake: the snapshot stands where the step does that passes it.
TEST(SchedulerMarks, AStepThatPassesTheGridLeavesASnapshot) {
  House house(kPlain);
  const Tokens prompt = timeline(0, 450);
  EXPECT_TRUE(house.as_alone(*house.ask(request_of(prompt, 1, 0))));
  auto other = house.ask(request_of(joined(part(prompt, 0, 350), timeline(7, 4)), 1, 0));
  EXPECT_TRUE(house.as_alone(*other));
  EXPECT_GE(other->wait().cached.usable, 256);
}

// Whoever goes first would wait for one that comes after it, and perhaps long.
TEST(SchedulerFollowing, NobodyWaitsForOneOfALowerPriority) {
  const Tokens prompt = timeline(0, 450);
  for (const int priority : {-1, 0, 1}) {
    House house(kPlain, engine_options(2), small_steps());
    Held leader(house, request_of(prompt, 1, 0));
    Request request = request_of(joined(part(prompt, 0, 400), timeline(7, 4)), 1, 0);
    request.priority = priority;
    auto answer = house.ask(std::move(request));
    leader.go.set_value();
    EXPECT_TRUE(house.as_alone(*answer));
    EXPECT_TRUE(house.as_alone(*leader.answer));
    EXPECT_EQ(answer->wait().cached.usable >= 384, priority <= 0) << priority;
    EXPECT_EQ(answer->wait().prompt_rows > 300, priority > 0) << priority;
  }
}

}  // namespace
}  // namespace braid::isolation
