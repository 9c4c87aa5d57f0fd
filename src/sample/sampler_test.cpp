#include "sample/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "base/check.h"
#include "sample/test_vocabulary.h"
#include "text/test_vocabulary.h"
#include "text/tokenizer.h"

namespace braid {
namespace {

constexpr float kBan = -std::numeric_limits<float>::infinity();

// Logits that depend on the position, as a model's would.
std::vector<float> logits_at(size_t position, size_t n_tokens = 200) {
  return random_logits(n_tokens, static_cast<uint32_t>(position) + 100, 2);
}

std::vector<int32_t> generate(Sampler& sampler, size_t n, size_t n_tokens = 200) {
  std::vector<int32_t> tokens;
  for (size_t i = 0; i < n; ++i) {
    tokens.push_back(sampler.sample(logits_at(sampler.history().size(), n_tokens)));
    sampler.accept(tokens.back());
  }
  return tokens;
}

SamplerOptions everything_on(int64_t seed) {
  SamplerOptions options;
  options.temperature = 1.5f;
  options.top_k = 80;
  options.min_p = 0.001f;
  options.typical_p = 0.98f;
  options.top_n_sigma = 3;
  options.xtc_probability = 0.5f;
  options.xtc_threshold = 0.05f;
  options.repeat_penalty = 1.2f;
  options.frequency_penalty = 0.1f;
  options.presence_penalty = 0.1f;
  options.dry_multiplier = 0.5f;
  options.dry_allowed_length = 1;
  options.adaptive_target = 0.1f;
  options.seed = seed;
  return options;
}

// So few that DRY has much to do, some with breakers in them.
SamplerVocabulary few_tokens() { return vocabulary_of({"a", "b", "\n", "c", "d:", "e", "f"}); }

TEST(Sampler, GreedyTakesTheLowestIdOfEqualOnes) {
  const SamplerVocabulary vocabulary = plain_vocabulary(5);
  SamplerOptions options;  // with top_k and so on at their defaults
  options.temperature = 0;
  options.xtc_probability = 1;
  options.xtc_threshold = 0.1f;
  Sampler sampler(options, vocabulary);
  EXPECT_EQ(sampler.sample(std::vector<float>{1, 3, 2, 3, 3}), 1);
  EXPECT_EQ(sampler.sample(std::vector<float>{-5, -7, -5, -6, kBan}), 0);
  SampleWorkspace workspace;
  const auto left = sampler.distribution(std::vector<float>{1, 3, 2, 3, 3}, workspace);
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].id, 1);
  EXPECT_EQ(left[0].probability, 1);
}

TEST(Sampler, GreedyHeedsBiasPenaltiesAndDry) {
  const SamplerVocabulary vocabulary = plain_vocabulary(4);
  const std::vector<float> logits = {4, 3, 2, 1};
  SamplerOptions options;
  options.temperature = 0;
  options.logit_bias[0] = kBan;
  options.samplers = {};  // penalties run although they are not named
  options.presence_penalty = 1.5f;
  Sampler sampler(options, vocabulary);
  EXPECT_EQ(sampler.sample(logits), 1);
  sampler.accept(1);
  EXPECT_EQ(sampler.sample(logits), 2);
  options = {};
  options.temperature = 0;
  options.dry_multiplier = 5;
  Sampler dry(options, vocabulary);
  dry.accept(std::vector<int32_t>{1, 2, 0, 1, 2});
  EXPECT_EQ(dry.sample(logits), 1);
}

// Chi-square of n choices, each at its own position, against the probabilities; and their number.
std::pair<double, int> chi_square(const SamplerOptions& options, const std::vector<float>& logits,
                                  const std::map<int32_t, double>& probabilities, int n) {
  const SamplerVocabulary vocabulary = plain_vocabulary(static_cast<int32_t>(logits.size()));
  Sampler sampler(options, vocabulary);
  std::map<int32_t, int> counts;
  for (int i = 0; i < n; ++i) {
    const int32_t token = sampler.sample(logits);
    EXPECT_TRUE(probabilities.contains(token)) << token;
    ++counts[token];
    sampler.accept(token);
  }
  double sum = 0;
  for (const auto& [id, p] : probabilities) {
    const double off = counts[id] - n * p;
    sum += off * off / (n * p);
  }
  return {sum, static_cast<int>(probabilities.size()) - 1};
}

TEST(Sampler, ChoosesAsOftenAsTheProbabilitiesSay) {
  const std::vector<float> logits = {0.5f, -1, 2, 0, 1.25f, -2, 0.75f, 1};
  std::map<int32_t, double> p;
  double sum = 0;
  for (size_t i = 0; i < logits.size(); ++i)
    sum += p[static_cast<int32_t>(i)] = std::exp(logits[i] / 0.7);
  for (auto& [id, value] : p) value /= sum;
  for (const int64_t seed : {1, 2, 3}) {
    SamplerOptions options = plain_options(seed);
    options.temperature = 0.7f;
    EXPECT_LT(chi_square(options, logits, p, 100000).first, 45);  // df 7: once in 10^7
  }
  std::map<int32_t, double> top = {{2, p[2]}, {4, p[4]}, {7, p[7]}};
  for (auto& [id, value] : top) value /= p[2] + p[4] + p[7];
  SamplerOptions options = plain_options(4);
  options.temperature = 0.7f;
  options.top_k = 3;
  EXPECT_LT(chi_square(options, logits, top, 100000).first, 33);  // df 2
}

TEST(Sampler, XtcHappensAsOftenAsAsked) {
  const SamplerVocabulary vocabulary = plain_vocabulary(4);
  SamplerOptions options = plain_options(9);
  options.xtc_probability = 0.3f;
  options.xtc_threshold = 0.2f;
  Sampler sampler(options, vocabulary);
  SampleWorkspace workspace;
  int happened = 0;
  for (int i = 0; i < 20000; ++i) {
    const auto left = sampler.distribution(std::vector<float>{2, 2, 2, 0}, workspace);
    if (left.size() == 2) ++happened;
    sampler.accept(0);
  }
  EXPECT_NEAR(happened, 6000, 5 * std::sqrt(20000 * 0.3 * 0.7));
}

TEST(Sampler, SameSeedSameTokens) {
  const SamplerVocabulary large = plain_vocabulary(200), small = few_tokens();
  for (const SamplerVocabulary* vocabulary : {&large, &small}) {
    const auto n = static_cast<size_t>(vocabulary->n_tokens);
    Sampler one(everything_on(7), *vocabulary), same(everything_on(7), *vocabulary),
        other(everything_on(8), *vocabulary);
    const std::vector<int32_t> tokens = generate(one, 150, n);
    EXPECT_EQ(generate(same, 150, n), tokens);
    EXPECT_NE(generate(other, 150, n), tokens);
    one.reset();
    EXPECT_EQ(generate(one, 150, n), tokens);
  }
}

TEST(Sampler, ARandomSeedCanBeReadAndGivenBack) {
  const SamplerVocabulary vocabulary = plain_vocabulary(200);
  Sampler one(everything_on(-1), vocabulary), two(everything_on(-1), vocabulary);
  EXPECT_NE(one.seed(), two.seed());
  Sampler again(everything_on(static_cast<int64_t>(one.seed())), vocabulary);
  EXPECT_EQ(generate(again, 50), generate(one, 50));
}

TEST(Sampler, TheOrderMatters) {
  const SamplerVocabulary vocabulary = plain_vocabulary(100);
  SampleWorkspace workspace;
  const std::vector<float> logits = logits_at(0, 100);
  const auto left = [&](std::string_view letters) {
    SamplerOptions options = plain_options();
    options.temperature = 3;
    options.min_p = 0.2f;
    options.samplers = samplers_from_letters(letters);
    return Sampler(options, vocabulary).distribution(logits, workspace).size();
  };
  EXPECT_LT(left("mt"), left("tm"));  // flattened first, more come through
  EXPECT_EQ(left("m"), left("mt"));
  EXPECT_EQ(left("t"), 100u);
}

TEST(Sampler, WhatIsNotNamedDoesNotRun) {
  const SamplerVocabulary vocabulary = plain_vocabulary(100);
  SamplerOptions options;
  options.top_k = 5;
  options.samplers = {};
  options.dry_multiplier = 5;
  Sampler sampler(options, vocabulary);
  SampleWorkspace workspace;
  EXPECT_EQ(sampler.distribution(logits_at(0, 100), workspace).size(), 100u);
  options.adaptive_target = 0.5f;  // but adaptive-p makes the choice, last of all
  options.samplers = samplers_from_letters("wk");
  const std::vector<SamplerStage> expected = samplers_from_letters("ekw");
  EXPECT_EQ(Sampler(options, vocabulary).options().samplers, expected);
}

TEST(Sampler, PenaltiesSeeTheirWindowOnly) {
  const SamplerVocabulary vocabulary = plain_vocabulary(3);
  SampleWorkspace workspace;
  SamplerOptions options = plain_options();
  options.frequency_penalty = 1;
  const std::vector<float> logits = {0, 0, 0};
  const auto ratio = [&](int32_t last_n) {  // how much less likely 0 is than 2
    options.repeat_last_n = last_n;
    Sampler sampler(options, vocabulary);
    sampler.accept(std::vector<int32_t>{0, 0, 0, 1, 1, 0});
    auto left = sampler.distribution(logits, workspace);
    std::ranges::sort(left, {}, &TokenProbability::id);
    return std::log(left[2].probability / left[0].probability);
  };
  EXPECT_NEAR(ratio(1), 1, 1e-6);
  EXPECT_NEAR(ratio(3), 1, 1e-6);
  EXPECT_NEAR(ratio(4), 2, 1e-6);
  EXPECT_NEAR(ratio(5), 3, 1e-6);
  EXPECT_NEAR(ratio(64), 4, 1e-6);
  EXPECT_NEAR(ratio(-1), 4, 1e-6);
  EXPECT_NEAR(ratio(0), 0, 1e-6);
}

TEST(Sampler, BannedTokensNeverComeBack) {
  // Adaptive-p lifts unlikely tokens; a target of 0 asks for the least likely.
  const SamplerVocabulary vocabulary = plain_vocabulary(4);
  SamplerOptions options = plain_options();
  options.adaptive_target = 0;
  options.logit_bias[0] = kBan;
  Sampler sampler(options, vocabulary);
  SampleWorkspace workspace;
  EXPECT_EQ(sampler.distribution(std::vector<float>{9, 1, 1, kBan}, workspace).size(), 2u);
  for (int i = 0; i < 2000; ++i) {
    const int32_t token = sampler.sample(std::vector<float>{9, 1, 1, kBan});
    EXPECT_TRUE(token == 1 || token == 2) << token;
    sampler.accept(token);
  }
  options.logit_bias = {{0, kBan}, {1, kBan}, {2, kBan}};
  EXPECT_THROW(Sampler(options, vocabulary).sample(std::vector<float>{9, 1, 1, kBan}), Error);
}

TEST(Sampler, BiasIsAdded) {
  const SamplerVocabulary vocabulary = plain_vocabulary(3);
  SamplerOptions options = plain_options();
  options.logit_bias[2] = 2.5f;
  Sampler sampler(options, vocabulary);
  SampleWorkspace workspace;
  const auto left = sampler.distribution(std::vector<float>{1, 0, 0.25f}, workspace);
  EXPECT_EQ(left[0].id, 2);
  EXPECT_NEAR(std::log(left[0].probability / left[1].probability), 1.75, 1e-9);
  options.logit_bias[3] = 1;
  EXPECT_THROW(Sampler(options, vocabulary), Error);
}

TEST(Sampler, PaddingIsNeverChosen) {
  // 10 tokens, of which 4 and 9 are unused, in a model with 16 rows.
  SamplerVocabulary vocabulary = plain_vocabulary(10);
  vocabulary.unused = {4, 9};
  std::vector<float> logits(16, 0);
  for (const size_t padding : {4, 9, 10, 15}) logits[padding] = 50;
  logits[12] = std::numeric_limits<float>::quiet_NaN();  // nobody looks at it
  for (const float temperature : {0.0f, 1.0f}) {
    SamplerOptions options = plain_options();
    options.temperature = temperature;
    Sampler sampler(options, vocabulary);
    for (int i = 0; i < 500; ++i) {
      const int32_t token = sampler.sample(logits);
      ASSERT_TRUE(token < 10 && token != 4 && token != 9) << token;
      sampler.accept(token);
    }
  }
  Sampler sampler(plain_options(), vocabulary);
  EXPECT_THROW(sampler.sample(std::vector<float>(9, 0)), InternalError);
  logits[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(sampler.sample(logits), InternalError);
}

TEST(Sampler, RewindIsExact) {
  const SamplerVocabulary vocabulary = few_tokens();
  const auto n_tokens = static_cast<size_t>(vocabulary.n_tokens);
  for (const int64_t seed : {1, 2, 3, 4}) {
    Sampler straight(everything_on(seed), vocabulary), detour(everything_on(seed), vocabulary);
    generate(straight, 160, n_tokens);
    detour.accept(std::vector<int32_t>(50, 2));
    detour.reset();
    generate(detour, 40, n_tokens);
    for (const size_t n : {1, 7, 20}) {
      for (size_t i = 0; i < n; ++i) {  // a draft that is not what would have been chosen
        if (i % 3 == 0) detour.sample(logits_at(999, n_tokens));
        detour.accept(static_cast<int32_t>(i * 5 % n_tokens));
      }
      detour.rewind(n);
      generate(detour, 40, n_tokens);
    }
    detour.sample(logits_at(160, n_tokens));
    straight.sample(logits_at(160, n_tokens));
    detour.rewind(0);
    EXPECT_EQ(detour.snapshot(), straight.snapshot());
    EXPECT_THROW(detour.rewind(161), InternalError);
  }
}

TEST(Sampler, RestoreIsExact) {
  const SamplerVocabulary vocabulary = vocabulary_of({"a", "b", "\n", "c"});
  SamplerOptions options = everything_on(5);
  options.adaptive_updt_w_cur = true;
  Sampler first(options, vocabulary), second(options, vocabulary);
  generate(first, 20, 4);
  first.sample(logits_at(20, 4));  // not yet accepted
  const Sampler::Snapshot snapshot = first.snapshot();
  second.accept(std::vector<int32_t>{3, 2, 2});
  second.restore(snapshot);
  EXPECT_EQ(second.snapshot(), snapshot);
  for (Sampler* sampler : {&first, &second}) sampler->accept(snapshot.sampled);
  EXPECT_EQ(generate(first, 40, 4), generate(second, 40, 4));
  EXPECT_EQ(first.snapshot(), second.snapshot());
  EXPECT_THROW(Sampler(plain_options(), vocabulary).restore(snapshot), InternalError);
}

TEST(Sampler, SamplingChangesNothing) {
  const SamplerVocabulary vocabulary = plain_vocabulary(200);
  Sampler sampler(everything_on(3), vocabulary);
  generate(sampler, 10);
  const int32_t token = sampler.sample(logits_at(10));
  sampler.sample(logits_at(11));
  EXPECT_EQ(sampler.sample(logits_at(10)), token);
}

TEST(Sampler, OneWorkspaceForMany) {
  const SamplerVocabulary large = plain_vocabulary(200), small = plain_vocabulary(50);
  SampleWorkspace shared;
  Sampler a(everything_on(1), large), b(everything_on(2), small), alone_a(everything_on(1), large),
      alone_b(everything_on(2), small);
  for (size_t i = 0; i < 50; ++i) {
    const int32_t token_a = a.sample(logits_at(i), shared);
    const int32_t token_b = b.sample(logits_at(i, 50), shared);
    a.accept(token_a);
    b.accept(token_b);
  }
  generate(alone_a, 50);
  generate(alone_b, 50, 50);
  EXPECT_EQ(a.snapshot(), alone_a.snapshot());
  EXPECT_EQ(b.snapshot(), alone_b.snapshot());
}

TEST(Sampler, AdaptivePMovesItsTarget) {
  const SamplerVocabulary vocabulary = plain_vocabulary(3);
  const std::vector<float> logits = {std::log(0.7f), std::log(0.2f), std::log(0.1f)};
  for (const bool current : {false, true}) {
    SamplerOptions options = plain_options(11);
    options.adaptive_target = 0.3f;
    options.adaptive_updt_w_cur = current;
    options.temperature = 0.5f;
    options.top_k = 2;
    Sampler sampler(options, vocabulary);
    double sum = 0.3 / (1 - 0.9), weight = 1 / (1 - 0.9);
    SampleWorkspace workspace;
    for (int i = 0; i < 30; ++i) {
      // What is left is 0.49 and 0.04, of 0.53.
      const std::vector<double> p = {0.49 / 0.53, 0.04 / 0.53};
      const double target = std::min(1.0, std::max(0.0, 0.6 - sum / weight));
      std::vector<double> lifted;
      for (const double q : p) {
        const double d = std::abs(q - target) / 0.3;
        lifted.push_back(std::exp(5 - 10 * d * d / (1 + d)));
      }
      auto left = sampler.distribution(logits, workspace);
      std::ranges::sort(left, {}, &TokenProbability::id);
      ASSERT_EQ(left.size(), 2u);
      ASSERT_NEAR(left[0].probability, lifted[0] / (lifted[0] + lifted[1]), 1e-5) << i;
      const int32_t token = sampler.sample(logits);
      if (i % 5 == 4) {  // not what was sampled: as if never asked
        sampler.accept(2);
        continue;
      }
      sampler.accept(token);
      const double counted = current ? p[static_cast<size_t>(token)] : token == 0 ? 0.7 : 0.2;
      sum = 0.9 * sum + counted;
      weight = 0.9 * weight + 1;
    }
  }
}

TEST(Sampler, OfATokenizer) {
  Vocabulary words = test_vocabulary({"h e", "l l"});
  const int32_t unused = add_token(words, "[PAD258]", TokenType::kUnused);
  const Tokenizer tokenizer(words);
  const SamplerVocabulary vocabulary = sampler_vocabulary(tokenizer);
  EXPECT_EQ(vocabulary.n_tokens, tokenizer.n_tokens());
  EXPECT_EQ(vocabulary.unused, std::vector<int32_t>{unused});
  EXPECT_EQ(vocabulary.bytes(256), "he");
}

TEST(Sampler, BiasesOfOnePlaceHoldThereAlone) {
  const SamplerVocabulary vocabulary = plain_vocabulary(8);
  SamplerOptions options = plain_options();
  options.temperature = 0;
  Sampler sampler(options, vocabulary);
  std::vector<float> logits = {0, 1, 2, 3, 4, 5, 6, 7};
  EXPECT_EQ(sampler.sample(logits), 7);
  sampler.bias_at(1, 7, kBan);
  sampler.bias_at(1, 6, -1);
  EXPECT_EQ(sampler.sample(logits), 7);
  sampler.accept(0);
  EXPECT_EQ(sampler.sample(logits), 5);
  sampler.bias_at(1, 5, -3);
  EXPECT_EQ(sampler.sample(logits), 6);
  sampler.accept(0);
  EXPECT_EQ(sampler.sample(logits), 7);
  sampler.bias_at(2, 7, kBan);
  sampler.rewind(1);
  EXPECT_EQ(sampler.sample(logits), 6);
  sampler.accept(0);
  EXPECT_EQ(sampler.sample(logits), 7);  // forgotten
  sampler.rewind(2);
  sampler.accept(0);
  EXPECT_EQ(sampler.sample(logits), 7);
  EXPECT_THROW(sampler.bias_at(0, 8, 0), InternalError);
}

}  // namespace
}  // namespace braid
