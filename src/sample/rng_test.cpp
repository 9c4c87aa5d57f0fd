#include "sample/rng.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>

namespace braid {
namespace {

// Chi-square of 256 equally likely cells; beyond 400 once in 10^8 times.
double chi_square(int n, const std::function<uint64_t(int)>& cell) {
  std::array<int, 256> counts{};
  for (int i = 0; i < n; ++i) ++counts[cell(i)];
  double sum = 0;
  const double expected = n / 256.0;
  for (const int count : counts) sum += (count - expected) * (count - expected) / expected;
  return sum;
}

TEST(Rng, SplitMixAsPublished) {
  // The first words for the seed 1234567, as implementations of SplitMix64 in other languages give
  // them.
  const std::array<uint64_t, 5> expected = {6457827717110365317u, 3203168211198807973u,
                                            9817491932198370423u, 4593380528125082431u,
                                            16408922859458223821u};
  for (uint64_t i = 0; i < expected.size(); ++i) EXPECT_EQ(splitmix_word(1234567, i), expected[i]);
}

TEST(Rng, TheSameEverywhere) {
  Draws draws(42, 7);
  const uint64_t start = splitmix_word(42, 7);
  EXPECT_EQ(draws.word(), splitmix_word(start, 0));
  EXPECT_EQ(draws.uniform(),
            static_cast<double>(splitmix_word(start, 1) >> 11) / 9007199254740992.0);
}

TEST(Rng, EvenOverPositionsSeedsAndDraws) {
  const auto cell = [](Draws draws) { return static_cast<uint64_t>(draws.uniform() * 256); };
  EXPECT_LT(chi_square(100000, [&](int i) { return cell(Draws(1, static_cast<uint64_t>(i))); }),
            400);
  EXPECT_LT(chi_square(100000, [&](int i) { return cell(Draws(static_cast<uint64_t>(i), 0)); }),
            400);
  Draws one(3, 3);
  EXPECT_LT(chi_square(100000, [&](int) { return static_cast<uint64_t>(one.uniform() * 256); }),
            400);
  // Pairs of neighbouring positions.
  EXPECT_LT(chi_square(100000,
                       [](int i) {
                         const auto at = static_cast<uint64_t>(i);
                         return (Draws(9, at).word() >> 60) << 4 | Draws(9, at + 1).word() >> 60;
                       }),
            400);
}

TEST(Rng, UniformStaysBelowOne) {
  EXPECT_LT(static_cast<double>(~uint64_t{0} >> 11) * 0x1p-53, 1.0);
}

}  // namespace
}  // namespace braid
