// How far instruction sets are from `ref`, and from each other: the Kullback-Leibler divergence of
// what the demo model foretells over a text of its own world, token by token.
//
// The demo has bf16 weights, which meet f32 inputs everywhere. Quantised twins of it meet inputs
// that are rounded to int8, which `ref` does not do, and where a rounding falls the other way two
// sets differ as much as each does from `ref`.
#include "base/check.h"
#include "device/cpu/cpu_device.h"
#include "engine/engine.h"
#include "format/open.h"
#include "tests/quantised_file.h"
#include "text/model_text.h"
#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

namespace braid {
namespace {

constexpr const char* kText =
    "This is a story about Pim. One winter night, Pim was in the net loft, and the first snow was "
    "falling. He was bored. So he ran through the streets and shouted: \"The bakery is on fire!\" "
    "People dropped everything and ran, but there was nothing to see. Pim laughed and laughed. He "
    "did it two times, and each time fewer people came.\n\nThen, on a stormy evening, it was true. "
    "Pim ran from door to door and cried: \"The bakery is on fire!\" But nobody came. \"We know "
    "your jokes,\" they said and went on eating. Only Petra heard that the voice was different, "
    "and she rang the bell. So it ended well, but only just.";

std::unique_ptr<TensorFile> demo() {
  return open_model_file(BRAID_TEST_DATA "/../../assets/braid-demo.gguf");
}

// The demo in a type; rows that are no whole blocks of it, and the embedding, in Q8_0.
std::unique_ptr<TensorFile> quantised(DType type) {
  return std::make_unique<test::QuantisedFile>(demo(), [type](const FileTensor& t) {
    if (t.name.find("ssm_conv1d") != std::string::npos || t.name.ends_with("ffn_gate_inp.weight"))
      return t.dtype;
    const bool whole = t.columns() % info(type).block == 0;
    return whole && t.name != "token_embd.weight" ? type : DType::Q8_0;
  });
}

using Foretold = std::vector<std::vector<double>>;  // log-probabilities at each position

// All tokens at once, as a prompt is read, or one by one.
Foretold foretold(const TensorFile& file, const std::string& device, const std::string& isa,
                  int64_t rows) {
  const auto opened = open_device(device, {.threads = 1, .isa = isa});
  const ModelText text = read_model_text(file);
  const std::vector<int32_t> tokens = Tokenizer(text.vocabulary).encode(kText);
  CHECK(tokens.size() > 100);
  EngineOptions options;
  options.context = options.ubatch = options.logit_rows = static_cast<int64_t>(tokens.size());
  Engine engine(file, *opened, options);
  Sequence sequence = engine.new_sequence();
  Foretold all;
  for (size_t at = 0; at < tokens.size(); at += static_cast<size_t>(rows)) {
    const auto n = std::min(static_cast<size_t>(rows), tokens.size() - at);
    const Feed feed{&sequence, std::span(tokens).subspan(at, n), static_cast<int>(n)};
    engine.step({&feed, 1});
    for (size_t r = 0; r < n; ++r) {
      const auto logits = engine.logits(static_cast<int64_t>(r));
      const double largest = *std::max_element(logits.begin(), logits.end());
      double sum = 0;
      for (const float x : logits) sum += std::exp(x - largest);
      std::vector<double>& row = all.emplace_back();
      for (const float x : logits) row.push_back(x - largest - std::log(sum));
    }
  }
  return all;
}

struct Divergence {
  double mean = 0, largest = 0;
};

Divergence divergence(const Foretold& from, const Foretold& to) {
  CHECK(from.size() == to.size());
  Divergence d;
  for (size_t t = 0; t < from.size(); ++t) {
    double sum = 0;
    for (size_t i = 0; i < from[t].size(); ++i)
      sum += std::exp(from[t][i]) * (from[t][i] - to[t][i]);
    d.mean += sum / static_cast<double>(from.size());
    d.largest = std::max(d.largest, sum);
  }
  return d;
}

struct Bounds {
  double from_ref, from_best;  // of the mean
};

void compare(const TensorFile& file, const char* name, Bounds bounds) {
  const Foretold ref = foretold(file, "ref", "", 1024);
  Foretold best;
  for (const std::string& isa : cpu::usable_isas()) {
    const Foretold here = foretold(file, "cpu", isa, 1024);
    if (best.empty()) best = here;
    const Divergence far = divergence(ref, here), near = divergence(best, here);
    fmt::print("{:<8} {:<12} from ref: mean {:.2e}, largest {:.2e}; from {}: {:.2e}, {:.2e}\n",
               name, isa, far.mean, far.largest, cpu::usable_isas().front(), near.mean,
               near.largest);
    EXPECT_LT(far.mean, bounds.from_ref) << isa;
    EXPECT_LT(near.mean, bounds.from_best) << isa;
    EXPECT_LT(std::abs(far.mean), 1) << "not a number";
  }
}

TEST(Divergence, Demo) { compare(*demo(), "BF16", {1e-8, 1e-8}); }
TEST(Divergence, Quantised8) { compare(*quantised(DType::Q8_0), "Q8_0", {1e-4, 1e-4}); }
TEST(Divergence, Quantised4) { compare(*quantised(DType::Q4_K), "Q4_K", {1e-4, 1e-4}); }

// What is measured tells models apart that differ as little as quantised ones do.
TEST(Divergence, TellsAQuantisedModelFromItsOriginal) {
  const Foretold original = foretold(*demo(), "cpu", "", 1024);
  EXPECT_GT(divergence(original, foretold(*quantised(DType::Q8_0), "cpu", "", 1024)).mean, 1e-5);
  EXPECT_GT(divergence(original, foretold(*quantised(DType::Q4_K), "cpu", "", 1024)).mean, 1e-4);
}

}  // namespace
}  // namespace braid
