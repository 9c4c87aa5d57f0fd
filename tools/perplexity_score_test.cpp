#include "tools/perplexity_score.h"

#include "tools/progress.h"
#include "tools/units.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace braid {
namespace {

TEST(Loss, IsMinusTheLogOfTheProbability) {
  const std::vector<float> logits = {1, 2, 3, 4};
  const double sum = std::exp(1.0) + std::exp(2.0) + std::exp(3.0) + std::exp(4.0);
  EXPECT_NEAR(loss_of(logits, 1), -std::log(std::exp(2.0) / sum), 1e-14);
  const std::vector<float> even(1000, -7.5f);
  EXPECT_NEAR(loss_of(even, 999), std::log(1000.0), 1e-12);
}

TEST(Loss, LargeLogitsDoNotOverflow) {
  EXPECT_NEAR(loss_of(std::vector<float>{3e38f, 3e38f}, 0), std::log(2.0), 1e-12);
  EXPECT_NEAR(loss_of(std::vector<float>{-3e38f, -3e38f}, 1), std::log(2.0), 1e-12);
  EXPECT_NEAR(loss_of(std::vector<float>{100, -1000}, 1), 1100, 1e-9);
}

TEST(Loss, NotANumberIsSeenWhereverItStands) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(loss_of(std::vector<float>{nan, 1, 2}, 1)));
  EXPECT_TRUE(std::isnan(loss_of(std::vector<float>{1, 2, nan}, 0)));
}

TEST(Estimate, MeanAndStandardError) {
  PerplexityEstimate e;
  for (const double loss : {1.0, 2.0, 3.0}) e.add(loss);
  EXPECT_EQ(e.count(), 3);
  EXPECT_NEAR(e.value(), std::exp(2.0), 1e-12);
  EXPECT_NEAR(e.error(), std::exp(2.0) * std::sqrt(2.0 / 3 / 2), 1e-12);
}

TEST(Estimate, OnePredictionHasNoError) {
  PerplexityEstimate e;
  e.add(2);
  EXPECT_EQ(e.error(), 0);
}

TEST(Chunks, TheSecondHalfIsScoredButTheLastId) {
  const Chunks even{512}, odd{7};
  EXPECT_EQ(even.first_scored(), 256);
  EXPECT_EQ(even.scored(), 255);  // positions 256 .. 510
  EXPECT_EQ(odd.first_scored(), 3);
  EXPECT_EQ(odd.scored(), 3);  // positions 3, 4, 5
}

// Whatever the limits: pieces cover all rows once, obey the limits, and score each position once.
TEST(Chunks, PiecesCoverAChunk) {
  for (const int64_t size : {4, 5, 7, 16, 129})
    for (const int64_t rows : {1, 2, 3, 15, 16, 64, 1000})
      for (const int64_t scored : {1, 2, 7, 64, 1000}) {
        const Chunks chunks{size};
        int64_t position = 0, all_scored = 0, pieces = 0;
        while (position < chunks.rows()) {
          const Chunks::Piece piece = chunks.piece(position, rows, scored);
          ASSERT_GE(piece.rows, 1);
          ASSERT_LE(piece.rows, rows);
          ASSERT_LE(piece.scored, scored);
          position += piece.rows;
          ASSERT_EQ(piece.scored,
                    std::min(piece.rows, std::max<int64_t>(position - chunks.first_scored(), 0)));
          all_scored += piece.scored;
          ++pieces;
        }
        EXPECT_EQ(position, chunks.rows());
        EXPECT_EQ(all_scored, chunks.scored());
        EXPECT_TRUE(pieces == 1 || rows < size || scored < size) << pieces;
      }
}

TEST(Units, AsPeopleReadThem) {
  EXPECT_EQ(bytes_text(1023), "1023 B");
  EXPECT_EQ(bytes_text(1536), "1.50 KiB");
  EXPECT_EQ(bytes_text(size_t{3} << 40), "3.00 TiB");
  EXPECT_EQ(count_text(0), "0");
  EXPECT_EQ(count_text(999), "999");
  EXPECT_EQ(count_text(1234567), "1,234,567");
  EXPECT_EQ(count_text(-123456), "-123,456");
  EXPECT_EQ(duration_text(9.94), "9.9 s");
  EXPECT_EQ(duration_text(200), "3 min 20 s");
  EXPECT_EQ(duration_text(7261), "2 h 1 min");
}

TEST(Progress, SaysRateAndRest) {
  EXPECT_EQ(progress_text(0, 100, "tokens", 0), "0 of 100 tokens");
  EXPECT_EQ(progress_text(50, 150, "tokens", 5), "50 of 150 tokens, 10.0 tokens/s, 10 s left");
  EXPECT_EQ(progress_text(50, 150, "MiB loaded", 5), "50 of 150 MiB loaded, 10.0 MiB/s, 10 s left");
}

}  // namespace
}  // namespace braid
