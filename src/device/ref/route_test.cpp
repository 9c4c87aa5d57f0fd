#include "device/ops_test_support.h"

#include <gtest/gtest.h>

namespace braid::ref {
namespace {

using namespace ops_test;

struct Choice {
  std::vector<int32_t> ids;
  std::vector<float> weights;
  float shared;
};

// The router of two inputs gives expert e the score scores[e]: x = (1, 1), its norm's weight (1,
// 0).
Choice choose(const std::vector<float>& scores, int top_k, std::vector<float> shared_gate) {
  const auto device = open_device("ref", {2, ""});
  Plan plan{{{{1, 0, 1}}}};
  Stage stage(*device, plan);
  std::vector<float> router;
  for (float s : scores) router.insert(router.end(), {s, 100});
  RouterFileWeights w;
  w.shape = {2, static_cast<int>(scores.size()), top_k, 1, 1};
  w.router = {
      DType::F32, 2, {{reinterpret_cast<const std::byte*>(router.data()), w.shape.experts}}};
  w.shared_gate = std::move(shared_gate);
  const std::vector<float> norm{1, 0};
  const Routed routed{stage.put(std::vector<int32_t>(static_cast<size_t>(top_k))),
                      stage.output(top_k).data, stage.output(1).data};
  Outcome outcome;
  stage.run(device->ops().route,
            {stage.batch(plan.steps[0]),
             {stage.put(std::vector<float>{1, 1}), 1, 2},
             {device->prepare(norm), 0},
             device->prepare(w),
             routed},
            outcome);
  const auto n = static_cast<size_t>(top_k);
  return {stage.get(routed.ids, n), stage.get(routed.weights, n), *routed.shared};
}

TEST(RefRoute, TakesTheMostProbableAndMakesThemSumToOne) {
  const Choice c = choose({0, std::log(3.0f), -1, std::log(1.0f), 1e-3f, -50}, 2, {});
  EXPECT_EQ(c.ids, (std::vector<int32_t>{1, 4}));
  EXPECT_NEAR(c.weights[0], 3 / (3 + std::exp(1e-3)), 1e-6);
  EXPECT_NEAR(c.weights[1], 1 - 3 / (3 + std::exp(1e-3)), 1e-6);
  EXPECT_EQ(c.shared, 1);
}

TEST(RefRoute, TiesGoToTheLowerIndex) {
  EXPECT_EQ(choose({1, 5, 1, 1, 5, 1}, 3, {}).ids, (std::vector<int32_t>{0, 1, 4}));
  EXPECT_EQ(choose({1, 1, 1, 1}, 3, {}).ids, (std::vector<int32_t>{0, 1, 2}));
  EXPECT_EQ(choose({0, 1, 1, 1}, 2, {}).ids, (std::vector<int32_t>{1, 2}));
}

TEST(RefRoute, WeighsTheSharedExpert) {
  EXPECT_NEAR(choose({1, 2}, 1, {2, 100}).shared, 1 / (1 + std::exp(-2)), 1e-6);
}

TEST(RefRoute, LargeScoresDoNotOverflow) {
  const Choice c = choose({5000, 4999, -5000}, 2, {});
  EXPECT_EQ(c.ids, (std::vector<int32_t>{0, 1}));
  EXPECT_NEAR(c.weights[0], 1 / (1 + std::exp(-1)), 1e-6);
}

}  // namespace
}  // namespace braid::ref
