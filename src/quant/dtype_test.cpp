#include "quant/dtype.h"

#include "base/check.h"
#include "quant/iq_grids.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <ostream>
#include <set>
#include <sstream>
#include <vector>

namespace braid {

// How gtest and ctest print a parameter.
static void PrintTo(const DTypeInfo& type, std::ostream* out) { *out << type.name; }

namespace {

// What another program made of some blocks: scripts/make_quant_vectors.py.
struct Vectors {
  int64_t blocks = 0;
  int block = 0, block_bytes = 0;
  std::vector<std::byte> bytes;
  std::vector<float> weights;
};

const std::map<std::string, Vectors, std::less<>>& all_vectors() {
  static const auto loaded = [] {
    std::map<std::string, Vectors, std::less<>> result;
    const std::string folder = BRAID_TEST_DATA "/quant/";
    std::ifstream index(folder + "index.txt");
    for (std::string line; std::getline(index, line);) {
      if (line.starts_with('#')) continue;
      std::string name;
      Vectors v;
      std::istringstream(line) >> name >> v.blocks >> v.block >> v.block_bytes;
      v.bytes.resize(static_cast<size_t>(v.blocks * v.block_bytes));
      v.weights.resize(static_cast<size_t>(v.blocks * v.block));
      std::ifstream file(folder + name + ".bin", std::ios::binary);
      file.read(reinterpret_cast<char*>(v.bytes.data()),
                static_cast<std::streamsize>(v.bytes.size()));
      file.read(reinterpret_cast<char*>(v.weights.data()),
                static_cast<std::streamsize>(v.weights.size() * sizeof(float)));
      const bool whole = file.good() && file.peek() == std::ifstream::traits_type::eof();
      if (!whole) fail("{}{}.bin does not have the size that index.txt tells", folder, name);
      result.emplace(name, std::move(v));
    }
    return result;
  }();
  return loaded;
}

const Vectors& vectors_of(const DTypeInfo& type) {
  const auto found = all_vectors().find(type.name);
  if (found == all_vectors().end()) {
    fail("{} has no vectors in tests/data/quant; add it to scripts/make_quant_vectors.py",
         type.name);
  }
  return found->second;
}

// Every NaN is equal to every other: which one comes out is not part of a format.
bool same(float a, float b) {
  return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}

int64_t first_difference(std::span<const float> a, std::span<const float> b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (!same(a[i], b[i])) return static_cast<int64_t>(i);
  }
  return -1;
}

std::vector<DTypeInfo> weight_types() {
  std::vector<DTypeInfo> result;
  for (const DTypeInfo& type : all_dtypes()) {
    if (type.weights) result.push_back(type);
  }
  return result;
}

class EveryType : public testing::TestWithParam<DTypeInfo> {};

INSTANTIATE_TEST_SUITE_P(Decode, EveryType, testing::ValuesIn(weight_types()),
                         [](const auto& test) { return std::string(test.param.name); });

// All bits, in one row of all blocks. No tolerance: see quant/block.h.
TEST_P(EveryType, EqualsTheReference) {
  const DTypeInfo& type = GetParam();
  const Vectors& v = vectors_of(type);
  ASSERT_EQ(v.block, type.block);
  ASSERT_EQ(v.block_bytes, type.block_bytes);
  ASSERT_GE(v.blocks, 10);
  ASSERT_EQ(row_bytes(type.type, v.blocks * v.block), v.bytes.size());
  std::vector<float> out(v.weights.size() + 1, 12345.0f);
  decode_row(type.type, v.bytes.data(), v.blocks * v.block, out.data());
  EXPECT_EQ(out.back(), 12345.0f) << "written past the row";
  out.pop_back();
  const int64_t i = first_difference(out, v.weights);
  EXPECT_EQ(i, -1) << "block " << i / v.block << ", weight " << i % v.block << ": "
                   << out[static_cast<size_t>(i)] << ", expected "
                   << v.weights[static_cast<size_t>(i)];
}

TEST_P(EveryType, DecodesRowsAtAnyAddressAndOfAnyLength) {
  const DTypeInfo& type = GetParam();
  const Vectors& v = vectors_of(type);
  for (size_t offset = 0; offset < 8; ++offset) {
    std::vector<std::byte> moved(offset + v.bytes.size());
    std::memcpy(moved.data() + offset, v.bytes.data(), v.bytes.size());
    for (int64_t blocks = 0; blocks < 4; ++blocks) {
      const auto n = static_cast<size_t>(blocks * v.block);
      std::vector<float> out(n);
      decode_row(type.type, moved.data() + offset, blocks * v.block, out.data());
      ASSERT_EQ(first_difference(out, std::span(v.weights).first(n)), -1) << offset;
    }
  }
}

// Vectors that leave a bit of the block without effect would let a decoder ignore it.
TEST_P(EveryType, TheVectorsDependOnEveryBit) {
  const DTypeInfo& type = GetParam();
  const Vectors& v = vectors_of(type);
  std::vector<float> out(static_cast<size_t>(v.block));
  for (int bit = 0; bit < 8 * v.block_bytes; ++bit) {
    bool seen = false;
    for (int64_t b = 0; b < v.blocks && !seen; ++b) {
      const std::byte* block = v.bytes.data() + b * v.block_bytes;
      std::vector<std::byte> flipped(block, block + v.block_bytes);
      flipped[static_cast<size_t>(bit / 8)] ^= std::byte{1} << (bit % 8);
      decode_row(type.type, flipped.data(), v.block, out.data());
      const auto first = static_cast<size_t>(b * v.block);
      seen = first_difference(out, std::span(v.weights).subspan(first, out.size())) != -1;
    }
    ASSERT_TRUE(seen) << "bit " << bit % 8 << " of byte " << bit / 8;
  }
}

TEST_P(EveryType, RefusesPartsOfABlock) {
  const DTypeInfo& type = GetParam();
  std::vector<std::byte> block(static_cast<size_t>(type.block_bytes));
  std::vector<float> out(static_cast<size_t>(type.block));
  EXPECT_THROW(decode_row(type.type, block.data(), -type.block, out.data()), InternalError);
  if (type.block == 1) return;
  EXPECT_THROW(decode_row(type.type, block.data(), type.block - 1, out.data()), InternalError);
}

TEST(DType, EveryVectorFileBelongsToAType) {
  std::set<std::string_view> names;
  for (const DTypeInfo& type : weight_types()) names.insert(type.name);
  for (const auto& [name, vectors] : all_vectors()) EXPECT_TRUE(names.contains(name)) << name;
}

TEST(DType, TheOthersHoldNoWeights) {
  const std::byte bytes[8] = {};
  float out = 0;
  for (const DTypeInfo& type : all_dtypes()) {
    if (type.weights) continue;
    EXPECT_THROW(decode_row(type.type, bytes, 1, &out), InternalError) << type.name;
  }
}

TEST(DType, TheListIsConsistent) {
  std::set<int64_t> ids;
  std::set<std::string_view> names;
  size_t index = 0;
  for (const DTypeInfo& type : all_dtypes()) {
    EXPECT_EQ(static_cast<size_t>(type.type), index++);
    EXPECT_EQ(&info(type.type), &type);
    EXPECT_TRUE(ids.insert(type.gguf_id).second) << type.gguf_id;
    EXPECT_TRUE(names.insert(type.name).second) << type.name;
    EXPECT_EQ(dtype_from_gguf(type.gguf_id), type.type);
    EXPECT_EQ(row_bytes(type.type, int64_t{3} * type.block), 3u * type.block_bytes);
  }
  EXPECT_EQ(info(DType::Q4_K).name, "Q4_K");
  EXPECT_EQ(dtype_from_gguf(30), DType::BF16);
  EXPECT_THROW(info(static_cast<DType>(index)), InternalError);
  float out = 0;
  EXPECT_THROW(decode_row(static_cast<DType>(index), nullptr, 0, &out), InternalError);
}

TEST(DType, RefusesOtherIdsByName) {
  const std::map<int64_t, std::string> expected = {
      {4, "Q4_2 (4), a type that GGUF no longer has: use a newer file of the model"},
      {9, "Q8_1 (9), a type of activations that no model file holds: the file is damaged"},
      {34, "TQ1_0 (34), a type that Braid does not read yet: use a file of another type"},
      {36,
       "IQ4_NL_4_4, or I2_S of BitNet (36), a type that GGUF no longer has: use a newer file of "
       "the model"},
      {138,
       "IQ3_K (138), a type of ik_llama.cpp that Braid does not read yet: use a file of "
       "another type"},
      {212, "Q4_K_R4 (212), a repacked type of ik_llama.cpp: use the file it was made from"},
      {77, "type 77, which Braid does not know: the file is damaged or newer than Braid"},
      {-1, "type -1, which Braid does not know: the file is damaged or newer than Braid"},
  };
  for (const auto& [id, text] : expected) {
    EXPECT_EQ(dtype_from_gguf(id), std::nullopt) << id;
    EXPECT_EQ(describe_refused_gguf_type(id), text);
  }
  EXPECT_EQ(describe_refused_gguf_type(12), "Q4_K (12)");
}

// Ids that programs have given to types, whether Braid reads them or not.
constexpr struct {
  int first, last;
} kKnownIds[] = {{0, 42},    {97, 99},   {133, 158}, {202, 202}, {206, 206},
                 {208, 208}, {210, 214}, {216, 223}, {229, 230}, {233, 233},
                 {335, 335}, {337, 340}, {344, 344}, {352, 353}, {397, 399}};

TEST(DType, EveryKnownIdHasAName) {
  std::set<std::string> texts;
  int64_t next = -2;
  for (const auto [first, last] : kKnownIds) {
    for (; next < first; ++next) {
      const std::string text = describe_refused_gguf_type(next);
      EXPECT_TRUE(text.starts_with("type ")) << text;
    }
    for (; next <= last; ++next) {
      const std::string text = describe_refused_gguf_type(next);
      EXPECT_FALSE(text.starts_with("type ")) << text;
      EXPECT_NE(text.find(fmt::format(" ({})", next)), text.npos) << text;
      EXPECT_TRUE(texts.insert(text.substr(0, text.find(" ("))).second) << text;
    }
  }
}

TEST(DType, TakesIdsOfAllWidths) {
  // Ids that a narrower type would take for F32 (0).
  for (const int64_t id : {int64_t{1} << 8, int64_t{1} << 32, std::numeric_limits<int64_t>::min(),
                           std::numeric_limits<int64_t>::max()}) {
    EXPECT_EQ(dtype_from_gguf(id), std::nullopt) << id;
    EXPECT_NE(describe_refused_gguf_type(id).find(std::to_string(id)), std::string::npos);
  }
}

template <size_t n>
void expect_distinct_codes(const uint16_t (&grid)[n], int bits, int codes, int most) {
  std::set<uint16_t> entries(std::begin(grid), std::end(grid));
  EXPECT_EQ(entries.size(), n);
  for (const uint16_t entry : entries) {
    EXPECT_EQ(entry >> (bits * codes), 0);
    for (int i = 0; i < codes; ++i) EXPECT_LE((entry >> (bits * i)) & ((1 << bits) - 1), most);
  }
}

TEST(IqGrids, HoldDistinctEntriesOfValidCodes) {
  expect_distinct_codes(kIq2XxsGrid, 2, 8, 2);
  expect_distinct_codes(kIq2XsGrid, 2, 8, 2);
  expect_distinct_codes(kIq2SGrid, 2, 8, 2);
  expect_distinct_codes(kIq3XxsGrid, 3, 4, 7);
  expect_distinct_codes(kIq3SGrid, 3, 4, 7);
  expect_distinct_codes(kIq1Grid, 2, 8, 2);
}

}  // namespace
}  // namespace braid
