#include "sample/options.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace braid {
namespace {

struct StageName {
  SamplerStage stage;
  std::string_view name;
  std::string_view other_name;
  std::string_view letters;
};

constexpr std::array kStages = {
    StageName{SamplerStage::kPenalties, "penalties", "", "e"},
    StageName{SamplerStage::kDry, "dry", "", "d"},
    StageName{SamplerStage::kTopNSigma, "top_n_sigma", "", "sn"},
    StageName{SamplerStage::kTopK, "top_k", "", "k"},
    StageName{SamplerStage::kTypical, "typical_p", "typical", "y"},
    StageName{SamplerStage::kTopP, "top_p", "nucleus", "p"},
    StageName{SamplerStage::kMinP, "min_p", "", "m"},
    StageName{SamplerStage::kXtc, "xtc", "", "x"},
    StageName{SamplerStage::kTemperature, "temperature", "temp", "t"},
    StageName{SamplerStage::kAdaptiveP, "adaptive_p", "", "wa"},
    StageName{SamplerStage::kInfill, "infill", "", "i"},
};

void add_stage(std::vector<SamplerStage>& stages, SamplerStage stage, std::string_view given) {
  if (std::ranges::find(stages, stage) != stages.end()) {
    fail("samplers '{}': {} is named twice; name each stage once", given, name_of(stage));
  }
  stages.push_back(stage);
}

std::string all_names() {
  std::string names;
  for (const StageName& s : kStages)
    names += fmt::format("{}{}", names.empty() ? "" : ", ", s.name);
  return names;
}

std::string all_letters() {
  std::string letters;
  for (const StageName& s : kStages) {
    letters += fmt::format("{}{} {}", letters.empty() ? "" : ", ", s.letters.substr(0, 1), s.name);
  }
  return letters;
}

void in_range(std::string_view name, float value, float low, float high,
              std::string_view note = {}) {
  if (value >= low && value <= high) return;  // false for NaN
  fail("{} is {}; it must be from {} to {}{}{}", name, value, low, high, note.empty() ? "" : ", ",
       note);
}

void at_least(std::string_view name, int64_t value, int64_t low, std::string_view note) {
  if (value < low) fail("{} is {}; it must be at least {}, {}", name, value, low, note);
}

constexpr float kMost = 1e6f;  // far beyond use; what keeps sums of logits finite

void check_bias(const std::map<int32_t, float>& bias) {
  constexpr float kBan = -std::numeric_limits<float>::infinity();
  for (const auto& [id, value] : bias) {
    if (id < 0) fail("logit_bias names token {}; ids begin at 0", id);
    if (value == kBan) continue;
    in_range(fmt::format("logit_bias of token {}", id), value, -kMost, kMost, "or -inf for a ban");
  }
}

}  // namespace

std::vector<SamplerStage> default_samplers() {
  std::vector<SamplerStage> stages;
  for (const StageName& s : kStages)
    if (s.stage != SamplerStage::kInfill) stages.push_back(s.stage);
  return stages;
}

std::vector<SamplerStage> samplers_from_names(std::string_view names) {
  std::vector<SamplerStage> stages;
  for (size_t begin = 0; begin <= names.size();) {
    const size_t end = std::min(names.find(';', begin), names.size());
    std::string name(names.substr(begin, end - begin));
    begin = end + 1;
    if (name.empty()) continue;
    std::ranges::replace(name, '-', '_');
    const auto known = std::ranges::find_if(kStages, [&](const StageName& s) {
      return name == s.name || (!s.other_name.empty() && name == s.other_name);
    });
    if (known == kStages.end()) {
      fail("samplers '{}': there is no stage '{}'; known are {}", names, name, all_names());
    }
    add_stage(stages, known->stage, names);
  }
  return stages;
}

std::vector<SamplerStage> samplers_from_letters(std::string_view letters) {
  std::vector<SamplerStage> stages;
  for (const char letter : letters) {
    const auto known = std::ranges::find_if(kStages, [&](const StageName& s) {
      return s.letters.find(letter) != std::string_view::npos;
    });
    if (known == kStages.end()) {
      fail("sampling sequence '{}': no stage has the letter '{}'; known are {}", letters, letter,
           all_letters());
    }
    add_stage(stages, known->stage, letters);
  }
  return stages;
}

std::string_view name_of(SamplerStage stage) {
  return std::ranges::find(kStages, stage, &StageName::stage)->name;
}

void SamplerOptions::validate() const {
  in_range("temperature", temperature, -kMost, kMost, "0 and below for the most likely token");
  in_range("top_p", top_p, 0, 1, "1 for off");
  in_range("min_p", min_p, 0, 1, "0 for off");
  in_range("typical_p", typical_p, 0, 1, "1 for off");
  in_range("top_n_sigma", top_n_sigma, -kMost, kMost, "0 and below for off");
  at_least("min_keep", min_keep, 0, "0 for no such limit");
  in_range("xtc_probability", xtc_probability, 0, 1, "0 for off");
  in_range("xtc_threshold", xtc_threshold, 0, 1, "above 0.5 without effect");
  at_least("repeat_last_n", repeat_last_n, -1, "0 for off and -1 for all tokens");
  in_range("repeat_penalty", repeat_penalty, 0.01f, 100, "1 for off");
  in_range("frequency_penalty", frequency_penalty, -100, 100, "0 for off");
  in_range("presence_penalty", presence_penalty, -100, 100, "0 for off");
  in_range("dry_multiplier", dry_multiplier, 0, kMost, "0 for off");
  if (dry_base != 0) in_range("dry_base", dry_base, 1, kMost, "or 0 for off");
  at_least("dry_allowed_length", dry_allowed_length, 0, "in tokens");
  at_least("dry_penalty_last_n", dry_penalty_last_n, -1, "0 for off and -1 for all tokens");
  for (const std::string& breaker : dry_sequence_breakers) {
    constexpr size_t kLongest = 256;
    if (breaker.empty() || breaker.size() > kLongest) {
      fail("a dry_sequence_breaker has {} bytes; it must have 1 to {}", breaker.size(), kLongest);
    }
  }
  in_range("adaptive_target", adaptive_target, -kMost, 1, "below 0 for off");
  in_range("adaptive_decay", adaptive_decay, 0, 0.99f);
  check_bias(logit_bias);
}

bool SamplerOptions::penalties_on() const {
  return repeat_last_n != 0 &&
         (repeat_penalty != 1 || frequency_penalty != 0 || presence_penalty != 0);
}

bool SamplerOptions::dry_on() const {
  return dry_multiplier > 0 && dry_base >= 1 && dry_penalty_last_n != 0 &&
         std::ranges::find(samplers, SamplerStage::kDry) != samplers.end();
}

void apply_defaults(const SamplingDefaults& defaults, std::string_view source,
                    SamplerOptions& options) {
  SamplerOptions changed = options;
  const auto put = [](const auto& from, auto& to) {
    if (from) to = *from;
  };
  put(defaults.temperature, changed.temperature);
  put(defaults.top_k, changed.top_k);
  put(defaults.top_p, changed.top_p);
  put(defaults.min_p, changed.min_p);
  put(defaults.xtc_probability, changed.xtc_probability);
  put(defaults.xtc_threshold, changed.xtc_threshold);
  put(defaults.repeat_last_n, changed.repeat_last_n);
  put(defaults.repeat_penalty, changed.repeat_penalty);
  try {
    if (defaults.sequence) changed.samplers = samplers_from_names(*defaults.sequence);
    changed.validate();
  } catch (const Error& error) {
    fail("{}: the sampling that it recommends: {}", source, error.what());
  }
  options = std::move(changed);
}

}  // namespace braid
