// Products of packed matrices on every instruction set, against the file's own decoder and the
// inputs that the tiles really hold: no difference but the rounding of f32 sums.
#include "device/cpu/matrix.h"

#include "device/cpu/cpu_device.h"
#include "device/cpu/pack.h"
#include "device/ops_test_support.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace braid::cpu {
namespace {

using ops_test::decoded;
using ops_test::normals;
using ops_test::RandomFile;

struct Packed {
  Packed(const Kernels& k, const FileMatrix& file, int64_t group_rows = 0)
      : m(describe(k, file, group_rows)) {
    m.type = packed_type(file);
    m.strip_bytes = strip_bytes(m.type, file.cols);
    strips.resize(static_cast<size_t>(m.strip_count()) * m.strip_bytes);
    pack_strips(m, 0, m.strip_count(), strips.data());
    m.strips = strips.data();
  }
  Matrix m;
  std::vector<std::byte> strips;
};

struct Rows {
  Rows(const Kernels& k, const Matrix& m, int rows)
      : values(normals(5, rows * m.cols())),
        quantised(Inputs::quantised_bytes(m.cols()) * static_cast<size_t>(rows)),
        plain(static_cast<size_t>(rows * m.cols())) {
    const InputForms forms = InputForms().with(m);
    in = {forms.quantised ? quantised.data() : nullptr, forms.plain ? plain.data() : nullptr, rows,
          m.cols()};
    for (int r = 0; r < rows; ++r) in.put(k, r, values.data() + r * m.cols());
  }
  // What row r of the tiles stands for.
  double at(int r, int64_t k) const {
    const int t = in.tiling().tile_of(r), y = r - in.tiling().first(t);
    const Inputs tile = in.tile(t);
    if (!in.quantised) return double{tile.plain[k * tile.rows + y]};
    const TileView v = tile_view(tile.quantised + k / kSubCols * tile.rows * kTileBytes, tile.rows);
    return static_cast<double>(v.q[kSubCols * y + k % kSubCols]) * double{v.scale[y]};
  }
  std::vector<float> values;
  std::vector<uint8_t> quantised;
  std::vector<float> plain;
  Inputs in;
};

void expect_products(const Packed& packed, const Rows& rows, int64_t begin, int64_t end,
                     const std::string& what) {
  const Matrix& m = packed.m;
  const std::vector<float> w = decoded(m.file);
  std::vector<float> out(static_cast<size_t>(rows.in.rows * (end - begin)), -1);
  Counters counters;
  multiply(m, begin, end, rows.in, out.data(), end - begin, &counters);
  EXPECT_EQ(counters.weight_bytes,
            static_cast<uint64_t>(end - begin) * row_bytes(m.file.dtype, m.cols()));
  double worst = 0;
  for (int r = 0; r < rows.in.rows; ++r)
    for (int64_t n = begin; n < end; ++n) {
      double sum = 0, size = 0;
      for (int64_t k = 0; k < m.cols(); ++k) {
        const double product = double{w[static_cast<size_t>(n * m.cols() + k)]} * rows.at(r, k);
        sum += product;
        size += product * product;
      }
      const double got = double{out[static_cast<size_t>(r * (end - begin) + n - begin)]};
      worst = std::max(worst, std::fabs(sum - got) / (std::sqrt(size) + 1e-30));
    }
  EXPECT_LT(worst, 4e-6) << what;
}

// Sets that add products in 16 bits: inputs are bounded there, and their scales for fewer columns.
bool narrow(const std::string& isa) { return isa == "avx2" || isa == "avx512"; }
int64_t scale_subs(const std::string& isa) { return narrow(isa) ? 2 : kScaleSubs; }

class Isa : public testing::TestWithParam<std::string> {};

TEST_P(Isa, EveryTypeAndNumberOfRows) {
  const Kernels k = kernels_of(GetParam());
  for (const DTypeInfo& t : all_dtypes()) {
    if (!t.weights) continue;
    RandomFile random(3);
    const int64_t cols = t.block == 256 ? 512 : t.block == 1 ? 77 : 320;
    const Packed packed(k, random.matrix(t.type, 37, cols));
    for (int rows : {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 25}) {
      const std::string what = fmt::format("{} {}, {} rows", GetParam(), t.name, rows);
      const Rows input(k, packed.m, rows);
      expect_products(packed, input, 0, 37, what);
      if (rows == 13) expect_products(packed, input, 5, 34, what + ", from 5 to 34");
    }
  }
}

TEST_P(Isa, GroupsOfRows) {
  const Kernels k = kernels_of(GetParam());
  RandomFile random(4);
  const Packed packed(k, random.matrix(DType::Q4_K, 60, 256), 20);
  EXPECT_EQ(packed.m.strip_count(), 6);
  const Rows input(k, packed.m, 14);
  expect_products(packed, input, 0, 60, "all groups");
  expect_products(packed, input, 20, 40, "the second group");
  expect_products(packed, input, 39, 42, "the end of one and the start of another");
}

// Blocks of every kind that a type has: each entry of a grid, scales of any size, least and
// largest.
std::vector<std::byte> vector_blocks(const DTypeInfo& type) {
  std::ifstream index(BRAID_TEST_DATA "/quant/index.txt");
  for (std::string line, name; std::getline(index, line);) {
    size_t blocks = 0;
    if (!(std::istringstream(line) >> name >> blocks) || name != type.name) continue;
    std::vector<std::byte> bytes(blocks * static_cast<size_t>(type.block_bytes));
    std::ifstream file(BRAID_TEST_DATA "/quant/" + name + ".bin", std::ios::binary);
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    if (file) return bytes;
  }
  fail("tests/data/quant has no blocks of {}", type.name);
}

// Inputs that are 1 in one column of a sub-block and 0 in the others leave the bits of the weight.
TEST_P(Isa, AWeightIsTheFilesOwn) {
  const Kernels k = kernels_of(GetParam());
  for (const DTypeInfo& t : all_dtypes()) {
    if (!t.weights || t.block == 1) continue;
    const std::vector<std::byte> bytes = vector_blocks(t);
    const auto blocks = static_cast<int64_t>(bytes.size()) / t.block_bytes;
    const FileMatrix file{t.type, t.block, {{bytes.data(), blocks, 1.0f}}};
    const Packed packed(k, file);
    const std::vector<float> want = decoded(file);
    std::vector<uint8_t> tile(Inputs::quantised_bytes(t.block));
    std::vector<float> out(static_cast<size_t>(blocks));
    int finite = 0;
    for (int64_t col = 0; col < t.block; ++col) {
      std::vector<float> x(static_cast<size_t>(t.block), 0.0f);
      x[static_cast<size_t>(col)] = 1;
      k.quantise(x.data(), t.block, tile.data(), 1, 0);
      const TileView v = tile_view(tile.data() + col / kSubCols * kTileBytes, 1);
      const int64_t half = col % kSubCols / 16;
      const_cast<int8_t*>(v.q)[col % kSubCols] = 1;
      const_cast<float*>(v.sum)[0] = 1;
      for (int64_t s = 0; s < Inputs::subs(t.block); ++s)
        const_cast<float*>(tile_view(tile.data() + s * kTileBytes, 1).scale)[0] = 1;
      const_cast<int32_t*>(v.less)[0] = const_cast<int32_t*>(v.less16)[half] = -128;
      const_cast<float*>(v.sum16)[half] = 1;
      const int64_t four = col % kSubCols / 8 * 2 + col % 4 / 2;
      if (narrow(GetParam())) const_cast<int16_t*>(v.less4)[four] = -128;
      multiply(packed.m, 0, blocks, {tile.data(), nullptr, 1, t.block}, out.data(), blocks,
               nullptr);
      for (int64_t n = 0; n < blocks; ++n) {
        const float* row = want.data() + n * t.block;
        if (!std::all_of(row, row + t.block, [](float w) { return std::isfinite(w); })) continue;
        ASSERT_EQ(out[static_cast<size_t>(n)], row[col])
            << GetParam() << " " << t.name << ", block " << n << ", column " << col;
        ++finite;
      }
    }
    EXPECT_GT(finite, 4 * t.block) << t.name;
  }
}

// Sums of the largest values and inputs fit whatever holds them on the way.
TEST_P(Isa, LargestProducts) {
  const Kernels k = kernels_of(GetParam()), plain = kernels_of("portable");
  constexpr int kInputs = 12, kSubs = 8;
  for (int type = 0; type < kQuantisedTypes; ++type) {
    const PackedInfo& info = kPackedInfo[type];
    for (int code = 0; code < 1 << info.bits; ++code)
      for (const auto& [input, step] :
           {std::pair{-1.0f, 1u}, {1.0f, 1u}, {-1.0f, 2u}, {1.0f, 2u}}) {
        // Every column has the same code, and so every line the same bytes.
        std::vector<uint8_t> strip(static_cast<size_t>(info.record_bytes()), 0x3c);
        const int nibble = 0x11 * (code & 15), pair = 0x55 * (code >> (info.bits - 2) & 3),
                  bit = 0xff * (code >> 4 & 1);
        for (int line = 0; line < 8 * info.bits; ++line) {
          const int within = line % info.bits;
          const int byte = info.bits == 8                 ? code
                           : info.bits == 2 || within > 3 ? (info.bits == 5 ? bit : pair)
                           : info.bits == 3               ? nibble | 0x88 * (code >> within & 1)
                                                          : nibble;
          std::fill_n(strip.begin() + 64 * line, 64, static_cast<uint8_t>(byte));
        }
        // Where half of them are zero, the others are as large as they get.
        std::vector<float> x(kRecordCols, 0.0f);
        for (size_t i = 0; i < x.size(); i += step) x[i] = input;
        std::vector<uint8_t> tile(static_cast<size_t>(kSubs * kInputs * kTileBytes));
        for (int y = 0; y < kInputs; ++y)
          k.quantise(x.data(), kRecordCols, tile.data(), kInputs, y);
        std::vector<float> got(kInputs * kStripRows), want(kInputs * kStripRows);
        const Course course{strip.data() + strip.size(), -kWeightsAhead};
        k.strip[type][kInputs](strip.data(), kSubs, tile.data(), got.data(), kStripRows, course);
        plain.strip[type][kInputs](strip.data(), kSubs, tile.data(), want.data(), kStripRows,
                                   course);
        for (size_t i = 0; i < got.size(); ++i)
          ASSERT_NEAR(got[i], want[i], 1e-5f * std::fabs(want[i]) + 1e-30f)
              << GetParam() << ", type " << type << ", code " << code << ", inputs " << input
              << " in one of " << step;
      }
  }
}

// A row has the same bits whatever tile it is in.
TEST_P(Isa, TilesDoNotShow) {
  const Kernels k = kernels_of(GetParam());
  for (DType type : {DType::Q4_K, DType::IQ4_XS, DType::Q6_K, DType::Q8_0, DType::IQ1_S,
                     DType::IQ2_XS, DType::NVFP4, DType::BF16, DType::F32}) {
    RandomFile random(6);
    const Packed packed(k, random.matrix(type, 32, 512));
    std::vector<float> alone(32), together(32 * 30);
    const Rows many(k, packed.m, 30);
    multiply(packed.m, 0, 32, many.in, together.data(), 32, nullptr);
    for (int r = 0; r < 30; ++r) {
      Rows one(k, packed.m, 1);
      one.in.put(k, 0, many.values.data() + r * 512);
      multiply(packed.m, 0, 32, one.in, alone.data(), 32, nullptr);
      EXPECT_EQ(std::memcmp(alone.data(), together.data() + 32 * r, 32 * sizeof(float)), 0)
          << GetParam() << " " << info(type).name << ", row " << r;
    }
  }
}

TEST_P(Isa, InputsAreRoundedToTheNearestOf255) {
  const Kernels k = kernels_of(GetParam());
  // A group of its own for each case.
  const int64_t subs = scale_subs(GetParam()), group = subs * kSubCols, cols = 2 * group + 6;
  std::vector<float> x(static_cast<size_t>(cols), 0.0f);
  for (size_t i = 0; i < 32; ++i) x[i] = static_cast<float>(i) - 12.5f;
  x[30] = -17.5f;  // two of one sign would be bounded together
  x[31] = 64;
  const auto at = [&](int64_t i) -> float& { return x[static_cast<size_t>(i)]; };
  at(group - 1) = 9.25f;    // in the last sub-block with the first one's scale
  at(group + 40) = 1e-38f;  // no inverse in f32
  at(2 * group) = -3e38f;
  std::vector<uint8_t> tile(Inputs::quantised_bytes(cols));
  k.quantise(x.data(), cols, tile.data(), 1, 0);
  const auto view = [&](int64_t sub) { return tile_view(tile.data() + sub * kTileBytes, 1); };
  const TileView first = view(0), last = view(subs - 1), second = view(subs + 1),
                 third = view(2 * subs);
  EXPECT_EQ(last.scale[0], first.scale[0]);
  EXPECT_NEAR(static_cast<float>(last.q[31]) * last.scale[0], 9.25f, 64.0f / 254 + 1e-6f);
  int sum = 0;
  for (size_t i = 0; i < 32; ++i) {
    sum += first.q[i];
    EXPECT_NEAR(static_cast<float>(first.q[i]) * first.scale[0], x[i], 64.0f / 254 + 1e-6f) << i;
    EXPECT_EQ(second.q[i], 0);
    EXPECT_EQ(third.q[i], i == 0 ? -127 : 0);
  }
  EXPECT_EQ(first.q[31], 127);
  EXPECT_EQ(first.less[0], -128 * sum);
  EXPECT_EQ(first.less16[0] + first.less16[1], first.less[0]);
  EXPECT_FLOAT_EQ(first.sum[0], first.scale[0] * static_cast<float>(sum));
}

// Sets without a dot instruction add products in 16 bits: the sizes of four inputs come to 255 at
// most, the sum of two neighbours to 128, and no scale is coarser than that wants.
TEST_P(Isa, InputsFitTheirSums) {
  const Kernels k = kernels_of(GetParam());
  const int64_t subs = scale_subs(GetParam()), group = subs * kSubCols;
  std::vector<uint8_t> tile(Inputs::quantised_bytes(group));
  int crowded = 0;
  for (unsigned seed = 0; seed < 400; ++seed) {
    std::vector<float> x = normals(seed, group);
    if (seed % 2)
      for (float& v : x) v = v * v * v;
    k.quantise(x.data(), group, tile.data(), 1, 0);
    int four = 0, two = 0, one = 0;
    for (int64_t s = 0; s < subs; ++s) {
      const TileView view = tile_view(tile.data() + s * kTileBytes, 1);
      for (int i = 0; i < kSubCols; i += i % 4 == 2 ? 6 : 2) {
        const int a = view.q[i], b = view.q[i + 1], c = view.q[i + 4], d = view.q[i + 5];
        four = std::max(four, std::abs(a) + std::abs(b) + std::abs(c) + std::abs(d));
        two = std::max({two, std::abs(a + b), std::abs(c + d)});
        one = std::max({one, std::abs(a), std::abs(b), std::abs(c), std::abs(d)});
        if (narrow(GetParam())) {
          EXPECT_EQ(view.less4[i / 8 * 2 + i % 4 / 2], -128 * (a + b + c + d));
        }
      }
    }
    crowded += four > 255 || two > 128;
    EXPECT_TRUE(one == 127 || (narrow(GetParam()) && (four >= 251 || two >= 126)))
        << one << " " << two << " " << four;
  }
  if (narrow(GetParam()))
    EXPECT_EQ(crowded, 0);
  else
    EXPECT_GT(crowded, 40);
}

INSTANTIATE_TEST_SUITE_P(, Isa, testing::ValuesIn(usable_isas()));

// An f32 matrix that holds bf16 values alone loses nothing as bf16.
TEST(PackedType, F32OfBf16ValuesIsKeptAsBf16) {
  std::vector<float> values = {1.0f, -0.5f, 3.0f, 0x1.8p100f};
  FileMatrix m{DType::F32, 2, {{reinterpret_cast<const std::byte*>(values.data()), 2, 1.0f}}};
  EXPECT_EQ(packed_type(m), PackedType::kBF16);
  values[3] = 1.0f + 0x1p-10f;
  EXPECT_EQ(packed_type(m), PackedType::kF32);
}

TEST(PackedInfo, SizesArePinned) {
  const auto bits = [](PackedType t) {
    return kPackedInfo[static_cast<int>(t)].record_bytes() * 8.0 / (kStripRows * kRecordCols);
  };
  EXPECT_EQ(bits(PackedType::Q4_K), 4.5);
  EXPECT_EQ(bits(PackedType::IQ4_XS), 4.25);
  EXPECT_EQ(bits(PackedType::Q8_0), 8.5);
  EXPECT_EQ(bits(PackedType::Q6_K), 6.625);
  EXPECT_EQ(bits(PackedType::IQ1_S), 2.25);
  EXPECT_EQ(bits(PackedType::IQ1_M), 3.375);
  EXPECT_EQ(bits(PackedType::IQ2_XXS), 3.25);
  EXPECT_EQ(bits(PackedType::IQ2_S), 3.375);
  EXPECT_EQ(bits(PackedType::IQ3_S), 4.25);
  EXPECT_EQ(bits(PackedType::NVFP4), 4.5);
}

}  // namespace
}  // namespace braid::cpu
