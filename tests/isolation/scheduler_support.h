// For the tests of the scheduler: one on a small model, and what a request's solo run would have
// answered.
#pragma once

#include "engine/scheduler.h"
#include "sample/test_vocabulary.h"
#include "tests/isolation/isolation_support.h"

#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <random>
#include <thread>

namespace braid::isolation {

inline constexpr Setup kPlain{"qwen3next", DType::F16, 1};

inline std::vector<Setup> few_setups() {
  if (kSmall) return {{"qwen3next", DType::F16, 2}};
  return {
      {"qwen3next", DType::F16, 2}, {"quantised", DType::BF16, 1}, {"qwen35moe", DType::F32, 3}};
}

inline EngineOptions engine_options(int sequences = 4, int64_t pages = 40) {
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
  bool given_up = false;  // by who asked
  std::promise<Outcome> ended;
  std::optional<Outcome> outcome;
  RequestId id = 0;
};

inline Request request_of(const Tokens& prompt, int64_t max_tokens, int64_t seed) {
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
inline void play_traffic(House& house, int requests, uint32_t seed) {
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
        mine.back()->given_up = below(6) == 0;
        if (mine.back()->given_up) house.scheduler->cancel(mine.back()->id);
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (auto& mine : answers)
    for (auto& answer : mine) answer->wait();  // nobody is told any more, whatever fails below
  for (auto& mine : answers)
    for (auto& answer : mine) {
      ASSERT_TRUE(house.as_alone(*answer)) << answer->wait().error;
      EXPECT_NE(answer->wait().reason, EndReason::kFailed) << answer->wait().error;
      EXPECT_NE(answer->wait().reason, EndReason::kHandedBack);
      EXPECT_TRUE(answer->given_up || answer->wait().reason != EndReason::kCancelled);
    }
}

}  // namespace braid::isolation
