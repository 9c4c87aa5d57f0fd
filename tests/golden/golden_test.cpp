// Whole models against Hugging Face transformers, and the same with one planted error, which must
// fail.
#include "base/check.h"
#include "base/half.h"
#include "device/registry.h"
#include "format/open.h"
#include "tests/golden/golden_case.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <functional>
#include <regex>

namespace braid {
namespace {

const std::vector<GoldenCase>& goldens() {
  static const std::vector<GoldenCase> cases = read_goldens(BRAID_GOLDEN_INDEX);
  return cases;
}

// A checkpoint with some tensors decoded to f32 and altered.
class AlteredFile final : public TensorFile {
 public:
  using Alter = std::function<void(std::vector<float>& values, int64_t columns)>;

  AlteredFile(const TensorFile& file, const std::regex& names, const Alter& alter,
              bool first_only = true)
      : file_(file) {
    path_ = file.path();
    tensors_.assign(file.tensors().begin(), file.tensors().end());
    for (FileTensor& t : tensors_) {
      if (!std::regex_match(t.name, names) || (first_only && altered_ > 0)) continue;
      std::vector<float>& values = values_.emplace_back(static_cast<size_t>(t.elements()));
      decode_row(t.dtype, t.bytes.data(), t.elements(), values.data());
      const std::vector<float> before = values;
      alter(values, t.columns());
      if (values == before) continue;
      t.dtype = DType::F32;
      t.bytes = std::as_bytes(std::span(values));
      ++altered_;
    }
    index();
  }
  const Metadata* metadata() const override { return file_.metadata(); }
  const JsonConfig* config() const override { return file_.config(); }
  int altered() const { return altered_; }

 private:
  const TensorFile& file_;
  std::deque<std::vector<float>> values_;
  int altered_ = 0;
};

// Rows of a matrix in blocks of `block` rows: block i of the result is block order(i) of the
// original.
void reorder(std::vector<float>& values, int64_t columns, int64_t block, int64_t first,
             int64_t blocks, const std::function<int64_t(int64_t)>& order) {
  const std::vector<float> old = values;
  const auto size = static_cast<size_t>(block * columns),
             start = static_cast<size_t>(first * columns);
  for (int64_t i = 0; i < blocks; ++i)
    std::memcpy(values.data() + start + static_cast<size_t>(i) * size,
                old.data() + start + static_cast<size_t>(order(i)) * size, size * sizeof(float));
}

struct Planted {
  const char* name;
  std::regex tensors;  // of both spellings
  std::function<void(const GoldenCase&, std::vector<float>&, int64_t columns)> alter;
};

std::vector<Planted> planted_errors() {
  return {
      // The output gates of the value heads in the other order: tiled for grouped, or with equal
      // heads,
      // turned by one.
      {"head order",
       std::regex(".*(blk\\.0\\.attn_gate\\.weight|layers\\.0\\.linear_attn\\.in_proj_z\\.weight|"
                  "blk\\.0\\.ssm_in\\.weight|layers\\.0\\.linear_attn\\.in_proj_qkvz\\.weight)"),
       [](const GoldenCase& c, std::vector<float>& v, int64_t columns) {
         const int64_t heads = c.value_heads, keys = c.key_heads, ratio = heads / keys,
                       dim = c.gdn_dim;
         const auto rows = static_cast<int64_t>(v.size()) / columns;
         if (rows != heads * dim)  // interleaved: whole key-head groups change places
           return reorder(v, columns, rows / keys, 0, keys,
                          [&](int64_t i) { return (i + 1) % keys; });
         reorder(v, columns, dim, 0, heads, [&](int64_t i) {
           return ratio == 1                         ? (i + 1) % heads
                  : i % keys * ratio + i / keys == i ? (i + 1) % heads
                                                     : i % keys * ratio + i / keys;
         });
       }},
      {"a norm's +1",
       std::regex(".*(blk\\.1\\.attn_norm\\.weight|layers\\.1\\.input_layernorm\\.weight)"),
       [](const GoldenCase&, std::vector<float>& v, int64_t) {
         const bool gguf = std::count_if(v.begin(), v.end(), [](float x) { return x < 0; }) * 4 <
                           static_cast<int64_t>(v.size());
         for (float& x : v)
           x += gguf ? -0.99f : 1.0f;  // -0.99: an all-negative norm is refused at load
         if (gguf)
           for (float& x : v) x = std::max(x, 0.0f);
       }},
      {"q/gate interleave",
       std::regex(".*(blk\\.\\d\\.attn_q\\.weight|layers\\.\\d\\.self_attn\\.q_proj\\.weight|"
                  "blk\\.3\\.attn_qkv\\.weight)"),
       [](const GoldenCase& c, std::vector<float>& v,
          int64_t columns) {  // to all q, then all gates
         reorder(v, columns, c.head_dim, 0, 2 * c.q_heads,
                 [&](int64_t i) { return i < c.q_heads ? 2 * i : 2 * (i - c.q_heads) + 1; });
       }},
      {"order of the conv taps",
       std::regex(".*(blk\\.0\\.ssm_conv1d\\.weight|layers\\.0\\.linear_attn\\.conv1d\\.weight)"),
       [](const GoldenCase&, std::vector<float>& v, int64_t) {
         for (size_t i = 0; i < v.size(); i += 4)
           std::reverse(v.begin() + static_cast<ptrdiff_t>(i),
                        v.begin() + static_cast<ptrdiff_t>(i) + 4);
       }},
  };
}

class Golden : public testing::TestWithParam<size_t> {
 protected:
  const GoldenCase& golden() const { return goldens()[GetParam()]; }
};

void expect_equal(const GoldenCase& golden, const GoldenFile& file, Device& device) {
  SCOPED_TRACE(fmt::format("{} on {}", file.path, device.name()));
  const auto model = open_model_file(file.path);
  const GoldenResult result = run_golden(golden, *model, file.mtp, device);
  for (size_t i = 0; i < result.prompts.size(); ++i)
    EXPECT_LT(result.prompts[i], kGoldenTolerance) << golden.prompts[i].ids.size() << " tokens";
  EXPECT_EQ(result.greedy_equal, static_cast<int>(golden.greedy.size()));
  EXPECT_LT(result.draft, kGoldenTolerance);
  EXPECT_LT(result.chain, kGoldenTolerance);
}

TEST_P(Golden, EqualsTransformersOnTheCpu) {
  for (const GoldenFile& file : golden().files)
    for (const char* isa : {"", "portable"})
      expect_equal(golden(), file, *open_device("cpu", {2, isa}));
}

TEST_P(Golden, EqualsTransformersOnTheReference) {
  for (const GoldenFile& file : golden().files)
    expect_equal(golden(), file, *open_device("ref", {2, ""}));
}

TEST_P(Golden, APlantedErrorFails) {
  for (const GoldenFile& file : golden().files) {
    const auto model = open_model_file(file.path);
    for (const Planted& planted : planted_errors()) {
      SCOPED_TRACE(fmt::format("{}: {}", file.path, planted.name));
      const AlteredFile altered(
          *model, planted.tensors,
          [&](std::vector<float>& v, int64_t columns) { planted.alter(golden(), v, columns); });
      ASSERT_EQ(altered.altered(), 1);
      const auto device = open_device("cpu", {2, ""});
      const GoldenResult result = run_golden(golden(), altered, file.mtp, *device);
      const double worst = *std::max_element(result.prompts.begin(), result.prompts.end());
      EXPECT_GT(worst, kGoldenTolerance) << "the test would not notice";
      EXPECT_LT(result.greedy_equal, static_cast<int>(golden().greedy.size()));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, Golden, testing::Range<size_t>(0, 5), [](const auto& param) {
  std::string name = goldens()[param.param].name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(Goldens, AllCasesAreRun) { EXPECT_EQ(goldens().size(), 5u); }

}  // namespace
}  // namespace braid
