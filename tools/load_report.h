// What `braid load` found out: times as percentiles, throughput, errors by kind.
#pragma once

#include "tools/load_answers.h"
#include "tools/load_memory.h"
#include "tools/load_run.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace braid {

struct Percentiles {
  int64_t n = 0;
  double mean = 0, p50 = 0, p90 = 0, p99 = 0, max = 0;
};
// Between two values it takes the part of the way that the percentile says.
Percentiles percentiles(std::vector<double> values);

struct LoadSummary {
  double seconds = 0;  // from the start to the end of the last answer
  int clients = 0;
  int64_t answered = 0, failed = 0, stopped = 0;
  int64_t not_asked = 0;                                          // for want of an earlier answer
  std::map<std::string, std::pair<int64_t, std::string>> errors;  // kind: how many, the first one
  // Seconds. first_later: of turns after a session's first one. between: from one piece of an
  // answer to the next; per_token: the same, spread over the tokens that the server counts.
  Percentiles first, first_later, between, per_token, whole, late;
  // Of answered requests, where the server counts them. cached_of: prompt tokens of those answers
  // whose server tells what was cached.
  int64_t prompt_tokens = 0, answer_tokens = 0, cached_tokens = 0, cached_of = 0, uncounted = 0;
  bool timed = false;
  std::vector<MemorySample> memory;
};
LoadSummary summarize(std::span<const LoadResult> results, const LoadOptions& options,
                      std::vector<MemorySample> memory);

std::string load_report_md(const LoadSummary& summary);
nlohmann::ordered_json load_report_json(const LoadSummary& summary);

// Lines about a comparison.
std::string comparison_text(const AnswerComparison& comparison, const std::string& path);

}  // namespace braid
