#include "device/ref/kv_row.h"

#include "base/check.h"
#include "device/ops_test_support.h"

#include <gtest/gtest.h>

namespace braid::ref {
namespace {

std::vector<float> round_trip(DType type, const std::vector<double>& values) {
  const auto n = static_cast<int64_t>(values.size());
  std::vector<std::byte> row(row_bytes(type, n));
  std::vector<float> back(values.size());
  write_kv_row(type, values.data(), n, row.data());
  decode_row(type, row.data(), n, back.data());
  return back;
}

TEST(KvRow, KeepsWhatItsTypeKeeps) {
  const std::vector<float> random = ops_test::normals(1, 64);
  const std::vector<double> values(random.begin(), random.end());
  EXPECT_EQ(round_trip(DType::F32, values), random);
  const std::vector<float> f16 = round_trip(DType::F16, values),
                           bf16 = round_trip(DType::BF16, values),
                           q8 = round_trip(DType::Q8_0, values);
  float largest[2] = {};
  for (size_t i = 0; i < 64; ++i) largest[i / 32] = std::max(largest[i / 32], std::fabs(random[i]));
  for (size_t i = 0; i < 64; ++i) {
    EXPECT_NEAR(f16[i], random[i], std::fabs(random[i]) * 0x1p-11f + 0x1p-25f);
    EXPECT_NEAR(bf16[i], random[i], std::fabs(random[i]) * 0x1p-8f);
    EXPECT_NEAR(q8[i], random[i], largest[i / 32] * (0.5f / 127 + 0x1p-11f) * 1.001f);
  }
}

TEST(KvRow, ZerosStayZeros) {
  EXPECT_EQ(round_trip(DType::Q8_0, std::vector<double>(32)), std::vector<float>(32));
}

TEST(KvRow, RefusesOtherTypes) {
  EXPECT_THROW(round_trip(DType::Q4_0, std::vector<double>(32)), InternalError);
}

}  // namespace
}  // namespace braid::ref
