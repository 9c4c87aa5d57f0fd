#include "tools/sampler_options.h"

#include "base/check.h"

#include <fmt/format.h>

#include <charconv>

namespace braid {
namespace {

// An option whose text a function of ours reads; its Error becomes one about the command line.
template <class Read>
CLI::Option* add_read(CLI::App& command, const std::string& names, const std::string& help,
                      Read read) {
  const std::string name = names.substr(0, names.find(','));
  return command.add_option_function<std::string>(
      names,
      [read, name](const std::string& text) {
        try {
          read(text);
        } catch (const Error& error) {
          throw CLI::ValidationError(name, error.what());
        }
      },
      help);
}

// The same for an option that may be given several times. `read` gets all the values at once.
template <class Read>
void add_read_all(CLI::App& command, const std::string& names, const std::string& help,
                  const std::string& type, Read read) {
  const std::string name = names.substr(names.rfind(',') + 1);
  command
      .add_option_function<std::vector<std::string>>(
          names,
          [read, name](const std::vector<std::string>& texts) {
            try {
              read(texts);
            } catch (const Error& error) {
              throw CLI::ValidationError(name, error.what());
            }
          },
          help)
      ->type_name(type)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
}

template <class Value>
void add_number(CLI::App& command, const std::string& names, std::optional<Value>& into,
                const std::string& help) {
  command.add_option(names, into, help)->type_name(std::is_integral_v<Value> ? "N" : "X");
}

void add_truncation(CLI::App& command, SamplerOverrides& into, const SamplerOptions& d) {
  add_number(
      command, "--temp,--temperature", into.temperature,
      fmt::format("Temperature; 0: always the most likely token (default: {})", d.temperature));
  add_number(command, "--top-k", into.top_k,
             fmt::format("Keep the K most likely tokens; 0: all (default: {})", d.top_k));
  add_number(command, "--top-p", into.top_p,
             fmt::format("Keep the fewest tokens with this sum; 1: all (default: {})", d.top_p));
  add_number(command, "--min-p", into.min_p,
             fmt::format("Drop what is less likely than this part of the most likely (default: {})",
                         d.min_p));
  add_number(command, "--typical,--typical-p", into.typical_p,
             fmt::format("Locally typical sampling; 1: off (default: {})", d.typical_p));
  add_number(command, "--top-nsigma,--top-n-sigma", into.top_n_sigma,
             fmt::format("Keep logits within so many standard deviations of the best; 0: off "
                         "(default: {})",
                         d.top_n_sigma));
  add_number(command, "--min-keep", into.min_keep,
             fmt::format("Tokens that no stage goes below (default: {})", d.min_keep));
  add_number(command, "--xtc-probability", into.xtc_probability,
             fmt::format("How often XTC drops the likely tokens; 0: off (default: {})",
                         d.xtc_probability));
  add_number(command, "--xtc-threshold", into.xtc_threshold,
             fmt::format("What XTC takes for likely (default: {})", d.xtc_threshold));
  add_number(command, "--adaptive-target", into.adaptive_target,
             fmt::format("adaptive-p: the wanted probability of chosen tokens; below 0: off "
                         "(default: {})",
                         d.adaptive_target));
  add_number(
      command, "--adaptive-decay", into.adaptive_decay,
      fmt::format("adaptive-p: how slowly the past is forgotten (default: {})", d.adaptive_decay));
  command.add_flag("--adaptive-updt-w-cur", into.adaptive_updt_w_cur,
                   "adaptive-p: count probabilities after truncation");
}

void add_penalties(CLI::App& command, SamplerOverrides& into, const SamplerOptions& d) {
  add_number(
      command, "--repeat-last-n", into.repeat_last_n,
      fmt::format("Tokens that penalties look at; 0: off, -1: all (default: {})", d.repeat_last_n));
  add_number(command, "--repeat-penalty", into.repeat_penalty,
             fmt::format("Penalty of repetition; 1: off (default: {})", d.repeat_penalty));
  add_number(
      command, "--presence-penalty", into.presence_penalty,
      fmt::format("Once for a token that was there; 0: off (default: {})", d.presence_penalty));
  add_number(
      command, "--frequency-penalty", into.frequency_penalty,
      fmt::format("For each time that it was there; 0: off (default: {})", d.frequency_penalty));
  add_number(
      command, "--dry-multiplier", into.dry_multiplier,
      fmt::format("DRY, a penalty of repeated passages; 0: off (default: {})", d.dry_multiplier));
  add_number(command, "--dry-base", into.dry_base,
             fmt::format("DRY: growth with each further token (default: {})", d.dry_base));
  add_number(
      command, "--dry-allowed-length", into.dry_allowed_length,
      fmt::format("DRY: passages below this length are free (default: {})", d.dry_allowed_length));
  add_number(
      command, "--dry-penalty-last-n", into.dry_penalty_last_n,
      fmt::format("DRY: tokens looked at; 0: off, -1: all (default: {})", d.dry_penalty_last_n));
  add_read_all(command, "--dry-sequence-breaker",
               R"(DRY: a text that ends a passage; may be repeated, "none": no such texts )"
               R"((default: \n : " *))",
               "TEXT", [&into](const std::vector<std::string>& texts) {
                 std::vector<std::string> breakers;
                 for (const std::string& text : texts)
                   if (text != "none") breakers.push_back(unescape(text));
                 into.dry_sequence_breakers = breakers;
               });
}

}  // namespace

void add_sampler_options(CLI::App& command, SamplerOverrides& into) {
  const SamplerOptions d;
  command.option_defaults()->group("Sampling");
  add_truncation(command, into, d);
  add_penalties(command, into, d);
  add_read_all(command, "-l,--logit-bias",
               "ID+X or ID-X: what to add to a token's logit, -inf bans it; may be repeated",
               "BIAS", [&into](const std::vector<std::string>& texts) {
                 into.logit_bias.clear();
                 for (const std::string& text : texts) {
                   const auto [id, bias] = parse_logit_bias(text);
                   into.logit_bias[id] = bias;
                 }
               });
  add_read(command, "--samplers",
           "The stages and their order: penalties;dry;top_n_sigma;top_k;typical_p;top_p;min_p;xtc;"
           "temperature",
           [&into](const std::string& names) { into.samplers = samplers_from_names(names); })
      ->type_name("NAMES");
  add_read(command, "--sampling-seq,--sampler-seq", "The same in letters: edskypmxt",
           [&into](const std::string& letters) { into.samplers = samplers_from_letters(letters); })
      ->type_name("LETTERS");
  command
      .add_option("-s,--seed", into.seed,
                  "The same seed gives the same text; below 0: a random one (default: -1)")
      ->type_name("N");
  command.option_defaults()->group("Options");
}

SamplerOptions resolve(const SamplerOverrides& o, const SamplerOptions& model_defaults) {
  SamplerOptions out = model_defaults;
  const auto put = [](const auto& from, auto& to) {
    if (from) to = *from;
  };
  put(o.samplers, out.samplers);
  put(o.temperature, out.temperature);
  put(o.top_k, out.top_k);
  put(o.top_p, out.top_p);
  put(o.min_p, out.min_p);
  put(o.typical_p, out.typical_p);
  put(o.top_n_sigma, out.top_n_sigma);
  put(o.min_keep, out.min_keep);
  put(o.xtc_probability, out.xtc_probability);
  put(o.xtc_threshold, out.xtc_threshold);
  put(o.repeat_last_n, out.repeat_last_n);
  put(o.repeat_penalty, out.repeat_penalty);
  put(o.frequency_penalty, out.frequency_penalty);
  put(o.presence_penalty, out.presence_penalty);
  put(o.dry_multiplier, out.dry_multiplier);
  put(o.dry_base, out.dry_base);
  put(o.dry_allowed_length, out.dry_allowed_length);
  put(o.dry_penalty_last_n, out.dry_penalty_last_n);
  put(o.dry_sequence_breakers, out.dry_sequence_breakers);
  put(o.adaptive_target, out.adaptive_target);
  put(o.adaptive_decay, out.adaptive_decay);
  put(o.adaptive_updt_w_cur, out.adaptive_updt_w_cur);
  put(o.seed, out.seed);
  for (const auto& [id, bias] : o.logit_bias) out.logit_bias[id] = bias;
  out.validate();
  return out;
}

std::pair<int32_t, float> parse_logit_bias(const std::string& text) {
  const char* end = text.data() + text.size();
  int32_t id = 0;
  float bias = 0;
  const auto number = std::from_chars(text.data(), end, id);
  const bool sign = number.ec == std::errc() && number.ptr != text.data() && number.ptr != end &&
                    (*number.ptr == '+' || *number.ptr == '-');
  if (sign) {
    // from_chars knows no plus sign, and a second sign after ours must not pass.
    const char* digits = number.ptr + 1;
    const auto value = std::from_chars(digits, end, bias);
    if (digits != end && *digits != '-' && value.ec == std::errc() && value.ptr == end)
      return {id, *number.ptr == '-' ? -bias : bias};
  }
  fail("logit bias \"{}\": expected a token's id, a sign and a number, as in 15043+1 or 15043-inf",
       text);
}

std::string unescape(const std::string& text, OtherEscapes others) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    constexpr std::string_view kLetters = "ntr\"'\\", kMeanings = "\n\t\r\"'\\";
    const size_t known = i + 1 < text.size() ? kLetters.find(text[i + 1]) : std::string_view::npos;
    if (known != std::string_view::npos) {
      out += kMeanings[known];
      ++i;
    } else if (others == OtherEscapes::kKeep) {
      out += text[i];
    } else {
      fail("\"{}\": a backslash is followed by n, t, r, a quote or a backslash", text);
    }
  }
  return out;
}

}  // namespace braid
