// gdn_mix: outputs and every part of the recurrent slot.
#include "tests/conformance/conformance.h"

namespace braid::conformance {
namespace {

using ops_test::normals;

struct Gdn : Subject {
  Gdn(DType type, GdnShape s) : file(1), norm(normals(2, s.d_model, 0.1f, 1)) {
    w.shape = s;
    w.shape.eps = 1e-2f;
    const int64_t values = int64_t{s.value_heads} * s.value_dim;
    w.qkv = file.matrix(type, s.conv_dim(), s.d_model);
    w.z = file.matrix(type, values, s.d_model);
    w.b = file.matrix(type, s.value_heads, s.d_model);
    w.a = file.matrix(type, s.value_heads, s.d_model);
    w.conv = normals(3, int64_t{s.conv_dim()} * s.taps, 0.5f);
    // The first key head's queries and keys are so small that the epsilon of their norm counts.
    for (int64_t c = 0; c < s.key_dim * s.taps; ++c) {
      w.conv[static_cast<size_t>(c)] *= 1e-3f;
      w.conv[static_cast<size_t>(int64_t{s.key_heads} * s.key_dim * s.taps + c)] *= 1e-3f;
    }
    w.dt_bias = normals(4, s.value_heads);
    w.decay = normals(5, s.value_heads);
    for (float& a : w.decay) a = -0.3f * std::fabs(a);
    w.decay[0] = -20;  // a head that forgets at once
    w.norm = normals(6, s.value_dim, 0.1f, 1);
    name = fmt::format("gdn_mix {} {}x{} keys, {}x{} values, {}", info(type).name, s.key_heads,
                       s.key_dim, s.value_heads, s.value_dim, s.tiled ? "tiled" : "grouped");
    allowed = weight_tolerance(type);
  }
  Outcome run(Device& device, const Plan& plan) const override {
    const GdnShape& s = w.shape;
    Stage stage(device, plan);
    ops_test::RecurrentMemory memory(
        stage, {s.key_heads, s.value_heads, s.key_dim, s.value_dim, s.conv_dim()});
    const PackedGdn packed = device.prepare(w);
    const PackedNorm packed_norm{device.prepare(norm), 1e-2f};
    Outcome outcome;
    for (const Step& step : plan.steps) {
      const GdnMixArgs args{stage.batch(step), stage.input(step, s.d_model, 1),
                            packed_norm,       packed,
                            memory.pool(),     stage.output(int64_t{s.value_heads} * s.value_dim)};
      stage.run(device.ops().gdn_mix, args, outcome);
      stage.collect(step, args.o, "o", outcome);
    }
    memory.collect(outcome);
    return outcome;
  }
  RandomFile file;
  GdnFileWeights w;
  std::vector<float> norm;
};

// From the start, from every place in a block, over block ends, prefill and decode mixed.
std::vector<Plan> plans() {
  std::vector<Plan> list{{{{}}, 3}};
  for (int32_t n : {1, 2, 15, 16, 17, 33, 70}) list.push_back({{{{1, 0, n}}}});
  list.push_back({{{{1, 37, 1}, {2, 0, 19}, {3, 250, 13}, {4, 1023, 1}, {5, 511, 2}, {6, 16, 1}}}});
  list.push_back({{{{1, 31, 1}, {2, 47, 1}, {3, 5, 1}}}});
  return list;
}

TEST(GdnMix, HeadRatiosAndOrders) {
  for (bool tiled : {false, true})
    for (int ratio : {1, 2, 3})
      if (!kSmall || ratio == 3)
        check(Gdn(DType::F32, {48, 3, 3 * ratio, 16, 24, 4, tiled}), plans());
}

TEST(GdnMix, Types) {
  for (DType type : some_types()) check(Gdn(type, {256, 2, 4, 32, 32}), plans());
}

TEST(GdnMix, Shapes) {
  check(Gdn(DType::F32, {5, 1, 1, 1, 1}), plans());
  check(Gdn(DType::F32, {33, 1, 2, 7, 5}), plans());
  check(Gdn(DType::F32, {33, 2, 2, 20, 36, 3}), plans());
  check(Gdn(DType::F32, {24, 1, 2, 150, 72}), plans());  // keys longer than a panel
  if (!kSmall) check(Gdn(DType::BF16, {64, 2, 4, 128, 128}), plans());
}

// The same sequence in pieces: the state between them carries everything.
TEST(GdnMix, Cuts) {
  const Gdn subject(DType::F32, {48, 2, 6, 16, 16, 4, true});
  for (int32_t start : {0, 29})
    for (const Target& target : targets()) {
      const Outcome whole = run(subject, target, 1, {{{{1, start, 70}}}});
      for (std::vector<int32_t> ends : std::vector<std::vector<int32_t>>{
               {1, 70}, {13, 14, 15, 16, 17, 48, 70}, {3, 19, 35, 70}, {31, 33, 70}, {69, 70}}) {
        Plan cut;
        int32_t done = 0;
        for (int32_t end : ends) {
          cut.steps.push_back({{1, start + done, end - done}});
          done = end;
        }
        expect_same_bits(whole, run(subject, target, 2, cut), "a cut, " + target.name());
      }
      Plan tokens;
      for (int32_t i = 0; i < 70; ++i) tokens.steps.push_back({{1, start + i, 1}});
      expect_same_bits(whole, run(subject, target, 3, tokens), "token by token, " + target.name());
    }
}

}  // namespace
}  // namespace braid::conformance
