#include "tools/bench_report.h"

#include "base/check.h"
#include "tools/doctor.h"
#include "tools/number_statistics.h"
#include "tools/step_json.h"
#include "tools/units.h"
#include "tools/version.h"

#include <fmt/format.h>

#include <algorithm>

namespace braid {
namespace {

using Json = nlohmann::ordered_json;

std::string dumped(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

Json or_null(bool there, double value) { return there ? Json(value) : Json(nullptr); }

// Nothing where prompts and generated tokens had different numbers of threads.
Json times_of(const BenchResult& r, uint64_t Counters::*time) {
  return r.mixed_threads ? Json() : time_json(r.cost, time, r.seconds.size(), r.threads);
}

double read_share(const BenchResult& r) {
  return static_cast<double>(r.cost.bytes()) / r.cost.seconds / r.machine.read_bytes;
}
double peak_share(const BenchResult& r) {
  return r.cost.matmul_ops / r.cost.seconds / r.machine.int8_ops;
}
double tokens_per_expert(const BenchResult& r) {
  const Counters c = r.cost.counted_in_all();
  return static_cast<double>(c.expert_calls) / static_cast<double>(c.experts_called);
}

// Nested values as columns of their own, lists left out: for formats of plain rows. The columns are
// the same for every model.
std::vector<std::pair<std::string, Json>> columns_of(const BenchResult& result) {
  const Json row = bench_json(result);
  std::vector<std::pair<std::string, Json>> columns;
  for (const auto& [key, value] : row.items()) {
    if (value.is_array()) continue;
    if (!value.is_object()) {
      columns.emplace_back(key, value);
      continue;
    }
    std::vector<const char*> parts(kOpNames.begin(), kOpNames.end());
    parts.insert(parts.end(), {"state", "kv", "total"});
    for (const char* part : parts)
      columns.emplace_back(fmt::format("{}_{}", key, part),
                           value.contains(part) ? value[part] : Json(0));
  }
  return columns;
}

std::string plain(const Json& value) {
  if (value.is_null()) return "";
  return value.is_string() ? value.get<std::string>() : dumped(value);
}

std::string with_doubled(const std::string& text, char quote) {
  std::string out(1, quote);
  for (const char c : text) {
    if (c == quote) out += c;
    out += c;
  }
  return out + quote;
}

class JsonReport final : public BenchReport {
 public:
  std::string begin(std::span<const BenchCase>) override { return "["; }
  std::string row(const BenchResult& result) override {
    std::string text = first_ ? "\n  " : ",\n  ";
    first_ = false;
    for (const char c : dumped(bench_json(result), 2)) {
      text += c;
      if (c == '\n') text += "  ";
    }
    return text;
  }
  std::string end() override { return "\n]\n"; }

 private:
  bool first_ = true;
};

class JsonLinesReport final : public BenchReport {
 public:
  std::string begin(std::span<const BenchCase>) override { return ""; }
  std::string row(const BenchResult& result) override { return dumped(bench_json(result)) + "\n"; }
  std::string end() override { return ""; }
};

class CsvReport final : public BenchReport {
 public:
  std::string begin(std::span<const BenchCase>) override { return ""; }
  std::string row(const BenchResult& result) override {
    std::string names, values;
    for (const auto& [key, value] : columns_of(result)) {
      names += (names.empty() ? "" : ",") + key;
      values += (values.empty() ? "" : ",") + with_doubled(plain(value), '"');
    }
    const std::string text = (first_ ? names + "\n" : "") + values + "\n";
    first_ = false;
    return text;
  }
  std::string end() override { return ""; }

 private:
  bool first_ = true;
};

class SqlReport final : public BenchReport {
 public:
  std::string begin(std::span<const BenchCase>) override { return ""; }
  std::string row(const BenchResult& result) override {
    std::string columns, names, values;
    for (const auto& [key, value] : columns_of(result)) {
      const char* const between = names.empty() ? "" : ", ";
      const bool text = value.is_string();
      const char* type = value.is_number_integer() ? "INTEGER" : "REAL";
      columns += fmt::format("{}  {} {}", names.empty() ? "" : ",\n", key, text ? "TEXT" : type);
      names += between + key;
      values += between + (value.is_null() ? "NULL"
                           : text          ? with_doubled(plain(value), '\'')
                                           : plain(value));
    }
    std::string out;
    if (first_) out = fmt::format("CREATE TABLE IF NOT EXISTS braid_bench (\n{}\n);\n\n", columns);
    first_ = false;
    return out + fmt::format("INSERT INTO braid_bench ({}) VALUES ({});\n", names, values);
  }
  std::string end() override { return ""; }

 private:
  bool first_ = true;
};

// llama-bench's table: what is as usual in every row has no column. Below it what it means on this
// machine.
class TableReport final : public BenchReport {
 public:
  std::string begin(std::span<const BenchCase> plan) override {
    const BenchCase usual;
    const auto differs = [&](auto member) {
      return std::any_of(plan.begin(), plan.end(),
                         [&](const BenchCase& c) { return c.*member != usual.*member; });
    };
    columns_ = {{"model", -30}, {"size", 10}, {"params", 10}, {"backend", -10}, {"threads", 7}};
    if (differs(&BenchCase::batch)) columns_.push_back({"n_batch", 7});
    if (differs(&BenchCase::ubatch)) columns_.push_back({"n_ubatch", 8});
    if (differs(&BenchCase::key_type)) columns_.push_back({"type_k", 6});
    if (differs(&BenchCase::value_type)) columns_.push_back({"type_v", 6});
    columns_.push_back({"test", 15});
    columns_.push_back({"t/s", 20});
    std::string names = "|", lines = "|";
    for (const Column& c : columns_) {
      names += cell(c, c.name);
      lines += fmt::format(" {:->{}}{} |", "", std::abs(c.width) - 1, c.width < 0 ? "-" : ":");
    }
    return names + "\n" + lines + "\n";
  }
  std::string row(const BenchResult& r) override {
    std::string text = "|";
    for (const Column& c : columns_) text += cell(c, value(c.name, r));
    shares_ += share_row(r);
    return text + "\n";
  }
  std::string end() override {
    if (shares_.empty()) return "";
    return "\n| test            | bytes/token |  of reads | of int8 peak | tokens/expert |\n"
           "| --------------: | ----------: | --------: | -----------: | ------------: |\n" +
           shares_ + "\n" + machine_ + version_line() + "\n";
  }

 private:
  struct Column {
    std::string name;
    int width;  // negative: to the left
  };

  static std::string cell(const Column& c, const std::string& text) {
    return c.width < 0 ? fmt::format(" {:<{}} |", text, -c.width)
                       : fmt::format(" {:>{}} |", text, c.width);
  }
  static std::string version_line() {
    const std::string text = version_text();
    return text.substr(0, text.find('\n'));
  }
  static std::string value(const std::string& column, const BenchResult& r) {
    const BenchCase& c = r.bench;
    if (column == "model") return r.model_type;
    if (column == "size") return bytes_text(r.model_bytes);
    if (column == "params") {
      const double n = static_cast<double>(r.weights);
      return n >= 1e9 ? fmt::format("{:.2f} B", n / 1e9) : fmt::format("{:.2f} M", n / 1e6);
    }
    if (column == "backend") return r.device.starts_with("cpu") ? "CPU" : r.device;
    if (column == "threads") return fmt::to_string(r.threads);
    if (column == "n_batch") return fmt::to_string(c.batch);
    if (column == "n_ubatch") return fmt::to_string(c.ubatch);
    if (column == "type_k") return cache_type_name(c.key_type);
    if (column == "type_v") return cache_type_name(c.value_type);
    if (column == "test") return c.test.label();
    const Statistics s = statistics(r.tokens_per_second());
    return fmt::format("{:.2f} ± {:.2f}", s.mean, s.deviation);
  }
  std::string share_row(const BenchResult& r) {
    const auto percent = [](bool there, double share) {
      return there ? fmt::format("{:.1f} %", 100 * share) : "-";
    };
    if (r.machine.read_bytes > 0)
      machine_ = fmt::format("Reads: {:.1f} GB/s with {} thread{}.{}\n", r.machine.read_bytes / 1e9,
                             r.machine.threads, r.machine.threads == 1 ? "" : "s",
                             r.machine.int8_ops > 0
                                 ? fmt::format(" Int8 peak: {:.0f} Gop/s with {}.",
                                               r.machine.int8_ops / 1e9, r.machine.int8_kind)
                                 : "");
    const auto rows = static_cast<double>(std::max<int64_t>(1, r.cost.rows));
    return fmt::format("| {:>15} | {:>11} | {:>9} | {:>12} | {:>13} |\n", r.bench.test.label(),
                       bytes_text(static_cast<size_t>(static_cast<double>(r.cost.bytes()) / rows)),
                       percent(r.machine.read_bytes > 0, read_share(r)),
                       percent(r.machine.int8_ops > 0, peak_share(r)),
                       r.cost.counted_in_all().experts_called > 0
                           ? fmt::format("{:.2f}", tokens_per_expert(r))
                           : "-");
  }

  std::vector<Column> columns_;
  std::string shares_, machine_;
};

}  // namespace

Json bench_json(const BenchResult& r) {
  static const std::string processor = read_machine("").processor;
  const BenchCase& c = r.bench;
  std::vector<int64_t> nanoseconds;
  std::vector<double> as_double;
  for (const double s : r.seconds) {
    nanoseconds.push_back(std::llround(s * 1e9));
    as_double.push_back(s * 1e9);
  }
  const std::vector<double> rates = r.tokens_per_second();
  const Statistics time = statistics(as_double), rate = statistics(rates);
  const bool reads = r.machine.read_bytes > 0, peak = r.machine.int8_ops > 0;
  return {
      {"build_commit", build_commit()},
      {"braid_version", build_version()},
      {"cpu_info", processor},
      {"gpu_info", ""},
      {"backends", r.device.starts_with("cpu") ? "CPU" : r.device},
      {"device", r.device},
      {"model_filename", r.model_path},
      {"model_type", r.model_type},
      {"model_size", r.model_bytes},
      {"model_n_params", r.weights},
      {"n_batch", c.batch},
      {"n_ubatch", c.ubatch},
      {"n_threads", r.threads},
      {"type_k", cache_type_name(c.key_type)},
      {"type_v", cache_type_name(c.value_type)},
      {"n_gpu_layers", 0},
      {"n_prompt", c.test.prompt},
      {"n_gen", c.test.generate},
      {"n_depth", c.test.depth},
      {"test", c.test.label()},
      {"test_time", r.started},
      {"avg_ns", std::llround(time.mean)},
      {"stddev_ns", std::llround(time.deviation)},
      {"avg_ts", rate.mean},
      {"stddev_ts", rate.deviation},
      {"read_bandwidth", or_null(reads, r.machine.read_bytes)},
      {"read_share", or_null(reads, read_share(r))},
      {"int8_peak", or_null(peak, r.machine.int8_ops)},
      {"int8_peak_with", r.machine.int8_kind},
      {"matmul_ops", r.cost.matmul_ops / r.cost.seconds},
      {"peak_share", or_null(peak, peak_share(r))},
      {"tokens_per_called_expert",
       or_null(r.cost.counted_in_all().experts_called > 0, tokens_per_expert(r))},
      {"barriers_per_step", or_null(r.cost.barriers > 0, static_cast<double>(r.cost.barriers) /
                                                             static_cast<double>(r.cost.steps))},
      {"bytes_read", bytes_json(r.cost, r.seconds.size())},
      {"busy_ns", times_of(r, &Counters::busy_ns)},
      {"waiting_ns", times_of(r, &Counters::waiting_ns)},
      {"samples_ns", nanoseconds},
      {"samples_ts", rates},
  };
}

std::unique_ptr<BenchReport> make_bench_report(const std::string& format) {
  if (format == "md") return std::make_unique<TableReport>();
  if (format == "json") return std::make_unique<JsonReport>();
  if (format == "jsonl") return std::make_unique<JsonLinesReport>();
  if (format == "csv") return std::make_unique<CsvReport>();
  if (format == "sql") return std::make_unique<SqlReport>();
  if (format == "none") return nullptr;
  fail("a report as \"{}\"; there are md, csv, json, jsonl, sql", format);
}

}  // namespace braid
