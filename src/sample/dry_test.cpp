#include "sample/dry.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "sample/test_vocabulary.h"

namespace braid {
namespace {

const std::vector<std::string> kTokens = {"a", "b", "c", "y", "\n", "x\n", "<", "br", ">"};
enum : int32_t { a, b, c, y, kLine, kTextLine, kOpen, kBr, kClose };

// By how much each token's logit of 0 falls.
std::map<int32_t, float> penalties(const std::vector<int32_t>& history, SamplerOptions options) {
  options.dry_multiplier = 1;
  const SamplerVocabulary vocabulary = vocabulary_of(kTokens);
  BreakerTracker breakers(options.dry_sequence_breakers, vocabulary.bytes);
  for (size_t n = 1; n <= history.size(); ++n) breakers.accept(std::span(history).first(n));
  Candidates candidates;
  candidates.assign(std::vector<float>(kTokens.size(), 0));
  std::vector<int32_t> by_token(kTokens.size(), 0);
  DryScratch scratch;
  apply_dry(candidates, history, breakers, options, by_token, scratch);
  EXPECT_EQ(by_token, std::vector<int32_t>(kTokens.size(), 0));
  std::map<int32_t, float> result;
  for (const Candidate& candidate : candidates.items()) {
    if (candidate.logit != 0) result[candidate.id] = -candidate.logit;
  }
  return result;
}

using Result = std::map<int32_t, float>;

TEST(Dry, LongestRepeatOfEachToken) {
  SamplerOptions options;
  options.dry_base = 2;
  options.dry_allowed_length = 1;
  // c would lengthen "a b c", b the "c", y the "b c".
  const std::vector<int32_t> history = {a, b, c, c, b, c, y, a, b, c};
  EXPECT_EQ(penalties(history, options), (Result{{c, 4}, {b, 1}, {y, 2}}));
  options.dry_allowed_length = 3;
  EXPECT_EQ(penalties(history, options), (Result{{c, 1}}));
  options.dry_allowed_length = 4;
  EXPECT_EQ(penalties(history, options), Result{});
}

TEST(Dry, Window) {
  SamplerOptions options;
  options.dry_base = 2;
  options.dry_allowed_length = 1;
  const std::vector<int32_t> history = {a, b, c, c, b, c, y, a, b, c};
  options.dry_penalty_last_n = 6;  // b c y a b c
  EXPECT_EQ(penalties(history, options), (Result{{y, 2}}));
  options.dry_penalty_last_n = 4;  // y a b c
  EXPECT_EQ(penalties(history, options), Result{});
}

TEST(Dry, BreakersCutRepeats) {
  SamplerOptions options;
  options.dry_base = 2;
  options.dry_allowed_length = 1;
  EXPECT_EQ(penalties({a, kLine, b, c, a, kLine, b}, options), (Result{{c, 1}}));
  EXPECT_EQ(penalties({a, kTextLine, b, c, a, kTextLine, b}, options), (Result{{c, 1}}));
  EXPECT_EQ(penalties({a, kLine, b, c, a, kLine}, options), Result{});
  // A token with a breaker in it goes free.
  EXPECT_EQ(penalties({a, b, kLine, a, b}, options), Result{});
  EXPECT_EQ(penalties({a, b, kTextLine, a, b}, options), Result{});
  options.dry_sequence_breakers = {};
  EXPECT_EQ(penalties({a, kLine, b, c, a, kLine, b}, options), (Result{{c, 4}}));
  EXPECT_EQ(penalties({a, b, kLine, a, b}, options), (Result{{kLine, 2}}));
}

TEST(Dry, ABreakerOfSeveralTokens) {
  SamplerOptions options;
  options.dry_base = 2;
  options.dry_allowed_length = 1;
  options.dry_sequence_breakers = {"<br>"};
  const std::vector<int32_t> history = {a, kOpen, kBr, kClose, b, c, a, kOpen, kBr, kClose, b};
  EXPECT_EQ(penalties(history, options), (Result{{c, 1}}));
  // Its parts alone break nothing.
  const std::vector<int32_t> parts = {a, kOpen, kClose, b, c, a, kOpen, kClose, b};
  EXPECT_EQ(penalties(parts, options), (Result{{c, 8}}));
}

TEST(Dry, ALongRepeatStaysFinite) {
  SamplerOptions options;
  options.dry_base = 4;
  const Result result = penalties(std::vector<int32_t>(2000, a), options);
  ASSERT_EQ(result.size(), 1u);
  EXPECT_EQ(result.at(a), 1e30f);
}

TEST(Dry, TrackerAgreesWithTheJoinedText) {
  std::mt19937 random(11);
  const std::vector<std::string> tokens = {"a", "b", "ab", "", "ba", "aab", "bb"};
  const std::vector<std::string> breakers = {"abba", "bbb"};
  const SamplerVocabulary vocabulary = vocabulary_of(tokens);
  for (int round = 0; round < 300; ++round) {
    BreakerTracker tracker(breakers, vocabulary.bytes);
    std::vector<int32_t> history;
    std::string text;
    std::vector<bool> ends;
    for (int n = 0; n < 30; ++n) {
      history.push_back(static_cast<int32_t>(random() % tokens.size()));
      const size_t before = text.size();
      text += tokens[static_cast<size_t>(history.back())];
      bool found = false;
      for (size_t end = before + 1; end <= text.size(); ++end) {
        for (const std::string& breaker : breakers) {
          found |= std::string_view(text).substr(0, end).ends_with(breaker);
        }
      }
      ends.push_back(found);
      tracker.accept(history);
      const auto last = std::find(ends.rbegin(), ends.rend(), true);
      ASSERT_EQ(tracker.tokens_since(1000), static_cast<size_t>(last - ends.rbegin())) << text;
    }
  }
}

}  // namespace
}  // namespace braid
