#include "sample/model_defaults.h"

#include "base/check.h"
#include "format/gguf_writer.h"
#include "format/json.h"
#include "format/json_config.h"
#include "format/open.h"
#include "format/test_files.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace braid {
namespace {

using test::error_of;

SamplingDefaults of_gguf(const std::function<void(GgufWriter&)>& fill) {
  const test::TemporaryFolder folder;
  GgufWriter out(folder / "model.gguf");
  out.add("general.architecture", "qwen3next");
  fill(out);
  out.finish();
  return read_sampling_defaults(*open_model_file(folder / "model.gguf"));
}

TEST(ModelDefaults, EveryKeyOfAGguf) {
  const SamplingDefaults d = of_gguf([](GgufWriter& out) {
    out.add("general.sampling.sequence", "top_k;temperature");
    out.add("general.sampling.temp", 0.7f);
    out.add("general.sampling.top_k", int32_t{20});
    out.add("general.sampling.top_p", 0.8f);
    out.add("general.sampling.min_p", 0.25f);
    out.add("general.sampling.xtc_probability", 0.5f);
    out.add("general.sampling.xtc_threshold", 0.125f);
    out.add("general.sampling.penalty_last_n", int32_t{32});
    out.add("general.sampling.penalty_repeat", 1.5f);
  });
  EXPECT_EQ(d.sequence, "top_k;temperature");
  EXPECT_EQ(d.temperature, 0.7f);
  EXPECT_EQ(d.top_k, 20);
  EXPECT_EQ(d.top_p, 0.8f);
  EXPECT_EQ(d.min_p, 0.25f);
  EXPECT_EQ(d.xtc_probability, 0.5f);
  EXPECT_EQ(d.xtc_threshold, 0.125f);
  EXPECT_EQ(d.repeat_last_n, 32);
  EXPECT_EQ(d.repeat_penalty, 1.5f);
}

TEST(ModelDefaults, AModelThatSaysNothingLeavesTheOptions) {
  SamplerOptions options;
  apply_defaults(of_gguf([](GgufWriter&) {}), "model.gguf", options);
  EXPECT_EQ(options.temperature, SamplerOptions{}.temperature);
  EXPECT_EQ(options.samplers, default_samplers());
}

TEST(ModelDefaults, WrongKindsAreErrors) {
  const auto error = [](const std::function<void(GgufWriter&)>& fill) {
    return error_of([&] { of_gguf(fill); });
  };
  EXPECT_NE(error([](GgufWriter& out) {
              out.add("general.sampling.top_k", "20");
            }).find("general.sampling.top_k"),
            std::string::npos);
  EXPECT_NE(error([](GgufWriter& out) {
              out.add("general.sampling.temp", 1e300);
            }).find("general.sampling.temp"),
            std::string::npos);
  EXPECT_NE(error([](GgufWriter& out) {
              out.add("general.sampling.penalty_last_n", int64_t{1} << 40);
            }).find("general.sampling.penalty_last_n"),
            std::string::npos);
}

SamplingDefaults of_json(const char* text) {
  return read_sampling_defaults(JsonConfig("g.json", parse_json("g.json", text)));
}

TEST(ModelDefaults, GenerationConfig) {
  const SamplingDefaults d = of_json(
      R"({"do_sample": true, "temperature": 0.5, "top_k": 20, "top_p": 0.75, "min_p": 0.25,
          "repetition_penalty": 1.25, "eos_token_id": [1, 2]})");
  EXPECT_EQ(d.temperature, 0.5f);
  EXPECT_EQ(d.top_k, 20);
  EXPECT_EQ(d.top_p, 0.75f);
  EXPECT_EQ(d.min_p, 0.25f);
  EXPECT_EQ(d.repeat_penalty, 1.25f);
  EXPECT_EQ(d.repeat_last_n, -1);
  EXPECT_FALSE(d.sequence.has_value());
  EXPECT_EQ(of_json(R"({"do_sample": false, "temperature": 0.5})").temperature, 0.f);
  EXPECT_FALSE(of_json("{}").temperature.has_value());
  EXPECT_FALSE(of_json("{}").repeat_last_n.has_value());
}

class Folder : public TensorFile {
 public:
  explicit Folder(const std::string& path) { path_ = path; }
};

TEST(ModelDefaults, TheFileOfAFolder) {
  const test::TemporaryFolder folder;
  EXPECT_FALSE(read_sampling_defaults(Folder(folder.path())).top_k.has_value());
  folder.write("generation_config.json", R"({"top_k": 7})");
  EXPECT_EQ(read_sampling_defaults(Folder(folder.path())).top_k, 7);
  EXPECT_EQ(read_sampling_defaults(Folder(folder / "model.safetensors")).top_k, 7);
  folder.write("generation_config.json", R"({"top_k": "many"})");
  EXPECT_NE(error_of([&] {
              read_sampling_defaults(Folder(folder.path()));
            }).find("generation_config.json"),
            std::string::npos);
}

}  // namespace
}  // namespace braid
