#include "device/cpu/pack_plan.h"

#include "device/cpu/pack.h"
#include "device/cpu/pack_test_support.h"

#include <deque>

namespace braid::cpu {
namespace {

using pack_test::Folder;
using pack_test::WeightFile;

struct Planned {
  explicit Planned(const std::vector<std::pair<FileMatrix, int64_t>>& files)
      : kernels(kernels_of("portable")) {
    for (const auto& [file, group_rows] : files) {
      Matrix& m = matrices.emplace_back(describe(kernels, file, group_rows));
      m.type = packed_type(file);
      m.strip_bytes = strip_bytes(m.type, file.cols);
      plan.add(m);
    }
  }
  Kernels kernels;
  std::deque<Matrix> matrices;
  PackPlan plan;
};

// Strips of all lengths: many to a slice, and longer than one.
class PackPlanTest : public testing::Test {
 protected:
  PackPlanTest() : file_(folder_ / "weights", size_t{24} << 20) {}
  Planned planned() const {
    const std::vector<std::pair<FileMatrix, int64_t>> files = {
        {file_.matrix(DType::Q4_K, 5000, 1024, 0), 0},
        {file_.matrix(DType::Q6_K, 37, 256, size_t{3} << 20), 0},
        {file_.matrix(DType::BF16, 40, 131072, size_t{4} << 20), 0},  // 4 MiB a strip
        {file_.matrix(DType::IQ4_XS, 60, 512, size_t{15} << 20), 20},
        {file_.matrix(DType::Q8_0, 5003, 1024, size_t{16} << 20), 0}};
    return Planned(files);
  }
  static std::vector<std::byte> whole(const Planned& p) {
    std::vector<std::byte> region(p.plan.bytes());
    for (const PackPlan::Part& part : p.plan.parts())
      pack_strips(*part.matrix, 0, part.matrix->strip_count(), region.data() + part.offset);
    return region;
  }

  Folder folder_;
  WeightFile file_;
};

TEST_F(PackPlanTest, SlicesMakeTheWhole) {
  const Planned p = planned();
  EXPECT_GT(p.plan.slices(), 4u);
  const std::vector<std::byte> expected = whole(p);
  std::vector<std::byte> region(p.plan.bytes());
  for (size_t slice = p.plan.slices(); slice-- > 0;) p.plan.pack(slice, region.data());
  EXPECT_TRUE(region == expected);
}

TEST_F(PackPlanTest, ASliceAloneHasTheSameBytes) {
  const Planned p = planned();
  const std::vector<std::byte> expected = whole(p);
  std::vector<std::byte> scratch(100, std::byte{0xff});
  size_t at = 0;
  for (size_t slice = 0; slice < p.plan.slices(); ++slice) {
    const auto bytes = p.plan.pack_alone(slice, scratch);
    ASSERT_EQ(bytes.size(), p.plan.slice_bytes(slice));
    EXPECT_TRUE(
        std::equal(bytes.begin(), bytes.end(), expected.begin() + static_cast<ptrdiff_t>(at)))
        << "slice " << slice;
    at += bytes.size();
  }
  EXPECT_EQ(at, expected.size());
}

// Threads 0 and 1 on one node, 2 and 3 on the other.
TEST_F(PackPlanTest, SlicesLieWhereTheyAreRead) {
  const std::vector<int> nodes = {0, 0, 1, 1};
  Planned p({{file_.matrix(DType::Q8_0, 16384, 1024, 0), 0}});  // 17 MiB
  const auto placed = [&] {
    std::vector<int> of;
    for (size_t slice = 0; slice < p.plan.slices(); ++slice)
      of.push_back(p.plan.node(slice, nodes));
    return of;
  };
  Matrix& m = p.matrices[0];
  EXPECT_EQ(placed(), (std::vector<int>{0, 1, 0, 1, 0})) << "unknown: in turns";
  m.reads = {{16384}};
  EXPECT_EQ(placed(), (std::vector<int>{0, 0, 1, 1, 1}));
  m.reads = {{8192}, {8192}};  // two stretches, each read by all
  EXPECT_EQ(placed(), (std::vector<int>{0, 1, 0, 1, 1}));
  m.reads = {{16384, 0.5, 1}};
  EXPECT_EQ(placed(), (std::vector<int>{1, 1, 1, 1, 1}));
  m.reads = {{4096, 0, 0.25}, {4096, 0.75, 1}};  // again and again
  EXPECT_EQ(placed(), (std::vector<int>{0, 1, 0, 1, 1}));
}

// Each byte of the file is asked for, and given back by at most one slice.
TEST_F(PackPlanTest, SourcesCoverTheFile) {
  const Planned p = planned();
  const size_t total = file_.files()[0].bytes().size();
  std::vector<int> asked(total), own(total);
  const auto add = [&](std::vector<int>& to) {
    return [&](std::span<const std::byte> s) {
      for (size_t i = 0; i < s.size(); ++i) ++to[static_cast<size_t>(s.data() - file_.data()) + i];
    };
  };
  for (size_t slice = 0; slice < p.plan.slices(); ++slice) {
    p.plan.for_sources(slice, add(asked));
    p.plan.for_own_sources(slice, add(own));
  }
  std::vector<int> used(total);
  for (const PackPlan::Part& part : p.plan.parts()) PackPlan::for_sources(part, add(used));
  size_t shared = 0;
  for (size_t i = 0; i < total; ++i) {
    ASSERT_EQ(asked[i] > 0, used[i] > 0) << i;
    ASSERT_LE(own[i], used[i]) << i;
    shared += used[i] > own[i];
  }
  // Strips across ends of slices, of which one type has nothing else.
  EXPECT_LE(shared, p.plan.slices() * strip_bytes(PackedType::Q8_0, 1024) +
                        3 * strip_bytes(PackedType::kBF16, 131072));
}

}  // namespace
}  // namespace braid::cpu
