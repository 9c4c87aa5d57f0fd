#include "tools/sampler_json.h"

#include "server/api_test_support.h"
#include "server/sampling_fields.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <limits>

namespace braid {
namespace {

// Every option as text; a new one does not compile until it stands here.
std::vector<std::string> values(const SamplerOptions& options) {
  const auto& [samplers, temperature, top_k, top_p, min_p, typical_p, top_n_sigma, min_keep,
               xtc_probability, xtc_threshold, repeat_last_n, repeat_penalty, frequency_penalty,
               presence_penalty, dry_multiplier, dry_base, dry_allowed_length, dry_penalty_last_n,
               dry_sequence_breakers, adaptive_target, adaptive_decay, adaptive_updt_w_cur,
               logit_bias, ends, seed] = options;  // ends: no option, the server sets them
  std::vector<std::string> texts;
  const auto add = [&](const auto&... value) { (texts.push_back(fmt::format("{}", value)), ...); };
  std::vector<std::string_view> stages;
  for (const SamplerStage stage : samplers) stages.push_back(name_of(stage));
  add(stages, temperature, top_k, top_p, min_p, typical_p, top_n_sigma, min_keep, xtc_probability,
      xtc_threshold, repeat_last_n, repeat_penalty, frequency_penalty, presence_penalty,
      dry_multiplier, dry_base, dry_allowed_length, dry_penalty_last_n, dry_sequence_breakers,
      adaptive_target, adaptive_decay, adaptive_updt_w_cur, logit_bias, seed);
  return texts;
}

TEST(SamplerJson, OnlyWhatIsSet) {
  SamplerOverrides o;
  EXPECT_EQ(sampler_json(o).dump(), "{}");
  o.temperature = 0.7F;
  o.top_k = 20;
  o.seed = -1;  // a random one, which needs no field
  o.dry_sequence_breakers = {"\n"};
  o.logit_bias = {{7, -std::numeric_limits<float>::infinity()}};
  EXPECT_EQ(
      sampler_json(o).dump(),
      R"({"temperature":0.7,"top_k":20,"dry_sequence_breakers":["\n"],"logit_bias":{"7":-100.0}})");
}

TEST(SamplerJson, BraidsServerReadsEveryOptionAsItWasMeant) {
  test::ServedDemo demo;
  SamplerOverrides o;
  o.samplers = {SamplerStage::kTopP, SamplerStage::kTemperature, SamplerStage::kDry};
  o.temperature = 0.7F, o.top_p = 0.6F, o.min_p = 0.02F, o.typical_p = 0.9F, o.top_n_sigma = 1.5F;
  o.top_k = 20, o.min_keep = 2;
  o.xtc_probability = 0.3F, o.xtc_threshold = 0.2F;
  o.repeat_last_n = 77, o.repeat_penalty = 1.1F, o.frequency_penalty = 0.3F;
  o.presence_penalty = -0.4F;
  o.dry_multiplier = 0.8F, o.dry_base = 1.6F, o.dry_allowed_length = 3, o.dry_penalty_last_n = 99;
  o.dry_sequence_breakers = {"\n", "\"é"};
  o.adaptive_target = 0.4F, o.adaptive_decay = 0.8F, o.adaptive_updt_w_cur = true;
  o.logit_bias = {{7, -1.5F}, {300, 2}};
  o.seed = 5;
  const nlohmann::ordered_json json = nlohmann::ordered_json::parse(sampler_json(o).dump());
  Fields fields(json);
  const auto read = values(read_sampling(fields, demo.model()));
  fields.finish();
  EXPECT_EQ(read, values(resolve(o, demo.sampling())));
  const auto without = values(demo.sampling());
  for (size_t i = 0; i < read.size(); ++i) EXPECT_NE(read[i], without[i]) << i;
}

}  // namespace
}  // namespace braid
