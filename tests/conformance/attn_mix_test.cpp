// attn_mix: outputs and the rows of the cache.
#include "tests/conformance/conformance.h"

namespace braid::conformance {
namespace {

using ops_test::normals;

struct Attn : Subject {
  Attn(DType type, AttentionShape s, DType key_type, DType value_type)
      : file(1), norm(normals(2, s.d_model, 0.1f, 1)), keys(key_type), values(value_type) {
    w.shape = s;
    const int64_t dim = s.head_dim;
    w.qg = file.matrix(type, s.heads * 2 * dim, s.d_model);
    w.k = file.matrix(type, s.kv_heads * dim, s.d_model);
    w.v = file.matrix(type, s.kv_heads * dim, s.d_model);
    w.q_norm = normals(3, dim, 0.3f, 1.5f);
    w.k_norm = normals(4, dim, 0.3f, 1.5f);
    name = fmt::format("attn_mix {} {}/{}x{}, rope {}, {} {}", info(type).name, s.heads, s.kv_heads,
                       dim, s.rope_dims, info(keys).name, info(values).name);
    allowed = weight_tolerance(type);
  }
  // A key that lies between two numbers of its type may be rounded either way. The products of all
  // types but f32 are those of 16-bit words.
  double tolerance(const std::string& part) const override {
    const auto step = [](DType type) {
      return type == DType::F32 ? 3e-6 : type == DType::F16 ? 1e-3 : 8e-3;  // Q8_0: 1/127
    };
    if (part == "keys") return std::max(step(keys), allowed);
    if (part == "values") return std::max(step(values), allowed);
    const bool exact = keys == DType::F32 && values == DType::F32;
    return std::max(allowed, exact ? 3e-6 : std::max(step(keys), step(values)) / 2);
  }
  Outcome run(Device& device, const Plan& plan) const override {
    const AttentionShape& s = w.shape;
    Stage stage(device, plan);
    ops_test::KvMemory memory(stage, s.kv_heads, s.head_dim, keys, values);
    const PackedAttention packed = device.prepare(w);
    const PackedNorm packed_norm{device.prepare(norm), 1e-2f};
    Outcome outcome;
    for (const Step& step : plan.steps) {
      const AttnMixArgs args{stage.batch(step), stage.input(step, s.d_model, 1),
                             packed_norm,       packed,
                             memory.pool(),     stage.output(int64_t{s.heads} * s.head_dim)};
      stage.run(device.ops().attn_mix, args, outcome);
      stage.collect(step, args.o, "o", outcome);
    }
    memory.collect(outcome);
    return outcome;
  }
  RandomFile file;
  AttentionFileWeights w;
  std::vector<float> norm;
  DType keys, values;
};

// From the start, over the ends of pages (64) and partials (256), prefill and decode mixed.
std::vector<Plan> plans() {
  std::vector<Plan> list{{{{}}, 3}};
  for (int32_t n : {1, 2, 9, 65, 70}) list.push_back({{{{1, 0, n}}}});
  list.push_back({{{{1, 37, 1}, {2, 0, 19}, {3, 250, 13}, {4, 1023, 2}, {5, 511, 2}, {6, 63, 1}}}});
  list.push_back({{{{1, 255, 1}, {2, 256, 1}, {3, 770, 1}}}});
  return list;
}

//                           d_model, heads, kv_heads, head_dim, rope_dims, theta, eps
constexpr AttentionShape kShape{48, 6, 2, 32, 8, 1e7f, 1e-2f};

TEST(AttnMix, CacheTypes) {
  for (DType keys : {DType::F32, DType::F16, DType::BF16, DType::Q8_0})
    for (DType values : {DType::F32, DType::F16, DType::BF16, DType::Q8_0})
      if (!kSmall || keys == values) check(Attn(DType::F32, kShape, keys, values), plans());
}

TEST(AttnMix, Types) {
  for (DType type : some_types())
    check(Attn(type, {256, 4, 2, 64, 16, 1e4f, 1e-2f}, DType::F16, DType::F16), plans());
}

TEST(AttnMix, Shapes) {
  const auto f32 = DType::F32;
  check(Attn(f32, {5, 1, 1, 2, 2, 1e4f, 1e-2f}, f32, f32), plans());
  check(Attn(f32, {33, 3, 3, 6, 4, 1e6f, 1e-2f}, f32, f32), plans());
  check(Attn(f32, {33, 8, 1, 40, 40, 1e7f, 1e-2f}, f32, f32), plans());
  if (kSmall) return;
  const AttentionShape wide{64, 8, 2, 256, 64, 1e7f, 1e-2f};
  check(Attn(DType::BF16, wide, f32, f32), plans());
  check(Attn(DType::BF16, wide, DType::F16, DType::Q8_0), plans());
  check(Attn(DType::BF16, wide, DType::Q8_0, DType::BF16), plans());
  // Words that do not fill a vector, more than eight blocks of a row, one head of many.
  check(Attn(f32, {33, 4, 2, 40, 8, 1e7f, 1e-2f}, DType::F16, DType::BF16), plans());
  check(Attn(f32, {33, 2, 1, 288, 32, 1e7f, 1e-2f}, DType::Q8_0, DType::Q8_0), plans());
  check(Attn(f32, {33, 20, 1, 64, 32, 1e7f, 1e-2f}, DType::Q8_0, DType::F16), plans());
}

void expect_same_in_cuts(DType keys, DType values) {
  const Attn subject(DType::F32, kShape, keys, values);
  for (int32_t start : {0, 229})
    for (const Target& target : targets()) {
      const Outcome whole = run(subject, target, 1, {{{{1, start, 70}}}});
      for (std::vector<int32_t> ends :
           std::vector<std::vector<int32_t>>{{1, 70}, {13, 14, 27, 70}, {64, 65, 70}}) {
        Plan cut;
        int32_t done = 0;
        for (int32_t end : ends) {
          cut.steps.push_back({{1, start + done, end - done}});
          done = end;
        }
        expect_same_bits(whole, run(subject, target, 2, cut), subject.name + ", " + target.name());
      }
    }
}

TEST(AttnMix, Cuts) {
  expect_same_in_cuts(DType::F16, DType::F16);
  expect_same_in_cuts(DType::Q8_0, DType::Q8_0);
  expect_same_in_cuts(DType::F32, DType::BF16);
}

// A step of one row at depth is cut by partials, one of many rows by tiles: the same either way.
TEST(AttnMix, ManyRows) {
  const Attn subject(DType::F32, kShape, DType::F16, DType::Q8_0);
  for (const Target& target : targets()) {
    const Outcome whole = run(subject, target, 1, {{{{1, 500, 300}}}});
    Plan cut;
    for (int32_t at : {0, 255, 256, 257}) cut.steps.push_back({{1, 500 + at, at == 0 ? 255 : 1}});
    cut.steps.push_back({{1, 758, 42}});
    expect_same_bits(whole, run(subject, target, 3, cut), target.name());
  }
}

}  // namespace
}  // namespace braid::conformance
