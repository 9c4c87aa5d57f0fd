#include "base/half.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>

namespace braid {
namespace {

TEST(Half, EveryF16SurvivesTheWayThroughF32) {
  for (uint32_t i = 0; i < 0x10000u; ++i) {
    const uint16_t bits = static_cast<uint16_t>(i);
    const float value = f32_from_f16(bits);
    ASSERT_EQ(std::bit_cast<uint32_t>(value),
              std::bit_cast<uint32_t>(portable::f32_from_f16(bits)));
    if (std::isnan(value)) continue;
    ASSERT_EQ(f16_from_f32(value), bits);
  }
  EXPECT_EQ(f32_from_f16(0x3c00), 1.0f);
  EXPECT_EQ(f32_from_f16(0x0001), 0x1p-24f);
  EXPECT_EQ(f32_from_f16(0xfbff), -65504.0f);
}

TEST(Half, ThePortableF16RoundsAsTheCompilerDoes) {
  for (uint32_t f16 = 0; f16 < 0x8000u; ++f16) {
    // Every f16 from both sides of the middle to the next, and the middle itself.
    const uint32_t exact = std::bit_cast<uint32_t>(f32_from_f16(static_cast<uint16_t>(f16)));
    for (const uint32_t step : {0u, 1u, 0xfffu, 0x1000u, 0x1001u, 0x1fffu}) {
      for (const uint32_t sign : {0u, 0x80000000u}) {
        const float value = std::bit_cast<float>((exact + step) | sign);
        ASSERT_EQ(portable::f16_from_f32(value), f16_from_f32(value)) << std::hex << exact + step;
      }
    }
  }
  for (uint64_t i = 0; i < (1ull << 32); i += 4099) {
    const float value = std::bit_cast<float>(static_cast<uint32_t>(i));
    ASSERT_EQ(portable::f16_from_f32(value), f16_from_f32(value)) << std::hex << i;
  }
}

TEST(Half, Bf16RoundsToNearestEven) {
  EXPECT_EQ(bf16_from_f32(1.0f), 0x3f80);
  EXPECT_EQ(bf16_from_f32(std::bit_cast<float>(0x3f808000u)), 0x3f80);
  EXPECT_EQ(bf16_from_f32(std::bit_cast<float>(0x3f818000u)), 0x3f82);
  EXPECT_EQ(bf16_from_f32(std::bit_cast<float>(0x3f808001u)), 0x3f81);
  EXPECT_TRUE(std::isnan(f32_from_bf16(bf16_from_f32(std::bit_cast<float>(0x7f800001u)))));
  EXPECT_EQ(f32_from_bf16(0xc040), -3.0f);
}

}  // namespace
}  // namespace braid
