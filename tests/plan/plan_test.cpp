// What is planned before a model starts: phases, launches, weight bytes a step, and memory.
#include "device/measure/measure_device.h"
#include "device/registry.h"
#include "engine/engine.h"
#include "tests/plan/synthetic_model.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <random>

namespace braid {
namespace {

EngineOptions small_options() {
  EngineOptions options;
  options.context = 4096;
  options.ubatch = 512;
  return options;
}

TEST(Plan, TheReal80BModelDecodesInFewPhases) {
  const SyntheticModel model{SyntheticShape{}};
  const auto device = open_measure_device(open_device("cpu", {2, ""}));
  const Engine engine(model, *device, small_options());

  const Program& decode = engine.program(1);
  EXPECT_LE(decode.phases(), 254);
  EXPECT_EQ(decode.phases(), 2 + 36 * 5 + 12 * 6);
  EXPECT_LE(decode.steps().size(), 360u);

  // Bytes that a decoded token reads, counted here from the shapes alone.
  const auto iq4 = [](double weights) { return weights * 136 / 256; };
  const double d = 2048, gdn = iq4(d * 8192 + d * 4096 + d * 4096) + d * 64 * 34 / 32 +
                               4 * (8192 * 4 + 32 + 32 + 128);
  const double attention = iq4(d * (8192 + 512 + 512) + d * 4096) + 4 * 512;
  const double moe = 4 * (d * 512 + d) + iq4(11 * 3 * d * 512);
  const double expected = 36 * gdn + 12 * attention + 48 * moe + 151936 * d * 210 / 256 + iq4(d);
  const OpCost cost = total_cost(decode, 1, 1);
  EXPECT_EQ(cost.least_bytes, cost.most_bytes);
  EXPECT_DOUBLE_EQ(static_cast<double>(cost.most_bytes), expected);
  EXPECT_NEAR(cost.matmul_flops / 1e9, 7.12, 0.01);  // with the head, which is 0.62
}

TEST(Plan, WeightsAreReadOnceWhateverTheRows) {
  const SyntheticModel model{SyntheticShape{}};
  const auto device = open_measure_device(open_device("cpu", {2, ""}));
  EngineOptions options = small_options();
  options.sequences = 8;
  const Engine engine(model, *device, options);
  std::map<std::string, uint64_t> one, eight;
  for (const OpCost& c : op_costs(engine.program(1), 1, 1)) one[c.name] += c.least_bytes;
  for (const OpCost& c : op_costs(engine.program(8), 8, 8)) eight[c.name] += c.least_bytes;
  for (const auto& [name, bytes] : one)
    EXPECT_EQ(eight[name], name == "embed" ? 8 * bytes : bytes) << name;
}

TEST(Plan, MeasuringTakesNoMemory) {
  const SyntheticModel model{SyntheticShape{}};
  const auto device = open_measure_device(open_device("cpu", {2, ""}));
  EngineOptions options = small_options();
  options.context = 262144;
  options.sequences = 16;
  const Engine engine(model, *device, options);
  EXPECT_GT(engine.memory().total(), size_t{100} << 30);  // on any machine that runs this test
  EXPECT_THROW((void)device->allocate(1, "more"), InternalError);
}

// --- a model that runs here ---

int64_t status_kib(const std::string& field) {
  std::ifstream status("/proc/self/status");
  std::string key;
  int64_t value = 0;
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(field + ":")) value = std::stoll(line.substr(field.size() + 1));
  return value;
}

SyntheticShape runnable() {
  SyntheticShape s;
  s.layers = 4;
  s.d_model = 1024;
  s.experts = 64;
  s.top_k = 8;
  s.vocabulary = 16384;
  s.matrices = s.head = DType::Q8_0;
  return s;
}

// Random Q8_0 blocks with a scale that keeps activations sane; norms of one.
void fill_weights(SyntheticModel& model) {
  std::mt19937_64 random(1);
  for (const FileTensor& t : model.tensors()) {
    auto* bytes = const_cast<std::byte*>(t.bytes.data());
    if (t.dtype == DType::F32) {
      std::vector<float> values(static_cast<size_t>(t.elements()), 1.0f);
      if (t.name.ends_with("ssm_a")) continue;
      if (t.name.find("ffn_gate_inp") != std::string::npos || t.name.ends_with("conv1d.weight"))
        for (float& v : values) v = static_cast<float>(random() % 2001) / 10000.0f - 0.1f;
      std::memcpy(bytes, values.data(), t.bytes.size());
      continue;
    }
    for (size_t at = 0; at + 34 <= t.bytes.size(); at += 34) {
      const uint16_t scale = 0x0c00;  // f16 2^-12: weights up to 0.03
      std::memcpy(bytes + at, &scale, 2);
      for (size_t i = 2; i < 34; i += 8) {
        const uint64_t word = random();
        std::memcpy(bytes + at + i, &word, std::min<size_t>(8, 34 - i));
      }
    }
  }
}

TEST(Plan, ThePredictedPeakIsTheRealOne) {
#ifdef BRAID_SMALL_TESTS
  GTEST_SKIP() << "sanitizers take memory of their own";
#endif
  EngineOptions options;
  options.context = 1024;
  options.ubatch = 512;
  MemoryPlan predicted;
  SyntheticModel model{runnable()};
  {
    const auto measure = open_measure_device(open_device("cpu", {2, ""}));
    predicted = Engine(model, *measure, options).memory();
  }
  fill_weights(model);
  const int64_t before = status_kib("VmRSS");  // the file is not a part of the plan
  const auto device = open_device("cpu", {2, ""});
  Engine engine(model, *device, options);
  EXPECT_EQ(engine.memory().total(), predicted.total());
  EXPECT_EQ(device->allocated(), predicted.total() + predicted.trash);

  Sequence sequence = engine.new_sequence();
  std::mt19937 random(2);
  std::vector<int32_t> tokens(512);
  for (int step = 0; step < 2; ++step) {
    for (int32_t& t : tokens) t = static_cast<int32_t>(random() % 16384);
    const Feed feed{&sequence, tokens, 1};
    engine.step({&feed, 1});
  }
  const double real = static_cast<double>(status_kib("VmHWM") - before) * 1024;
  const double plan = static_cast<double>(predicted.total());
  RecordProperty("predicted_bytes", std::to_string(predicted.total()));
  RecordProperty("real_bytes", std::to_string(static_cast<uint64_t>(real)));
  EXPECT_NEAR(real / plan, 1.0, 0.02)
      << real / 1048576 << " MiB real, " << plan / 1048576 << " MiB predicted";
}

}  // namespace
}  // namespace braid
