#include "tools/sampler_options.h"

#include "base/check.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace braid {
namespace {

using Strings = std::vector<std::string>;

SamplerOverrides parsed(Strings arguments) {
  CLI::App app;
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  SamplerOverrides overrides;
  add_sampler_options(app, overrides);
  std::reverse(arguments.begin(), arguments.end());
  app.parse(arguments);
  return overrides;
}

SamplerOptions resolved(Strings arguments, const SamplerOptions& defaults = {}) {
  return resolve(parsed(std::move(arguments)), defaults);
}

void expect_refused(const Strings& arguments, const std::string& part) {
  try {
    resolved(arguments);
    ADD_FAILURE() << arguments[0] << " was taken";
  } catch (const std::exception& error) {
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(SamplerOptionGroup, EachNumberReachesItsField) {
  const auto f = [](auto field, const Strings& names) {
    for (const std::string& name : names) {
      const SamplerOptions o = resolved({name, "1"});
      EXPECT_EQ(static_cast<double>(o.*field), 1.0) << name;
    }
  };
  using O = SamplerOptions;
  f(&O::temperature, {"--temp", "--temperature"});
  f(&O::top_k, {"--top-k"});
  f(&O::top_p, {"--top-p"});
  f(&O::min_p, {"--min-p"});
  f(&O::top_n_sigma, {"--top-nsigma", "--top-n-sigma"});
  f(&O::min_keep, {"--min-keep"});
  f(&O::xtc_probability, {"--xtc-probability"});
  f(&O::xtc_threshold, {"--xtc-threshold"});
  f(&O::repeat_last_n, {"--repeat-last-n"});
  f(&O::presence_penalty, {"--presence-penalty"});
  f(&O::frequency_penalty, {"--frequency-penalty"});
  f(&O::dry_multiplier, {"--dry-multiplier"});
  f(&O::dry_base, {"--dry-base"});
  f(&O::dry_allowed_length, {"--dry-allowed-length"});
  f(&O::dry_penalty_last_n, {"--dry-penalty-last-n"});
  f(&O::adaptive_target, {"--adaptive-target"});
  f(&O::seed, {"-s", "--seed"});
  // Where 1 is the default.
  EXPECT_FLOAT_EQ(resolved({"--typical", "0.5"}).typical_p, 0.5f);
  EXPECT_FLOAT_EQ(resolved({"--typical-p", "0.25"}).typical_p, 0.25f);
  EXPECT_FLOAT_EQ(resolved({"--repeat-penalty", "1.25"}).repeat_penalty, 1.25f);
  EXPECT_FLOAT_EQ(resolved({"--adaptive-decay", "0.5"}).adaptive_decay, 0.5f);
  EXPECT_TRUE(resolved({"--adaptive-updt-w-cur"}).adaptive_updt_w_cur);
  EXPECT_EQ(resolved({"--top-k", "-1"}).top_k, -1);
  EXPECT_EQ(resolved({"--seed", "4294967296"}).seed, int64_t{1} << 32);
}

TEST(SamplerOptionGroup, OnlyWhatWasGivenOverridesTheModel) {
  SamplerOptions model;
  model.temperature = 0.3f;
  model.top_k = 7;
  model.samplers = {SamplerStage::kTopK};
  model.logit_bias = {{1, 2.f}};
  const SamplerOptions none = resolved({}, model);
  EXPECT_EQ(none.temperature, 0.3f);
  EXPECT_EQ(none.top_k, 7);
  EXPECT_EQ(none.samplers, model.samplers);
  const SamplerOptions some = resolved({"--temp", "0", "-l", "2+1"}, model);
  EXPECT_EQ(some.temperature, 0.f);
  EXPECT_EQ(some.top_k, 7);
  EXPECT_EQ(some.logit_bias, (std::map<int32_t, float>{{1, 2.f}, {2, 1.f}}));
}

TEST(SamplerOptionGroup, TheLaterOfTwoCounts) {
  EXPECT_EQ(resolved({"--top-k", "1", "--top-k", "2"}).top_k, 2);
  EXPECT_EQ(resolved({"--samplers", "top_k", "--samplers", "top_p"}).samplers,
            std::vector{SamplerStage::kTopP});
}

TEST(SamplerOptionGroup, OrdersAndLists) {
  EXPECT_EQ(resolved({"--samplers", "top_k;temp"}).samplers,
            (std::vector{SamplerStage::kTopK, SamplerStage::kTemperature}));
  for (const char* name : {"--sampling-seq", "--sampler-seq"})
    EXPECT_EQ(resolved({name, "pm"}).samplers,
              (std::vector{SamplerStage::kTopP, SamplerStage::kMinP}));
  EXPECT_EQ(resolved({"--dry-sequence-breaker", "\\n", "--dry-sequence-breaker", "[x]"})
                .dry_sequence_breakers,
            (Strings{"\n", "[x]"}));
  EXPECT_TRUE(resolved({"--dry-sequence-breaker", "none"}).dry_sequence_breakers.empty());
  const auto bias = resolved({"-l", "3+1", "--logit-bias", "4-inf", "-l", "5-0.5"}).logit_bias;
  EXPECT_EQ(bias.at(3), 1.f);
  EXPECT_EQ(bias.at(4), -std::numeric_limits<float>::infinity());
  EXPECT_EQ(bias.at(5), -0.5f);
}

TEST(SamplerOptionGroup, ARepeatedOptionTakesOneValueEach) {
  int extra = 0;
  CLI::App app;
  SamplerOverrides overrides;
  add_sampler_options(app, overrides);
  app.add_option("N", extra);
  app.parse(Strings{"7", "3+1", "-l"});  // last argument first
  EXPECT_EQ(extra, 7);
  EXPECT_EQ(overrides.logit_bias.size(), 1u);
}

TEST(SamplerOptionGroup, BadValuesAreErrors) {
  expect_refused({"--temp", "hot"}, "--temp");
  expect_refused({"--temp", "nan"}, "temperature");
  expect_refused({"--top-p", "1.5"}, "top_p is 1.5");
  expect_refused({"--top-k", "1.5"}, "--top-k");
  expect_refused({"--samplers", "top_q"}, "--samplers: samplers 'top_q'");
  expect_refused({"--sampling-seq", "kz"}, "--sampling-seq: ");
  expect_refused({"--dry-sequence-breaker", "\\x"}, "--dry-sequence-breaker: ");
  for (const char* bad :
       {"", "3", "3+", "+1", "x+1", "3+x", "3+1x", "3 +1", "3--1", "3+-1", "3*1", "99999999999+1"})
    expect_refused({"-l", bad}, "logit bias");
}

}  // namespace
}  // namespace braid
