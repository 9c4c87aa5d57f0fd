// The stages one by one and in chains against scripts/make_sampler_vectors.py, which has the
// formulas in plain Python; and their edges by hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "sample/min_p.h"
#include "sample/temperature.h"
#include "sample/test_vocabulary.h"
#include "sample/top_k.h"
#include "sample/top_n_sigma.h"
#include "sample/top_p.h"
#include "sample/typical.h"
#include "sample/xtc.h"

namespace braid {
namespace {

constexpr float kBan = -std::numeric_limits<float>::infinity();

nlohmann::json read_vectors() {
  std::ifstream file(std::string(BRAID_TEST_DATA) + "/sample/vectors.json");
  return nlohmann::json::parse(file);
}

SamplerOptions options_of(const nlohmann::json& given) {
  SamplerOptions o = plain_options();
  o.dry_sequence_breakers = {"\n", ":"};
  const auto put = [&](const char* name, auto& to) {
    if (given.contains(name)) given.at(name).get_to(to);
  };
  put("temperature", o.temperature);
  put("top_k", o.top_k);
  put("top_p", o.top_p);
  put("min_p", o.min_p);
  put("typical_p", o.typical_p);
  put("top_n_sigma", o.top_n_sigma);
  put("min_keep", o.min_keep);
  put("xtc_probability", o.xtc_probability);
  put("xtc_threshold", o.xtc_threshold);
  put("repeat_last_n", o.repeat_last_n);
  put("repeat_penalty", o.repeat_penalty);
  put("frequency_penalty", o.frequency_penalty);
  put("presence_penalty", o.presence_penalty);
  put("dry_multiplier", o.dry_multiplier);
  put("dry_base", o.dry_base);
  put("dry_allowed_length", o.dry_allowed_length);
  put("dry_penalty_last_n", o.dry_penalty_last_n);
  put("dry_sequence_breakers", o.dry_sequence_breakers);
  put("adaptive_target", o.adaptive_target);
  return o;
}

void check_case(const nlohmann::json& item, const SamplerVocabulary& vocabulary,
                SampleWorkspace& workspace) {
  SamplerOptions options = options_of(item.at("options"));
  options.samplers = samplers_from_names(item.at("samplers").get<std::string>());
  std::vector<float> logits;
  for (const auto& logit : item.at("logits")) {
    logits.push_back(logit.is_string() ? kBan : logit.get<float>());
  }
  Sampler sampler(options, vocabulary);
  sampler.accept(item.at("history").get<std::vector<int32_t>>());
  std::vector<TokenProbability> left = sampler.distribution(logits, workspace);
  std::ranges::sort(left, {}, &TokenProbability::id);
  const auto& expected = item.at("expected");
  ASSERT_EQ(left.size(), expected.size());
  for (size_t i = 0; i < left.size(); ++i) {
    ASSERT_EQ(left[i].id, expected[i][0].get<int32_t>());
    ASSERT_NEAR(left[i].probability, expected[i][1].get<double>(), 2e-6);
  }
}

TEST(Stages, AsTheFormulasSay) {
  const nlohmann::json vectors = read_vectors();
  const SamplerVocabulary vocabulary =
      vocabulary_of(vectors.at("tokens").get<std::vector<std::string>>());
  SampleWorkspace workspace;
  ASSERT_GT(vectors.at("cases").size(), 200u);
  for (const auto& item : vectors.at("cases")) {
    check_case(item, vocabulary, workspace);
    if (HasFatalFailure()) FAIL() << item.dump();
  }
}

std::vector<int32_t> ids_of(const Candidates& candidates) {
  std::vector<int32_t> ids;
  for (const Candidate& c : candidates.items()) ids.push_back(c.id);
  std::ranges::sort(ids);
  return ids;
}

Candidates of_logits(const std::vector<float>& logits) {
  Candidates candidates;
  candidates.assign(logits);
  return candidates;
}

// Logits whose softmax is this.
Candidates of_probabilities(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)));
  return of_logits(logits);
}

TEST(Stages, TopKKeepsTheLowerIdOfEqualOnes) {
  Candidates candidates = of_logits({1, 2, 2, 2, 0});
  apply_top_k(candidates, 2);
  EXPECT_EQ(ids_of(candidates), (std::vector<int32_t>{1, 2}));
}

TEST(Stages, TopPIncludesTheTokenThatReachesIt) {
  Candidates candidates = of_probabilities({0.5, 0.3, 0.15, 0.05});
  apply_top_p(candidates, 0.7f);
  EXPECT_EQ(ids_of(candidates), (std::vector<int32_t>{0, 1}));
  apply_top_p(candidates, 0);
  EXPECT_EQ(ids_of(candidates), (std::vector<int32_t>{0}));
}

TEST(Stages, TypicalGoesBeyondItsShareAndTopPReachesIt) {
  Candidates candidates = of_logits({1, 1, 1, 1});
  TypicalScratch scratch;
  apply_typical(candidates, 0.5f, 0, scratch);
  EXPECT_EQ(ids_of(candidates), (std::vector<int32_t>{0, 1, 2}));
  candidates = of_logits({1, 1, 1, 1});
  apply_top_p(candidates, 0.5f);
  EXPECT_EQ(ids_of(candidates), (std::vector<int32_t>{0, 1}));
}

TEST(Stages, TypicalMayLeaveOutTheMostLikely) {
  // Entropy 1.64: a surprise of 0.92 is further from it than one of 2.12.
  Candidates candidates = of_probabilities({0.4, 0.12, 0.12, 0.12, 0.12, 0.12});
  TypicalScratch scratch;
  apply_typical(candidates, 0.25f, 0, scratch);
  EXPECT_EQ(candidates.size(), 3u);
  EXPECT_EQ(candidates.softmax().sum, 3);
}

TEST(Stages, TopPOverALargeVocabulary) {
  // 70,000 equal tokens: half of them, the lower ids, and none too many.
  Candidates candidates = of_logits(std::vector<float>(70000, 0.5f));
  apply_top_p(candidates, 0.5f);
  ASSERT_NEAR(static_cast<double>(candidates.size()), 35000, 1);
  EXPECT_EQ(ids_of(candidates).back(), static_cast<int32_t>(candidates.size()) - 1);
}

TEST(Stages, TopNSigmaWithNegativeLogits) {
  // A maximum that began at 0 would keep none of these.
  Candidates candidates = of_logits({-100, -101, -102, -130});
  apply_top_n_sigma(candidates, 1);
  EXPECT_EQ(ids_of(candidates), (std::vector<int32_t>{0, 1, 2}));
  candidates = of_logits({5, 1, -7});
  apply_top_n_sigma(candidates, 0.01f);
  EXPECT_EQ(candidates.size(), 3u);
}

TEST(Stages, XtcThresholdAndProbability) {
  const std::vector<double> p = {0.4, 0.3, 0.2, 0.1};
  struct Row {
    float probability, threshold;
    double draw;
    std::vector<int32_t> left;
  };
  const std::vector<Row> rows = {
      {1, 0.15f, 0.999, {2, 3}},         // the least likely of three top ones stays
      {1, 0.25f, 0.5, {1, 2, 3}},        // of two
      {1, 0.35f, 0.5, {0, 1, 2, 3}},     // there is one
      {1, 0.45f, 0.5, {0, 1, 2, 3}},     // there is none
      {1, 0.05f, 0.5, {3}},              // all are
      {0.5f, 0.15f, 0.5, {0, 1, 2, 3}},  // not this time
      {0.5f, 0.15f, 0.499, {2, 3}},      // this time
      {0, 0.15f, 0, {0, 1, 2, 3}},       // off
      {1, 0.6f, 0, {0, 1, 2, 3}},        // off
  };
  for (const Row& row : rows) {
    Candidates candidates = of_probabilities(p);
    apply_xtc(candidates, row.probability, row.threshold, row.draw);
    EXPECT_EQ(ids_of(candidates), row.left) << row.probability << " " << row.threshold;
  }
  Candidates candidates = of_probabilities(p);
  apply_xtc(candidates, 1, 0.15f, 0, 3);  // would leave two
  EXPECT_EQ(candidates.size(), 4u);
}

TEST(Stages, MinPKeepsTheBestOne) {
  Candidates candidates = of_logits({1, 3, 3, 2.9f});
  apply_min_p(candidates, 1);
  EXPECT_EQ(ids_of(candidates), (std::vector<int32_t>{1, 2}));
}

TEST(Stages, TinyTemperatureStaysFinite) {
  Candidates candidates = of_logits({1e20f, 2e20f, -1e20f});
  apply_temperature(candidates, 1e-25f);
  EXPECT_EQ(candidates.softmax().probability(candidates.items()[1].logit), 1);
  for (const Candidate& c : candidates.items()) EXPECT_TRUE(std::isfinite(c.logit)) << c.id;
}

}  // namespace
}  // namespace braid
