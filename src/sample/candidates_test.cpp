#include "sample/candidates.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>

#include "base/check.h"

namespace braid {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Few different logits, so that many are equal.
std::vector<float> logits_with_ties(std::mt19937& random) {
  std::vector<float> logits(1 + random() % 2000);
  const auto n_values = 1 + random() % 3000;
  for (float& logit : logits) logit = static_cast<float>(random() % n_values);
  return logits;
}

std::vector<int32_t> sorted_ids(const std::vector<float>& logits) {
  std::vector<int32_t> ids(logits.size());
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i);
  std::stable_sort(ids.begin(), ids.end(), [&](int32_t a, int32_t b) {
    return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)];
  });
  return ids;
}

TEST(Candidates, DescendingIsAFullSortHoweverFarItIsAsked) {
  std::mt19937 random(5);
  for (int round = 0; round < 200; ++round) {
    const std::vector<float> logits = logits_with_ties(random);
    const std::vector<int32_t> expected = sorted_ids(logits);
    Candidates candidates;
    candidates.assign(logits);
    EXPECT_EQ(candidates.items()[candidates.best()].id, expected[0]);
    for (size_t i = 0; i < logits.size(); i += 1 + random() % 300) {
      ASSERT_EQ(candidates.descending(i).id, expected[i]) << i << " of " << logits.size();
    }
  }
}

TEST(Candidates, RemovingKeepsTheOrderThatWasFound) {
  std::mt19937 random(6);
  for (int round = 0; round < 200; ++round) {
    const std::vector<float> logits = logits_with_ties(random);
    std::vector<int32_t> expected = sorted_ids(logits);
    Candidates candidates;
    candidates.assign(logits);
    candidates.descending(random() % logits.size());
    const size_t best = 1 + random() % logits.size();
    candidates.keep_best(best);
    expected.resize(best);
    const size_t removed = random() % (best + 1);
    candidates.remove_best(removed);
    expected.erase(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(removed));
    candidates.keep_if([&](size_t i) { return candidates.items()[i].id % 3 != 0; });
    std::erase_if(expected, [](int32_t id) { return id % 3 == 0; });
    ASSERT_EQ(candidates.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i)
      ASSERT_EQ(candidates.descending(i).id, expected[i]);
  }
}

TEST(Candidates, KeepIfAfterAPartialSort) {
  std::vector<float> logits(1000);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>(i);
  Candidates candidates;
  candidates.assign(logits);
  candidates.descending(10);
  candidates.keep_if([&](size_t i) { return candidates.items()[i].id % 10 == 5; });
  for (size_t i = 0; i < 100; ++i) {
    ASSERT_EQ(candidates.descending(i).id, 995 - 10 * static_cast<int32_t>(i));
  }
}

TEST(Candidates, NewLogitsBeginUnsorted) {
  Candidates candidates;
  candidates.assign(std::vector<float>{3, 2, 1});
  candidates.keep_best(2);
  candidates.assign(std::vector<float>{1, 2, 3});
  EXPECT_EQ(candidates.items()[candidates.best()].id, 2);
  EXPECT_EQ(candidates.descending(0).id, 2);
  candidates.change()[0].logit = 9;
  EXPECT_EQ(candidates.descending(0).logit, 9);
}

TEST(Candidates, NotANumberIsNeverSilent) {
  Candidates candidates;
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), kInfinity}) {
    std::vector<float> logits(100, 1.0f);
    logits[37] = bad;
    try {
      candidates.assign(logits);
      ADD_FAILURE() << bad;
    } catch (const InternalError& error) {
      EXPECT_NE(std::string(error.what()).find("token 37 of 100"), std::string::npos);
    }
  }
  candidates.assign(std::vector<float>{1, -kInfinity});  // a ban is none
}

TEST(Candidates, SoftmaxOfHugeLogits) {
  Candidates candidates;
  candidates.assign(std::vector<float>{3e38f, 3e38f, -3e38f});
  const Softmax softmax = candidates.softmax();
  EXPECT_DOUBLE_EQ(softmax.probability(3e38f), 0.5);
  EXPECT_EQ(softmax.probability(-3e38f), 0);
}

}  // namespace
}  // namespace braid
