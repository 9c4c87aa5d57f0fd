#include "tools/chat_settings.h"

#include "base/check.h"
#include "tools/near_spelling.h"
#include "tools/sampler_json.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace braid {
namespace {

struct Shown {
  std::string_view name;
  std::string (*value)(const SamplerOptions& options);
};

template <auto member>
std::string number(const SamplerOptions& options) {
  return fmt::format("{}", options.*member);
}

std::string stages(const SamplerOptions& options) {
  std::string text;
  for (const SamplerStage stage : options.samplers)
    text += fmt::format("{}{}", text.empty() ? "" : ";", name_of(stage));
  return text;
}

constexpr Shown kShown[] = {
    {"temp", number<&SamplerOptions::temperature>},
    {"top_k", number<&SamplerOptions::top_k>},
    {"top_p", number<&SamplerOptions::top_p>},
    {"min_p", number<&SamplerOptions::min_p>},
    {"typical_p", number<&SamplerOptions::typical_p>},
    {"top_n_sigma", number<&SamplerOptions::top_n_sigma>},
    {"xtc_probability", number<&SamplerOptions::xtc_probability>},
    {"xtc_threshold", number<&SamplerOptions::xtc_threshold>},
    {"repeat_penalty", number<&SamplerOptions::repeat_penalty>},
    {"repeat_last_n", number<&SamplerOptions::repeat_last_n>},
    {"presence_penalty", number<&SamplerOptions::presence_penalty>},
    {"frequency_penalty", number<&SamplerOptions::frequency_penalty>},
    {"dry_multiplier", number<&SamplerOptions::dry_multiplier>},
    {"dry_base", number<&SamplerOptions::dry_base>},
    {"dry_allowed_length", number<&SamplerOptions::dry_allowed_length>},
    {"dry_penalty_last_n", number<&SamplerOptions::dry_penalty_last_n>},
    {"adaptive_target", number<&SamplerOptions::adaptive_target>},
    {"adaptive_decay", number<&SamplerOptions::adaptive_decay>},
    {"samplers", stages},
    {"seed", number<&SamplerOptions::seed>},
};

std::string option_name(std::string_view name) {
  name.remove_prefix(std::min(name.size(), name.find_first_not_of('-')));
  std::string option(name);
  std::replace(option.begin(), option.end(), '_', '-');
  return "--" + option;
}

}  // namespace

void ChatSettings::set(std::string_view name, const std::string& value) {
  ChatSettings changed = *this;
  CLI::App options;
  options.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  options.set_help_flag();
  add_sampler_options(options, changed.sampler);
  options.add_option("-n,--n-predict,--predict", changed.n_predict);
  const std::string option = option_name(name);
  if (options.get_option_no_throw(option) == nullptr)
    fail("there is no setting \"{}\"{} (/set shows them)", name, did_you_mean(name, names()));
  try {
    options.parse(std::vector<std::string>{option + "=" + value});
  } catch (const CLI::ParseError& error) {
    fail("{}", error.what());
  }
  changed.resolved();  // judges the value
  *this = std::move(changed);
}

std::string ChatSettings::text() const {
  if (elsewhere) {
    std::string text;
    const nlohmann::ordered_json set = sampler_json(sampler);
    for (const auto& [name, value] : set.items())
      text += fmt::format("{:<20} {}\n", name, value.dump());
    if (n_predict >= 0) text += fmt::format("{:<20} {}\n", "n_predict", n_predict);
    return text + "All else is as the server has it.";
  }
  const SamplerOptions options = resolved();
  std::string text;
  for (const Shown& shown : kShown)
    text += fmt::format("{:<20} {}\n", shown.name, shown.value(options));
  return text + fmt::format("{:<20} {}", "n_predict", n_predict);
}

std::vector<std::string> ChatSettings::names() {
  std::vector<std::string> names;
  for (const Shown& shown : kShown) names.emplace_back(shown.name);
  names.emplace_back("n_predict");
  return names;
}

}  // namespace braid
