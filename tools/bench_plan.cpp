#include "tools/bench_plan.h"

#include "base/check.h"

#include <fmt/format.h>

#include <algorithm>

namespace braid {
namespace {

template <class T>
std::vector<T> or_default(std::vector<T> given, T usual) {
  if (given.empty()) given.push_back(std::move(usual));
  return given;
}

std::vector<BenchTest> tests_of(const BenchOptions& o) {
  std::vector<BenchTest> tests;
  for (const int64_t depth : or_default<int64_t>(o.depth, 0)) {
    for (const int64_t n : or_default<int64_t>(o.prompt, 512))
      if (n > 0) tests.push_back({BenchKind::kPrompt, n, 0, depth});
    for (const int64_t n : or_default<int64_t>(o.generate, 128))
      if (n > 0) tests.push_back({BenchKind::kGenerate, 0, n, depth});
    for (const NumberPair& both : o.prompt_generate)
      tests.push_back({BenchKind::kPromptGenerate, both.first, both.second, depth});
    for (const NumberPair& both : o.generate_after)
      tests.push_back({BenchKind::kGenerateAfter, both.first, both.second, depth});
  }
  if (tests.empty()) fail("nothing to measure: -p, -n, -pg and -gp are all 0 or absent");
  return tests;
}

std::vector<NumberPair> threads_of(const BenchOptions& o) {
  std::vector<NumberPair> threads;
  for (const int64_t n : o.threads) threads.push_back({n, n});
  for (const NumberPair& both : o.threads_generate_batch) threads.push_back(both);
  return or_default(threads, NumberPair{0, 0});
}

}  // namespace

std::string BenchTest::label() const {
  std::string text;
  if (kind == BenchKind::kGenerateAfter)
    text = fmt::format("tg{}@pp{}", generate, prompt);
  else if (kind == BenchKind::kPromptGenerate)
    text = fmt::format("pp{}+tg{}", prompt, generate);
  else
    text = kind == BenchKind::kPrompt ? fmt::format("pp{}", prompt) : fmt::format("tg{}", generate);
  return depth == 0 ? text : fmt::format("{} @ d{}", text, depth);
}

bool BenchCase::same_engine(const BenchCase& other) const {
  return model == other.model && ubatch == other.ubatch && batch == other.batch &&
         threads_generate == other.threads_generate && threads_batch == other.threads_batch &&
         key_type == other.key_type && value_type == other.value_type;
}

std::vector<BenchCase> bench_plan(const BenchOptions& o) {
  std::vector<BenchCase> plan;
  const std::vector<BenchTest> tests = tests_of(o);
  for (const std::string& model : or_default<std::string>(o.models, ""))
    for (const int64_t ubatch : or_default<int64_t>(o.ubatch, 512))
      for (const int64_t batch : or_default<int64_t>(o.batch, 2048))
        for (const std::string& k : or_default<std::string>(o.key_types, "f16"))
          for (const std::string& v : or_default<std::string>(o.value_types, "f16"))
            for (const NumberPair& threads : threads_of(o))
              for (const BenchTest& test : tests) {
                plan.push_back({model, batch, ubatch, static_cast<int>(threads.first),
                                static_cast<int>(threads.second), cache_type(k), cache_type(v),
                                test, test.tokens()});
              }
  for (BenchCase& a : plan)
    for (const BenchCase& b : plan)
      if (a.same_engine(b)) a.context = std::max(a.context, b.test.tokens());
  return plan;
}

}  // namespace braid
