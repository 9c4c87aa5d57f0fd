#include "server/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace braid {
namespace {

constexpr double kLong[] = {0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300};
constexpr double kShort[] = {0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5};

constexpr std::string_view kMethods[] = {"GET",    "HEAD",  "POST",   "PUT",
                                         "DELETE", "PATCH", "OPTIONS"};

template <class... Args>
void put(std::string& out, fmt::format_string<Args...> text, Args&&... args) {
  fmt::format_to(std::back_inserter(out), text, std::forward<Args>(args)...);
}

void put_head(std::string& out, std::string_view name, std::string_view help,
              std::string_view type) {
  put(out, "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

void put_one(std::string& out, std::string_view name, std::string_view help, bool counts,
             double value) {
  put_head(out, name, help, counts ? "counter" : "gauge");
  put(out, "{} {}\n", name, value);
}

std::string label(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

void put_scheduler(std::string& out, const SchedulerStats& s) {
  const auto count = [&](std::string_view name, std::string_view help, auto value) {
    put_one(out, name, help, true, static_cast<double>(value));
  };
  const auto gauge = [&](std::string_view name, std::string_view help, auto value) {
    put_one(out, name, help, false, static_cast<double>(value));
  };
  gauge("braid_requests_running", "Sequences that run.", s.running);
  gauge("braid_requests_waiting", "Sequences that wait for a slot or memory.", s.waiting);
  count("braid_requests_submitted_total", "Sequences that the scheduler took.", s.submitted);
  count("braid_steps_total", "Steps of the engine.", s.steps);
  count("braid_failed_steps_total", "Steps that failed and were run again in parts.",
        s.failed_steps);
  count("braid_stopped_steps_total", "Steps that broke off for who was cancelled.",
        s.stopped_steps);
  count("braid_prompt_tokens_total", "Tokens of prompts.", s.prompt_tokens);
  count("braid_cached_tokens_total", "Those of them that need not run.", s.cached_tokens);
  count("braid_disk_tokens_total", "Those of the cached ones that came from the disk.",
        s.disk_tokens);
  count("braid_prompt_rows_total", "Those that ran.", s.prompt_rows);
  count("braid_answer_tokens_total", "Tokens of answers.", s.answer_tokens);
  gauge("braid_longest_step_seconds", "The longest step so far.", s.longest_step_seconds);
  gauge("braid_prefix_nodes", "Nodes of the prefix tree.", s.prefix.nodes);
  gauge("braid_prefix_snapshots", "Snapshots of recurrent state.", s.prefix.snapshots);
  gauge("braid_prefix_snapshot_bytes", "What they take.", s.prefix.snapshot_bytes);
  gauge("braid_prefix_kv_bytes", "Keys and values that the tree holds.", s.prefix.kv_bytes);
  count("braid_prefix_stored_total", "Snapshots that were stored.", s.prefix.stored);
  count("braid_prefix_refused_total", "Those that were worth too little.", s.prefix.refused);
  count("braid_prefix_evicted_total", "Those that had to go.", s.prefix.evicted);
  gauge("braid_disk_states", "States in the folder of past prompts.", s.disk.states);
  gauge("braid_disk_bytes", "What its files take.", s.disk.bytes);
  count("braid_disk_saved_total", "States that were written.", s.disk.saved);
  count("braid_disk_loaded_total", "States that were read.", s.disk.loaded);
  count("braid_disk_evicted_total", "States that had to go.", s.disk.evicted);
  count("braid_disk_damaged_total", "Files that were not as they were written.", s.disk.damaged);
  count("braid_disk_failed_total", "Files that could not be written.", s.disk.failed);
}

}  // namespace

Histogram::Histogram(std::span<const double> bounds)
    : bounds_(bounds.begin(), bounds.end()), counts_(bounds.size() + 1) {}

void Histogram::add(double seconds) {
  const auto bound = std::lower_bound(bounds_.begin(), bounds_.end(), seconds);
  ++counts_[static_cast<size_t>(bound - bounds_.begin())];
  sum_ += seconds;
}

void Histogram::print(std::string& out, std::string_view name, std::string_view help) const {
  put_head(out, name, help, "histogram");
  int64_t so_far = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    so_far += counts_[i];
    if (i < bounds_.size())
      put(out, "{}_bucket{{le=\"{}\"}} {}\n", name, bounds_[i], so_far);
    else
      put(out, "{}_bucket{{le=\"+Inf\"}} {}\n", name, so_far);
  }
  put(out, "{}_sum {}\n{}_count {}\n", name, sum_, name, so_far);
}

Metrics::Metrics() : first_token_(kLong), between_(kShort), queue_(kLong), whole_(kLong) {}

void Metrics::ended(const Outcome& outcome) {
  const std::lock_guard lock(mutex_);
  ++ends_.at(static_cast<size_t>(outcome.reason));
  queue_.add(outcome.queue_seconds);
  whole_.add(outcome.seconds);
  if (!outcome.tokens.empty()) first_token_.add(outcome.first_token_seconds);
}

void Metrics::between_tokens(double seconds) {
  const std::lock_guard lock(mutex_);
  between_.add(seconds);
}

void Metrics::answered(std::string_view method, std::string_view route, int status, double seconds,
                       int64_t bytes) {
  // A client may make up methods; a series for each would grow without end.
  if (std::ranges::find(kMethods, method) == std::end(kMethods)) method = "other";
  const std::lock_guard lock(mutex_);
  ++answers_[{std::string(method), std::string(route), status}];
  auto& [time, size] = routes_[std::string(route)];
  time += seconds;
  size += bytes;
}

std::string Metrics::text(const SchedulerStats* scheduler, std::span<const Gauge> more) const {
  std::string out;
  for (const Gauge& gauge : more) put_one(out, gauge.name, gauge.help, gauge.counts, gauge.value);
  if (scheduler != nullptr) put_scheduler(out, *scheduler);

  const std::lock_guard lock(mutex_);
  first_token_.print(out, "braid_first_token_seconds", "From submission to the first token.");
  between_.print(out, "braid_between_tokens_seconds", "Between tokens of an answer.");
  queue_.print(out, "braid_queue_seconds", "From submission to the start.");
  whole_.print(out, "braid_request_seconds", "From submission to the end.");
  put_head(out, "braid_requests_ended_total", "Sequences by why they ended.", "counter");
  for (size_t i = 0; i < ends_.size(); ++i)
    put(out, "braid_requests_ended_total{{reason=\"{}\"}} {}\n", name_of(static_cast<EndReason>(i)),
        ends_[i]);
  put_head(out, "braid_http_answers_total", "Answers by route and status.", "counter");
  for (const auto& [answer, count] : answers_) {
    const auto& [method, route, status] = answer;
    put(out, "braid_http_answers_total{{method=\"{}\",route=\"{}\",status=\"{}\"}} {}\n",
        label(method), label(route), status, count);
  }
  put_head(out, "braid_http_seconds_total", "Time until answers had gone out.", "counter");
  for (const auto& [route, sums] : routes_)
    put(out, "braid_http_seconds_total{{route=\"{}\"}} {}\n", label(route), sums.first);
  put_head(out, "braid_http_bytes_total", "Bytes of their bodies.", "counter");
  for (const auto& [route, sums] : routes_)
    put(out, "braid_http_bytes_total{{route=\"{}\"}} {}\n", label(route), sums.second);
  return out;
}

}  // namespace braid
