// The report of `braid bench`: llama-bench's formats and keys, with Braid's figures beside them.
#pragma once

#include "tools/bench_run.h"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace braid {

// llama-bench's keys in its order, then ours; null where there is nothing to say.
nlohmann::ordered_json bench_json(const BenchResult& result);

// Writes rows as they come. All of a format's text but what end() gives back for md is there after
// row(), so a run that is stopped leaves what it found.
class BenchReport {
 public:
  virtual ~BenchReport() = default;
  virtual std::string begin(std::span<const BenchCase> plan) = 0;
  virtual std::string row(const BenchResult& result) = 0;
  virtual std::string end() = 0;
};

// "md", "csv", "json", "jsonl" or "sql"; null for "none". Throws Error for another name.
std::unique_ptr<BenchReport> make_bench_report(const std::string& format);

}  // namespace braid
