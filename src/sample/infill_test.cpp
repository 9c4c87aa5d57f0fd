// The rules of infill, one by one.
#include "sample/infill.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>

#include "sample/test_vocabulary.h"

namespace braid {
namespace {

struct Word {
  std::string text;
  double p;
};
using Left = std::map<std::string, double>;

// What is left of the words, by their texts; those in angle brackets are ends.
Left left_of(const std::vector<Word>& words) {
  std::vector<float> logits;
  std::vector<int32_t> ends;
  for (const Word& word : words) {
    if (word.text[0] == '<') ends.push_back(static_cast<int32_t>(logits.size()));
    logits.push_back(word.p > 0 ? static_cast<float>(std::log(word.p)) : -1e9f);
  }
  Candidates candidates;
  candidates.assign(logits);
  candidates.keep_if([&](size_t i) { return words[i].p > 0; });
  InfillScratch scratch;
  const auto text = [&](int32_t id) -> std::string_view {
    return words.at(static_cast<size_t>(id)).text;
  };
  apply_infill(candidates, ends, text, scratch);
  Left left;
  const Softmax softmax = candidates.softmax();
  for (const Candidate& c : candidates.items())
    left[std::string(text(c.id))] = softmax.probability(c.logit);
  return left;
}

void expect(const Left& left, const Left& wanted) {
  ASSERT_EQ(left.size(), wanted.size());
  for (const auto& [text, p] : wanted) {
    ASSERT_TRUE(left.contains(text)) << text;
    EXPECT_NEAR(left.at(text), p, 1e-5) << text;
  }
}

TEST(Infill, AnEndThatIsLikelyEnoughIsTheAnswer) {
  expect(left_of({{"a", 0.5}, {"b", 0.39}, {"<end>", 0.11}}), {{"<end>", 1}});  // 0.99 > 0.89
  expect(left_of({{"a", 0.95}, {"<end>", 0.05}}), {{"a", 0.95}, {"<end>", 0.05}});
  expect(left_of({{"a", 0.8}, {"<end>", 0.15}, {"<other>", 0.05}}),
         {{"<end>", 0.75}, {"<other>", 0.25}});
}

TEST(Infill, WordsThatBeginAlikeCountTogether) {
  expect(left_of({{"hel", 0.3}, {"hell", 0.2}, {"hello", 0.1}, {"dummy", 0.4}}),
         {{"hel", 0.6}, {"dummy", 0.4}});
  expect(left_of({{"hello", 0.5}, {"hel", 0.2}, {"dummy", 0.3}}), {{"hello", 1}});  // 0.3 < 1/3
  expect(left_of({{"lo", 0.5}, {"hello", 0.5}}), {{"lo", 0.5}, {"hello", 0.5}});
}

TEST(Infill, WhatIsUnlikelyGoes) {
  expect(left_of({{"a", 0.79}, {"b", 0.19}, {"<end>", 0.02}}),
         {{"a", 0.79 / 0.81}, {"<end>", 0.02 / 0.81}});
  expect(left_of({{"a", 0.4}, {"b", 0.38}, {"c", 0.22}}), {{"a", 0.4 / 0.78}, {"b", 0.38 / 0.78}});
}

TEST(Infill, WhereNothingIsLikelyTheAnswerEnds) {
  std::vector<Word> words;
  for (const char c : std::string("abcdefgh")) words.push_back({std::string(1, c), 0.124});
  words.push_back({"<end>", 0.008});
  expect(left_of(words), {{"<end>", 1}});
  words.back().p = 0;  // no candidate at all
  words.push_back({"<other>", 0});
  expect(left_of(words), {{"<end>", 1}});
  words.resize(8);
  words[3].p = 0.13;
  expect(left_of(words), {{"d", 1}});
}

TEST(Infill, OfManyTheMostLikelyAreLookedAt) {
  std::vector<Word> words = {{"<end>", 0.0001}};
  for (int i = 0; i < 100'000; ++i) words.push_back({fmt::format("{:05}", i), 1e-8});
  words.push_back({"a", 0.99});
  expect(left_of(words), {{"a", 0.9999}, {"<end>", 0.0001}});
}

TEST(Infill, RunsWhereItIsNamedAndKnowsItsEnds) {
  SamplerOptions options = plain_options();
  options.samplers = samplers_from_names("top_k;infill");
  EXPECT_EQ(options.samplers, samplers_from_letters("ki"));
  EXPECT_EQ(std::ranges::count(default_samplers(), SamplerStage::kInfill), 0);
  options.ends = {9, 8};
  const SamplerVocabulary vocabulary =
      vocabulary_of({"a", "b", "c", "d", "e", "f", "g", "h", "<1>", "<2>"});
  const std::vector<float> logits = {1, 1, 1, 1, 1, 1, 1, 1, -9, -9};
  SampleWorkspace workspace;
  const auto chosen = [&] { return Sampler(options, vocabulary).sample(logits, workspace); };
  options.top_k = 8;
  EXPECT_EQ(chosen(), 9);
  options.logit_bias[9] = -std::numeric_limits<float>::infinity();
  EXPECT_EQ(chosen(), 8);
  options.logit_bias[8] = -std::numeric_limits<float>::infinity();
  EXPECT_EQ(chosen(), 0);
  options.logit_bias.clear();
  options.temperature = 0;
  EXPECT_EQ(chosen(), 0);
}

}  // namespace
}  // namespace braid
