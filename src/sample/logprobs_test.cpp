#include "sample/logprobs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "sample/test_vocabulary.h"

namespace braid {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(Logprobs, AgainstAFullSort) {
  std::vector<float> logits = random_logits(5000, 3);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = std::round(logits[i] * 8) / 8;  // ties
  long double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<long double>(logit));
  std::vector<TokenLogprob> expected;
  for (size_t i = 0; i < logits.size(); ++i) {
    expected.push_back({static_cast<int32_t>(i),
                        static_cast<double>(static_cast<long double>(logits[i]) - std::log(sum))});
  }
  std::ranges::stable_sort(expected, std::greater(), &TokenLogprob::logprob);
  for (const size_t k : {0, 1, 5, 20, 4999, 5000, 6000}) {
    const std::vector<TokenLogprob> top = top_logprobs(logits, k);
    ASSERT_EQ(top.size(), std::min(k, logits.size()));
    for (size_t i = 0; i < top.size(); ++i) {
      ASSERT_EQ(top[i].id, expected[i].id) << k;
      ASSERT_NEAR(top[i].logprob, expected[i].logprob, 1e-12);
      if (i % 100 == 0) {
        ASSERT_EQ(logprob(logits, top[i].id), top[i].logprob);
      }
    }
  }
}

TEST(Logprobs, HugeLogitsAndBans) {
  const std::vector<float> logits = {1000, 1000, -kInfinity, -1000};
  const std::vector<TokenLogprob> top = top_logprobs(logits, 4);
  EXPECT_DOUBLE_EQ(top[0].logprob, -std::log(2.0));
  EXPECT_EQ(top[1].id, 1);
  EXPECT_EQ(top[3].id, 2);
  EXPECT_EQ(logprob(logits, 2), -kInfinity);
}

TEST(Logprobs, NotANumberIsNeverSilent) {
  EXPECT_THROW(top_logprobs(std::vector<float>{1, std::nanf("")}, 1), InternalError);
  EXPECT_THROW(logprob(std::vector<float>{1, kInfinity}, 0), InternalError);
  EXPECT_THROW(top_logprobs(std::vector<float>{-kInfinity, -kInfinity}, 1), Error);
  EXPECT_THROW(logprob(std::vector<float>{1, 2}, 2), InternalError);
}

}  // namespace
}  // namespace braid
