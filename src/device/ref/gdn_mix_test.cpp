// The block form against the recurrence of the paper, written out token by token in the test.
#include "device/ops_test_state.h"

#include <gtest/gtest.h>

namespace braid::ref {
namespace {

using namespace ops_test;
using Matrix = std::vector<std::vector<double>>;

constexpr int64_t kModel = 12;
constexpr float kEps = 1e-3f;

struct Weights {
  explicit Weights(int ratio, bool tiled) : file(1) {
    GdnShape& s = w.shape;
    s = {kModel, 2, 2 * ratio, 6, 5, 4, tiled, 1e-4f};
    const int64_t values = int64_t{s.value_heads} * s.value_dim;
    w.qkv = file.matrix(DType::F32, s.conv_dim(), kModel);
    w.z = file.matrix(DType::F32, values, kModel);
    w.b = file.matrix(DType::F32, s.value_heads, kModel);
    w.a = file.matrix(DType::F32, s.value_heads, kModel);
    w.conv = normals(2, int64_t{s.conv_dim()} * s.taps, 0.6f);
    // The first key head's queries and keys are so small that the epsilon of their norm counts.
    for (int c = 0; c < s.key_dim * s.taps; ++c) {
      w.conv[size_t(c)] *= 1e-3f;
      w.conv[size_t(s.key_heads * s.key_dim * s.taps + c)] *= 1e-3f;
    }
    w.dt_bias = normals(3, s.value_heads);
    w.decay = normals(4, s.value_heads);
    for (float& a : w.decay) a = -0.2f * std::fabs(a);
    w.norm = normals(5, s.value_dim, 0.1f, 1);
    norm = normals(6, kModel, 0.1f, 1);
  }
  RandomFile file;
  GdnFileWeights w;
  std::vector<float> norm;
};

std::vector<double> project(const FileMatrix& m, const std::vector<double>& x) {
  const std::vector<float> w = decoded(m);
  std::vector<double> y(static_cast<size_t>(m.rows()));
  for (size_t n = 0; n < y.size(); ++n)
    for (size_t i = 0; i < x.size(); ++i) y[n] += double{w[n * x.size() + i]} * x[i];
  return y;
}

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

// One sequence from its start: the state matrix of each head moves with every token.
class Recurrence {
 public:
  explicit Recurrence(const Weights& weights) : weights_(weights), w_(weights.w), s_(w_.shape) {
    states_.assign(size_t(s_.value_heads), Matrix(size_t(s_.key_dim), zeros(s_.value_dim)));
  }

  std::vector<double> next(const std::vector<float>& x) {
    const std::vector<double> h = normed(x);
    raw_.push_back(project(w_.qkv, h));
    const std::vector<double> y = convolved(), z = project(w_.z, h), b = project(w_.b, h),
                              a = project(w_.a, h);
    std::vector<double> out;
    for (int head = 0; head < s_.value_heads; ++head) {
      const int key_head = s_.tiled ? head % s_.key_heads : head / (s_.value_heads / s_.key_heads);
      const auto n = size_t(head);
      const auto q = unit(y, key_head * s_.key_dim);
      const auto k = unit(y, (s_.key_heads + key_head) * s_.key_dim);
      const double* v = &y[size_t(2 * s_.key_heads * s_.key_dim + head * s_.value_dim)];
      const double g = double{w_.decay[n]} * std::log(1 + std::exp(a[n] + double{w_.dt_bias[n]}));
      const auto o = step(states_[n], q, k, v, logistic(b[n]), std::exp(g));
      double squares = 0;
      for (double value : o) squares += value * value;
      for (size_t j = 0; j < o.size(); ++j) {
        const double gate = z[n * o.size() + j];
        out.push_back(o[j] / std::sqrt(squares / double(o.size()) + double{s_.eps}) *
                      double{w_.norm[j]} * gate * logistic(gate));
      }
    }
    return out;
  }

 private:
  static std::vector<double> zeros(int n) { return std::vector<double>(size_t(n)); }

  std::vector<double> normed(const std::vector<float>& x) const {
    double squares = 0;
    for (float v : x) squares += double{v} * double{v};
    std::vector<double> h;
    for (size_t i = 0; i < x.size(); ++i)
      h.push_back(double{x[i]} / std::sqrt(squares / double(x.size()) + double{kEps}) *
                  double{weights_.norm[i]});
    return h;
  }

  std::vector<double> convolved() const {
    std::vector<double> y;
    for (size_t c = 0; c < size_t(s_.conv_dim()); ++c) {
      double sum = 0;
      for (size_t back = 0; back < 4 && back < raw_.size(); ++back)
        sum += double{w_.conv[c * 4 + 3 - back]} * raw_[raw_.size() - 1 - back][c];
      y.push_back(sum * logistic(sum));
    }
    return y;
  }

  std::vector<double> unit(const std::vector<double>& y, int at) const {
    std::vector<double> u(y.begin() + at, y.begin() + at + s_.key_dim);
    double squares = 1e-6;
    for (double x : u) squares += x * x;
    for (double& x : u) x /= std::sqrt(squares);
    return u;
  }

  std::vector<double> step(Matrix& S, const std::vector<double>& q, const std::vector<double>& k,
                           const double* v, double beta, double decay) const {
    std::vector<double> o = zeros(s_.value_dim);
    for (size_t j = 0; j < o.size(); ++j) {
      double recalled = 0;
      for (size_t i = 0; i < k.size(); ++i) recalled += (S[i][j] *= decay) * k[i];
      for (size_t i = 0; i < k.size(); ++i) S[i][j] += k[i] * beta * (v[j] - recalled);
      for (size_t i = 0; i < q.size(); ++i) o[j] += S[i][j] * q[i] / std::sqrt(double(q.size()));
    }
    return o;
  }

  const Weights& weights_;
  const GdnFileWeights& w_;
  const GdnShape& s_;
  std::vector<Matrix> states_;
  Matrix raw_;
};

// What a step feeds in: rows of the sequence proper, or of a draft that will be forgotten.
struct Rows {
  int32_t position, rows;
  bool draft = false;
};

Outcome run(const Weights& weights, const std::vector<Rows>& list) {
  const auto device = open_device("ref", {2, ""});
  Plan plan;
  for (const Rows& r : list) plan.steps.push_back({{1, r.position, r.rows}});
  Stage stage(*device, plan);
  const GdnShape& s = weights.w.shape;
  RecurrentMemory memory(stage, {s.key_heads, s.value_heads, s.key_dim, s.value_dim, s.conv_dim()});
  const PackedNorm norm{device->prepare(weights.norm), kEps};
  const PackedGdn packed = device->prepare(weights.w);
  Outcome outcome;
  for (size_t i = 0; i < list.size(); ++i) {
    const Tensor x = stage.input(plan.steps[i], kModel, list[i].draft ? 2 : 1);
    const GdnMixArgs args{stage.batch(plan.steps[i]),
                          x,
                          norm,
                          packed,
                          memory.pool(),
                          stage.output(s.value_heads * s.value_dim)};
    stage.run(device->ops().gdn_mix, args, outcome);
    stage.collect(plan.steps[i], args.o, list[i].draft ? "draft" : "o", outcome);
  }
  memory.collect(outcome);
  return outcome;
}
std::vector<float> output(const Weights& weights, const std::vector<Rows>& list) {
  return run(weights, list).of.at(1).at("o");
}

TEST(RefGdnMix, EqualsTheRecurrenceAtEveryLength) {
  for (int ratio : {1, 2, 3})
    for (bool tiled : {false, true}) {
      const Weights weights(ratio, tiled);
      Recurrence recurrence(weights);
      std::vector<double> expected;
      for (int32_t length = 1; length <= 70; ++length) {
        for (double o : recurrence.next(input_at(1, length - 1, 1, kModel))) expected.push_back(o);
        const std::vector<float> o = output(weights, {{0, length}});
        ASSERT_EQ(o.size(), expected.size());
        for (size_t i = 0; i < o.size(); ++i)
          ASSERT_NEAR(double{o[i]}, expected[i], 2e-6) << length << " tokens, value " << i;
      }
    }
}

TEST(RefGdnMix, CutsDoNotMatter) {
  const Weights weights(2, true);
  const std::vector<float> whole = output(weights, {{0, 70}});
  std::mt19937_64 random(1);
  for (int round = 0; round < 40; ++round) {
    std::vector<Rows> cut;
    for (int32_t done = 0; done < 70;) {
      const auto rows = std::min<int32_t>(70 - done, 1 + static_cast<int32_t>(random() % 40));
      cut.push_back({done, rows});
      done += rows;
    }
    ASSERT_EQ(output(weights, cut), whole) << "round " << round;
  }
}

// Stepping back is forgetting: a draft of up to kBlock tokens leaves no trace.
TEST(RefGdnMix, RewindsByUpToABlock) {
  const Weights weights(2, false);
  const std::vector<float> whole = output(weights, {{0, 50}});
  for (int32_t length = 1; length < 40; ++length)
    for (int32_t draft = 1; draft <= kBlock; ++draft)
      ASSERT_EQ(output(weights, {{0, length}, {length, draft, true}, {length, 50 - length}}), whole)
          << "a draft of " << draft << " tokens after " << length;
}

TEST(RefGdnMix, CannotRewindFurtherThanTheRing) {
  const Weights weights(2, false);
  const std::vector<float> whole = output(weights, {{0, 50}});
  EXPECT_NE(output(weights, {{0, 15}, {15, kBlock + 1, true}, {15, 35}}), whole);
}

TEST(RefGdnMix, FoldsEagerly) {
  const Weights weights(1, false);
  const auto state = [&](int32_t length) {
    return run(weights, {{0, length}}).of.at(1).at("state");
  };
  const auto is_zero = [](const std::vector<float>& v) {
    return std::all_of(v.begin(), v.end(), [](float x) { return x == 0; });
  };
  EXPECT_TRUE(is_zero(state(kBlock - 1)));
  EXPECT_FALSE(is_zero(state(kBlock)));
}

}  // namespace
}  // namespace braid::ref
