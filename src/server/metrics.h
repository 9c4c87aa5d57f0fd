// Counts what a server does, as Prometheus reads it. All calls are quick and from any thread.
//
// The API reports each request's end and the time between its tokens; the HTTP server reports
// answers; what the scheduler counts itself is given when the text is made.
#pragma once

#include "engine/request.h"
#include "engine/scheduler.h"

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace braid {

// Of seconds; buckets as Prometheus has them, the last one without an upper bound.
class Histogram {
 public:
  explicit Histogram(std::span<const double> bounds);  // rising
  void add(double seconds);
  void print(std::string& out, std::string_view name, std::string_view help) const;

 private:
  std::vector<double> bounds_;
  std::vector<int64_t> counts_;  // one more
  double sum_ = 0;
};

class Metrics {
 public:
  Metrics();

  // Of a request that the scheduler took: its times and why it ended.
  void ended(const Outcome& outcome);
  // For each token of an answer but the first.
  void between_tokens(double seconds);

  // Route: as it was registered, "other" for paths that do not exist.
  void answered(std::string_view method, std::string_view route, int status, double seconds,
                int64_t bytes);

  struct Gauge {
    std::string name, help;
    double value = 0;
    bool counts = false;  // a counter: it only rises
  };
  // The whole text: what was reported, and what others know.
  std::string text(const SchedulerStats* scheduler, std::span<const Gauge> more = {}) const;

 private:
  using Answer = std::tuple<std::string, std::string, int>;  // method, route, status

  mutable std::mutex mutex_;
  Histogram first_token_, between_, queue_, whole_;
  std::array<int64_t, kEndReasons> ends_{};  // by EndReason
  std::map<Answer, int64_t> answers_;
  std::map<std::string, std::pair<double, int64_t>, std::less<>> routes_;  // seconds, bytes
};

}  // namespace braid
