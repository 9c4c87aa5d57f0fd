// Attention against a softmax written out in the test, over the whole history at once.
#include "device/ops_test_state.h"

#include <gtest/gtest.h>

namespace braid::ref {
namespace {

using namespace ops_test;

constexpr int64_t kModel = 12;
constexpr float kEps = 1e-3f;

struct Weights {
  Weights() : file(1) {
    AttentionShape& s = w.shape;
    s = {kModel, 6, 2, 10, 4, 1e4f, 1e-4f};
    w.qg = file.matrix(DType::F32, s.heads * 2 * s.head_dim, kModel, 2);
    w.k = file.matrix(DType::F32, s.kv_heads * s.head_dim, kModel);
    w.v = file.matrix(DType::F32, s.kv_heads * s.head_dim, kModel);
    w.q_norm = normals(3, s.head_dim, 0.2f, 2);
    w.k_norm = normals(4, s.head_dim, 0.2f, 2);
    norm = normals(6, kModel, 0.1f, 1);
  }
  RandomFile file;
  AttentionFileWeights w;
  std::vector<float> norm;
};

using Row = std::vector<double>;

template <class X>
Row rms(const std::vector<X>& x, const std::vector<float>& w, float eps) {
  double squares = 0;
  for (X v : x) squares += double(v) * double(v);
  Row out;
  for (size_t i = 0; i < x.size(); ++i)
    out.push_back(double(x[i]) / std::sqrt(squares / double(x.size()) + double{eps}) *
                  double{w[i]});
  return out;
}

Row project(const std::vector<float>& w, int64_t row, int64_t n, const Row& x) {
  Row y(static_cast<size_t>(n));
  for (size_t r = 0; r < y.size(); ++r)
    for (size_t i = 0; i < x.size(); ++i)
      y[r] += double{w[(static_cast<size_t>(row) + r) * x.size() + i]} * x[i];
  return y;
}

// Complex numbers (v[i], v[i + n/2]) turned by position * theta^(-2i/n).
void turn(Row& v, int64_t position, const AttentionShape& s) {
  const auto half = static_cast<size_t>(s.rope_dims / 2);
  for (size_t i = 0; i < half; ++i) {
    const double angle =
        double(position) * std::pow(double{s.rope_theta}, -2.0 * double(i) / s.rope_dims);
    const double a = v[i], b = v[i + half];
    v[i] = a * std::cos(angle) - b * std::sin(angle);
    v[i + half] = b * std::cos(angle) + a * std::sin(angle);
  }
}

// o of the last of `length` tokens of sequence 1.
Row expected(const Weights& weights, int32_t length) {
  const AttentionShape& s = weights.w.shape;
  const std::vector<float> qg = decoded(weights.w.qg), wk = decoded(weights.w.k),
                           wv = decoded(weights.w.v);
  const auto dim = static_cast<size_t>(s.head_dim);
  Row out;
  for (int head = 0; head < s.heads; ++head) {
    const int kv = head / 3;
    const Row last = rms(input_at(1, length - 1, 1, kModel), weights.norm, kEps);
    Row q = project(qg, head * 2 * s.head_dim, s.head_dim, last);
    const Row gate = project(qg, head * 2 * s.head_dim + s.head_dim, s.head_dim, last);
    q = rms(q, weights.w.q_norm, s.eps);
    turn(q, length - 1, s);
    Row sum(dim);
    double all = 0;
    for (int32_t t = 0; t < length; ++t) {
      const Row h = rms(input_at(1, t, 1, kModel), weights.norm, kEps);
      Row k = rms(project(wk, kv * s.head_dim, s.head_dim, h), weights.w.k_norm, s.eps);
      turn(k, t, s);
      const Row v = project(wv, kv * s.head_dim, s.head_dim, h);
      double score = 0;
      for (size_t i = 0; i < dim; ++i) score += q[i] * k[i] / std::sqrt(double(dim));
      const double weight = std::exp(score);
      all += weight;
      for (size_t i = 0; i < dim; ++i) sum[i] += weight * v[i];
    }
    for (size_t i = 0; i < dim; ++i) out.push_back(sum[i] / all / (1 + std::exp(-gate[i])));
  }
  return out;
}

std::vector<float> output(const Weights& weights, const std::vector<int32_t>& ends, DType type) {
  const auto device = open_device("ref", {2, ""});
  Plan plan;
  int32_t done = 0;
  for (int32_t end : ends) {
    plan.steps.push_back({{1, done, end - done}, {2, done, end - done}});
    done = end;
  }
  Stage stage(*device, plan);
  const AttentionShape& s = weights.w.shape;
  KvMemory memory(stage, s.kv_heads, s.head_dim, type, type);
  const PackedNorm norm{device->prepare(weights.norm), kEps};
  const PackedAttention packed = device->prepare(weights.w);
  Outcome outcome;
  for (const Step& step : plan.steps) {
    const AttnMixArgs args{stage.batch(step), stage.input(step, kModel, 1),      norm, packed,
                           memory.pool(),     stage.output(s.heads * s.head_dim)};
    stage.run(device->ops().attn_mix, args, outcome);
    stage.collect(step, args.o, "o", outcome);
  }
  return outcome.of.at(1).at("o");
}

void expect_equal(const Weights& weights, DType type, double tolerance) {
  const std::vector<float> o = output(weights, {70, 71, 140}, type);
  for (int32_t length : {1, 2, 64, 65, 70, 71, 72, 128, 140}) {
    const Row e = expected(weights, length);
    for (size_t i = 0; i < e.size(); ++i)
      ASSERT_NEAR(double{o[(static_cast<size_t>(length) - 1) * e.size() + i]}, e[i], tolerance)
          << info(type).name << ", token " << length - 1 << ", value " << i;
  }
}

TEST(RefAttnMix, EqualsADirectSoftmax) {
  const Weights weights;
  expect_equal(weights, DType::F32, 5e-6);
  expect_equal(weights, DType::F16, 5e-3);
  expect_equal(weights, DType::BF16, 4e-2);
}

TEST(RefAttnMix, CutsDoNotMatter) {
  const Weights weights;
  for (DType type : {DType::F32, DType::F16}) {
    const std::vector<float> whole = output(weights, {80}, type);
    EXPECT_EQ(output(weights, {1, 2, 3, 80}, type), whole);
    EXPECT_EQ(output(weights, {63, 64, 80}, type), whole);
  }
}

}  // namespace
}  // namespace braid::ref
