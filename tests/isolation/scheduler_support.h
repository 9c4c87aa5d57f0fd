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

namespace braid::isolation {

inline constexpr Setup kPlain{"qwen3next", DType::F16, 1};

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

}  // namespace braid::isolation
