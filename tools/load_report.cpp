#include "tools/load_report.h"

#include "tools/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace braid {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kSettled = 120;  // seconds after which memory should grow no more
constexpr double kMiB = 1 << 20;

Json percentiles_json(const Percentiles& p) {
  if (p.n == 0) return nullptr;
  return {{"n", p.n},     {"mean", p.mean}, {"p50", p.p50},
          {"p90", p.p90}, {"p99", p.p99},   {"max", p.max}};
}

double per_second(int64_t n, double seconds) {
  return seconds > 0 ? static_cast<double>(n) / seconds : 0;
}

std::string row(const char* what, const Percentiles& p, double scale) {
  if (p.n == 0) return {};
  return fmt::format("| {:<31} | {:>9.3f} | {:>9.3f} | {:>9.3f} | {:>9.3f} | {:>9.3f} | {:>7} |\n",
                     what, p.mean * scale, p.p50 * scale, p.p90 * scale, p.p99 * scale,
                     p.max * scale, p.n);
}

std::string times_md(const LoadSummary& s) {
  const std::string rows = row("time to first token, s", s.first, 1) +
                           row("the same, from turn 2 on, s", s.first_later, 1) +
                           row("between pieces, ms", s.between, 1000) +
                           row("for a token after the first, ms", s.per_token, 1000) +
                           row("whole answer, s", s.whole, 1) +
                           row("later than its time, s", s.late, 1);
  if (rows.empty()) return {};
  return fmt::format(
             "\n| {:<31} | {:>9} | {:>9} | {:>9} | {:>9} | {:>9} | {:>7} |\n"
             "|{:-<33}|{:->10}:|{:->10}:|{:->10}:|{:->10}:|{:->10}:|{:->8}:|\n",
             "", "mean", "50%", "90%", "99%", "max", "n", "", "", "", "", "", "", "") +
         rows;
}

std::string memory_md(const LoadSummary& s) {
  if (s.memory.empty()) return {};
  const auto most = std::max_element(
      s.memory.begin(), s.memory.end(),
      [](const MemorySample& a, const MemorySample& b) { return a.resident < b.resident; });
  const auto size = [](int64_t bytes) { return bytes_text(static_cast<size_t>(bytes)); };
  std::string text = fmt::format("\nresident memory: {} at first, {} at the end, {} at most",
                                 size(s.memory.front().resident), size(s.memory.back().resident),
                                 size(most->resident));
  if (const auto growth = growth_per_minute(s.memory, kSettled))
    text += fmt::format("; grows by {:.3f} MiB a minute after the second minute", *growth / kMiB);
  return text + "\n";
}

}  // namespace

Percentiles percentiles(std::vector<double> values) {
  Percentiles p;
  if (values.empty()) return p;
  std::sort(values.begin(), values.end());
  p.n = static_cast<int64_t>(values.size());
  p.mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(p.n);
  const auto at = [&](double share) {
    const double place = share * static_cast<double>(p.n - 1);
    const auto low = static_cast<size_t>(place);
    const size_t high = std::min(low + 1, values.size() - 1);
    return values[low] + (values[high] - values[low]) * (place - std::floor(place));
  };
  p.p50 = at(0.5), p.p90 = at(0.9), p.p99 = at(0.99), p.max = values.back();
  return p;
}

LoadSummary summarize(std::span<const LoadResult> results, const LoadOptions& options,
                      std::vector<MemorySample> memory) {
  LoadSummary s;
  s.clients = options.clients;
  s.timed = options.timed;
  s.memory = std::move(memory);
  std::vector<double> first, first_later, between, per_token, whole, late;
  for (const LoadResult& r : results) {
    s.seconds = std::max(s.seconds, r.end);
    if (r.stopped) {
      ++s.stopped;
      continue;
    }
    if (!r.asked) {
      ++s.not_asked;
      continue;
    }
    if (!r.error.empty()) {
      ++s.failed;
      auto& [n, detail] = s.errors[r.error];
      if (n++ == 0) detail = r.detail;
      continue;
    }
    ++s.answered;
    if (!r.pieces.empty()) (r.turn > 0 ? first_later : first).push_back(r.pieces.front() - r.start);
    whole.push_back(r.end - r.start);
    if (options.timed) late.push_back(r.late);
    for (size_t i = 1; i < r.pieces.size(); ++i) between.push_back(r.pieces[i] - r.pieces[i - 1]);
    if (!r.usage.prompt || !r.usage.answer) {
      ++s.uncounted;
      continue;
    }
    s.prompt_tokens += *r.usage.prompt;
    s.answer_tokens += *r.usage.answer;
    if (*r.usage.answer > 1 && !r.pieces.empty())
      per_token.push_back((r.pieces.back() - r.pieces.front()) /
                          static_cast<double>(*r.usage.answer - 1));
    if (r.usage.cached) s.cached_tokens += *r.usage.cached, s.cached_of += *r.usage.prompt;
  }
  s.first_later = percentiles(first_later);
  first.insert(first.end(), first_later.begin(), first_later.end());
  s.first = percentiles(std::move(first));
  s.between = percentiles(std::move(between));
  s.per_token = percentiles(std::move(per_token));
  s.whole = percentiles(std::move(whole));
  s.late = percentiles(std::move(late));
  return s;
}

std::string load_report_md(const LoadSummary& s) {
  std::string text = fmt::format("{} answers in {:.1f} s from {} client{}, {} failed", s.answered,
                                 s.seconds, s.clients, s.clients == 1 ? "" : "s", s.failed);
  if (s.stopped > 0) text += fmt::format(", {} stopped", s.stopped);
  if (s.not_asked > 0)
    text += fmt::format(", {} not asked for want of an earlier answer", s.not_asked);
  text += "\n" + times_md(s);
  if (s.answered > 0)
    text += fmt::format("\na second: {:.2f} answers", per_second(s.answered, s.seconds));
  if (s.answered > s.uncounted) {
    text += fmt::format(
        ", {:.2f} tokens of answers, {:.2f} of prompts\ntokens: {} of answers, {} of prompts",
        per_second(s.answer_tokens, s.seconds), per_second(s.prompt_tokens, s.seconds),
        count_text(s.answer_tokens), count_text(s.prompt_tokens));
    if (s.cached_of > 0)
      text += fmt::format(
          "\ncached: {} of {} tokens of prompts, {:.1f}%", count_text(s.cached_tokens),
          count_text(s.cached_of),
          100 * static_cast<double>(s.cached_tokens) / static_cast<double>(s.cached_of));
  }
  if (s.answered > 0) text += "\n";
  if (s.uncounted > 0) text += fmt::format("of {} answers the server told no usage\n", s.uncounted);
  text += memory_md(s);
  if (!s.errors.empty()) text += "\n";
  for (const auto& [kind, count] : s.errors)
    text += fmt::format("{} x {}: {}\n", count.first, kind, count.second);
  return text;
}

Json load_report_json(const LoadSummary& s) {
  Json errors = Json::object();
  for (const auto& [kind, count] : s.errors)
    errors[kind] = {{"count", count.first}, {"first", count.second}};
  Json json = {{"clients", s.clients},
               {"seconds", s.seconds},
               {"answered", s.answered},
               {"failed", s.failed},
               {"stopped", s.stopped},
               {"not_asked", s.not_asked},
               {"errors", std::move(errors)},
               {"first_token_s", percentiles_json(s.first)},
               {"first_token_later_turns_s", percentiles_json(s.first_later)},
               {"between_pieces_s", percentiles_json(s.between)},
               {"per_token_s", percentiles_json(s.per_token)},
               {"answer_s", percentiles_json(s.whole)},
               {"late_s", percentiles_json(s.late)},
               {"prompt_tokens", s.prompt_tokens},
               {"answer_tokens", s.answer_tokens},
               {"cached_tokens", s.cached_of > 0 ? Json(s.cached_tokens) : Json()},
               {"cached_of_prompt_tokens", s.cached_of > 0 ? Json(s.cached_of) : Json()},
               {"uncounted_answers", s.uncounted},
               {"answers_per_second", per_second(s.answered, s.seconds)},
               {"answer_tokens_per_second", per_second(s.answer_tokens, s.seconds)},
               {"prompt_tokens_per_second", per_second(s.prompt_tokens, s.seconds)}};
  if (s.memory.empty()) return json;
  Json samples = Json::array();
  for (const MemorySample& m : s.memory)
    samples.push_back({{"s", m.seconds}, {"resident", m.resident}, {"anonymous", m.anonymous}});
  const auto growth = growth_per_minute(s.memory, kSettled);
  json["memory_growth_bytes_per_minute"] = growth ? Json(*growth) : Json();
  json["memory"] = std::move(samples);
  return json;
}

std::string comparison_text(const AnswerComparison& c, const std::string& path) {
  std::string text;
  for (const std::string& line : c.differences) text += line + "\n";
  text += fmt::format("{} answers as in {}, {} otherwise", c.equal, path, c.different);
  if (c.only_before > 0) text += fmt::format("; {} of it were not given now", c.only_before);
  if (c.only_now > 0) text += fmt::format("; {} are new", c.only_now);
  return text + "\n";
}

}  // namespace braid
