#include "sample/options.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "base/check.h"

namespace braid {
namespace {

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(SamplerOptions, EveryRangeIsChecked) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  struct Row {
    std::string name;
    std::function<void(SamplerOptions&)> set;
  };
  using O = SamplerOptions;
  const std::vector<Row> rows = {
      {"temperature", [](O& o) { o.temperature = kNan; }},
      {"temperature", [](O& o) { o.temperature = kInfinity; }},
      {"top_p", [](O& o) { o.top_p = 1.5f; }},
      {"top_p", [](O& o) { o.top_p = -0.1f; }},
      {"min_p", [](O& o) { o.min_p = 2; }},
      {"typical_p", [](O& o) { o.typical_p = kNan; }},
      {"top_n_sigma", [](O& o) { o.top_n_sigma = kInfinity; }},
      {"min_keep", [](O& o) { o.min_keep = -1; }},
      {"xtc_probability", [](O& o) { o.xtc_probability = 1.1f; }},
      {"xtc_threshold", [](O& o) { o.xtc_threshold = -1; }},
      {"repeat_last_n", [](O& o) { o.repeat_last_n = -2; }},
      {"repeat_penalty", [](O& o) { o.repeat_penalty = 0; }},
      {"frequency_penalty", [](O& o) { o.frequency_penalty = kInfinity; }},
      {"presence_penalty", [](O& o) { o.presence_penalty = -101; }},
      {"dry_multiplier", [](O& o) { o.dry_multiplier = -1; }},
      {"dry_base", [](O& o) { o.dry_base = 0.5f; }},
      {"dry_allowed_length", [](O& o) { o.dry_allowed_length = -1; }},
      {"dry_penalty_last_n", [](O& o) { o.dry_penalty_last_n = -2; }},
      {"dry_sequence_breaker", [](O& o) { o.dry_sequence_breakers = {""}; }},
      {"dry_sequence_breaker", [](O& o) { o.dry_sequence_breakers = {std::string(257, 'x')}; }},
      {"adaptive_target", [](O& o) { o.adaptive_target = 1.1f; }},
      {"adaptive_decay", [](O& o) { o.adaptive_decay = 1; }},
      {"logit_bias", [](O& o) { o.logit_bias[3] = kNan; }},
      {"logit_bias", [](O& o) { o.logit_bias[3] = kInfinity; }},
      {"logit_bias", [](O& o) { o.logit_bias[-3] = 1; }},
  };
  SamplerOptions().validate();
  for (const Row& row : rows) {
    SamplerOptions options;
    row.set(options);
    EXPECT_NE(error_of([&] { options.validate(); }).find(row.name), std::string::npos) << row.name;
  }
}

TEST(SamplerOptions, ErrorsNameOptionValueAndRange) {
  SamplerOptions options;
  options.top_p = 1.1f;
  EXPECT_EQ(error_of([&] { options.validate(); }),
            "top_p is 1.1; it must be from 0 to 1, 1 for off");
  options = {};
  options.repeat_last_n = -7;
  EXPECT_EQ(error_of([&] { options.validate(); }),
            "repeat_last_n is -7; it must be at least -1, 0 for off and -1 for all tokens");
}

TEST(SamplerOptions, EdgesAreAllowed) {
  SamplerOptions options;
  options.temperature = -1;  // means greedy elsewhere too
  options.top_k = -1;
  options.top_p = 0;
  options.dry_base = 0;
  options.adaptive_target = 1;
  options.adaptive_decay = 0.99f;
  options.logit_bias[0] = -std::numeric_limits<float>::infinity();
  options.validate();
}

TEST(SamplerOrder, NamesAndLetters) {
  using S = SamplerStage;
  const std::vector<S> expected = {S::kTopK, S::kTopP, S::kTemperature, S::kTypical};
  EXPECT_EQ(samplers_from_names("top_k;top_p;temperature;typical_p"), expected);
  EXPECT_EQ(samplers_from_names("top-k;nucleus;;temp;typical"), expected);
  EXPECT_EQ(samplers_from_letters("kpty"), expected);
  EXPECT_EQ(samplers_from_letters("edskypmxtw"), default_samplers());
  EXPECT_EQ(samplers_from_letters("ednkypmxta"), default_samplers());
  EXPECT_TRUE(samplers_from_names("").empty());
  std::string names;
  for (const S stage : default_samplers()) names += std::string(name_of(stage)) + ";";
  EXPECT_EQ(samplers_from_names(names), default_samplers());
}

TEST(SamplerOrder, UnknownAndRepeatedStagesAreRefused) {
  EXPECT_NE(error_of([] { samplers_from_names("top_k;tfs_z"); }).find("no stage 'tfs_z'"),
            std::string::npos);
  EXPECT_NE(error_of([] { samplers_from_letters("kf"); }).find("letter 'f'"), std::string::npos);
  EXPECT_NE(error_of([] { samplers_from_names("top_k;top-k"); }).find("named twice"),
            std::string::npos);
  EXPECT_NE(error_of([] { samplers_from_letters("sn"); }).find("named twice"), std::string::npos);
}

TEST(SamplingDefaults, FillWhatTheFileSays) {
  SamplerOptions options;
  apply_defaults({}, "model.gguf", options);
  EXPECT_EQ(options.top_k, 40);
  SamplingDefaults defaults;
  defaults.temperature = 1.0f;
  defaults.top_k = 20;
  defaults.sequence = "top_k;temperature";
  apply_defaults(defaults, "model.gguf", options);
  EXPECT_EQ(options.temperature, 1.0f);
  EXPECT_EQ(options.top_k, 20);
  EXPECT_EQ(options.top_p, 0.95f);
  EXPECT_EQ(options.samplers, samplers_from_letters("kt"));
}

TEST(SamplingDefaults, ABadFileIsNamedAndChangesNothing) {
  SamplingDefaults defaults;
  defaults.top_k = 20;
  defaults.min_p = 7.0f;
  SamplerOptions options;
  const std::string text = error_of([&] { apply_defaults(defaults, "model.gguf", options); });
  EXPECT_NE(text.find("model.gguf"), std::string::npos);
  EXPECT_NE(text.find("min_p is 7"), std::string::npos);
  EXPECT_EQ(options.top_k, 40);
}

}  // namespace
}  // namespace braid
