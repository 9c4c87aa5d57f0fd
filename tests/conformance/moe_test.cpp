// route and experts.
#include "tests/conformance/conformance.h"

namespace braid::conformance {
namespace {

using ops_test::mixed;
using ops_test::normals;

struct Route : Subject {
  Route(DType type, MoeShape s, bool gated) : file(1), norm(normals(2, s.d_model, 0.1f, 1)) {
    w.shape = s;
    w.router = file.matrix(type, s.experts, s.d_model, 2);
    if (gated) w.shared_gate = normals(3, s.d_model, 0.1f);
    name = fmt::format("route {} {} of {}, shared {}", info(type).name, s.top_k, s.experts,
                       s.d_shared == 0 ? "none"
                       : gated         ? "gated"
                                       : "plain");
  }
  // All experts score the same: every choice is a tie.
  void make_ties() {
    const RowRun first{w.router.runs[0].data, 1, w.router.runs[0].scale};
    w.router.runs.assign(static_cast<size_t>(w.shape.experts), first);
    name += ", ties";
  }
  Outcome run(Device& device, const Plan& plan) const override {
    Stage stage(device, plan);
    const PackedRouter packed = device.prepare(w);
    const PackedNorm packed_norm{device.prepare(norm), 1e-2f};
    const MoeShape& s = w.shape;
    Outcome outcome;
    for (const Step& step : plan.steps) {
      const Tensor weights = stage.output(s.top_k), shared = stage.output(1);
      const Tensor ids = stage.output(s.top_k);
      const Routed routed{reinterpret_cast<int32_t*>(ids.data), weights.data, shared.data};
      stage.run(device.ops().route,
                {stage.batch(step), stage.input(step, s.d_model, 1), packed_norm, packed, routed},
                outcome);
      stage.collect(step, weights, "weights", outcome);
      if (s.d_shared > 0) stage.collect(step, shared, "shared", outcome);
      collect_ids(step, routed.ids, stage, outcome);
    }
    return outcome;
  }
  void collect_ids(const Step& step, const int32_t* ids, Stage& stage, Outcome& outcome) const {
    for (const Piece& p : step) {
      const auto n = static_cast<size_t>(p.rows * w.shape.top_k);
      const std::vector<int32_t> own = stage.get(ids, n);
      for (int32_t e : own) EXPECT_TRUE(e >= 0 && e < w.shape.experts) << name << ": " << e;
      Stage::append(outcome, p.id, "ids", {own.begin(), own.end()});
      ids += n;
    }
  }
  RandomFile file;
  RouterFileWeights w;
  std::vector<float> norm;
};

struct ExpertsOp : Subject {
  ExpertsOp(DType type, MoeShape s) : file(4), norm(normals(5, s.d_model, 0.1f, 1)) {
    w.shape = s;
    w.gate = file.matrix(type, s.experts * s.d_ff, s.d_model);
    w.up = file.matrix(type, s.experts * s.d_ff, s.d_model);
    w.down = file.matrix(type, s.experts * s.d_model, s.d_ff);
    if (s.d_shared > 0)
      w.shared = {file.matrix(type, s.d_shared, s.d_model),
                  file.matrix(type, s.d_shared, s.d_model),
                  file.matrix(type, s.d_model, s.d_shared)};
    name = fmt::format("experts {} {} of {}, D {}, d_ff {}, shared {}", info(type).name, s.top_k,
                       s.experts, s.d_model, s.d_ff, s.d_shared);
    allowed = weight_tolerance(type);
  }
  // Few experts are called often, so that rows of several sequences meet in one.
  std::vector<int32_t> choice(int id, int64_t position) const {
    std::vector<int32_t> ids;
    for (uint64_t i = 0; static_cast<int>(ids.size()) < w.shape.top_k; ++i) {
      const auto e =
          static_cast<int32_t>(mixed(id, position, i) % static_cast<uint64_t>(w.shape.experts));
      const int32_t skewed = i % 2 ? e : e / 4;
      if (std::find(ids.begin(), ids.end(), skewed) == ids.end()) ids.push_back(skewed);
    }
    std::sort(ids.begin(), ids.end());
    return ids;
  }
  Routed routed(const Step& step, Stage& stage) const {
    std::vector<int32_t> ids;
    std::vector<float> weights, shared;
    for (const Piece& p : step)
      for (int32_t i = 0; i < p.rows; ++i) {
        const std::vector<int32_t> own = choice(p.id, p.position + i);
        ids.insert(ids.end(), own.begin(), own.end());
        for (float v : normals(mixed(p.id, p.position + i, 6), w.shape.top_k + 1, 0.1f, 0.4f))
          weights.push_back(v);
        shared.push_back(weights.back());
        weights.pop_back();
      }
    const auto bucket = static_cast<size_t>(stage.bucket());
    ids.resize(bucket * static_cast<size_t>(w.shape.top_k), -1);
    weights.resize(ids.size(), ops_test::kNan);
    shared.resize(bucket, ops_test::kNan);
    return {stage.put(ids), stage.put(weights), stage.put(shared)};
  }
  Outcome run(Device& device, const Plan& plan) const override {
    Stage stage(device, plan);
    const PackedExperts packed = device.prepare(w);
    const PackedNorm packed_norm{device.prepare(norm), 1e-2f};
    Outcome outcome;
    for (const Step& step : plan.steps) {
      const ExpertsArgs args{stage.batch(step), stage.input(step, w.shape.d_model, 1), packed_norm,
                             packed, routed(step, stage)};
      stage.run(device.ops().experts, args, outcome);
      stage.collect(step, args.x, "x", outcome);
    }
    return outcome;
  }
  RandomFile file;
  ExpertsFileWeights w;
  std::vector<float> norm;
};

//                 d_model, experts, top_k, d_ff, d_shared
constexpr MoeShape kWide{256, 6, 3, 256, 256};

TEST(Route, Types) {
  for (DType type : some_types()) check(Route(type, kWide, true), plans_of_rows());
}

TEST(Route, Shapes) {
  check(Route(DType::F32, {37, 512, 10, 1, 8}, true), plans_of_rows());
  check(Route(DType::F32, {37, 5, 5, 1, 8}, false), plans_of_rows());
  check(Route(DType::F32, {64, 17, 1, 1, 0}, false), plans_of_rows());
}

TEST(Route, TiesGoToTheLowerIndex) {
  Route subject(DType::F32, {64, 33, 6, 1, 8}, true);
  subject.make_ties();
  check(subject, plans_of_rows());
  const Outcome outcome = run(subject, {"ref", ""}, 1, {{{{1, 0, 3}}}});
  const std::vector<float> once{0, 1, 2, 3, 4, 5};
  std::vector<float> expected;
  for (int i = 0; i < 3; ++i) expected.insert(expected.end(), once.begin(), once.end());
  EXPECT_EQ(outcome.of.at(1).at("ids"), expected);
}

TEST(Experts, Types) {
  for (DType type : some_types()) check(ExpertsOp(type, kWide), plans_of_rows());
}

TEST(Experts, Shapes) {
  check(ExpertsOp(DType::F32, {37, 64, 8, 19, 0}), plans_of_rows());
  check(ExpertsOp(DType::F32, {37, 6, 6, 33, 5}), plans_of_rows());
  check(ExpertsOp(DType::F16, {5, 9, 1, 1, 70}), plans_of_rows());
}

}  // namespace
}  // namespace braid::conformance
