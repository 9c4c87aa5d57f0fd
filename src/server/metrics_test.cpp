#include "server/metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <sstream>

namespace braid {
namespace {

// Sample name with labels -> value; fails for what Prometheus would not read.
std::map<std::string, double> samples_in(const std::string& text) {
  std::map<std::string, double> samples;
  std::istringstream lines(text);
  std::string help, type;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# HELP ")) {
      help = line.substr(7, line.find(' ', 7) - 7);
      continue;
    }
    if (line.starts_with("# TYPE ")) {
      type = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_EQ(type, help);
      continue;
    }
    const size_t blank = line.rfind(' ');
    const std::string name = line.substr(0, blank);
    EXPECT_TRUE(name.starts_with(type)) << line;
    EXPECT_FALSE(samples.contains(name)) << line;
    samples[name] = std::stod(line.substr(blank + 1));
  }
  return samples;
}

TEST(Metrics, HistogramsCountWhatIsUpToTheirBounds) {
  Metrics metrics;
  for (const double s : {0.005, 0.006, 2.5, 60.0}) metrics.between_tokens(s);
  const auto samples = samples_in(metrics.text(nullptr));
  EXPECT_EQ(samples.at("braid_between_tokens_seconds_bucket{le=\"0.005\"}"), 1);
  EXPECT_EQ(samples.at("braid_between_tokens_seconds_bucket{le=\"0.01\"}"), 2);
  EXPECT_EQ(samples.at("braid_between_tokens_seconds_bucket{le=\"2.5\"}"), 3);
  EXPECT_EQ(samples.at("braid_between_tokens_seconds_bucket{le=\"+Inf\"}"), 4);
  EXPECT_EQ(samples.at("braid_between_tokens_seconds_count"), 4);
  EXPECT_NEAR(samples.at("braid_between_tokens_seconds_sum"), 62.511, 1e-6);
}

TEST(Metrics, EndsByReasonAndTimes) {
  Metrics metrics;
  Outcome outcome;
  outcome.reason = EndReason::kMaxTokens;
  outcome.queue_seconds = 0.5;
  outcome.first_token_seconds = 1.5;
  outcome.seconds = 4;
  outcome.tokens = {1, 2};
  metrics.ended(outcome);
  outcome.reason = EndReason::kCancelled;
  outcome.tokens.clear();  // before its first token: that has no time
  metrics.ended(outcome);
  const auto samples = samples_in(metrics.text(nullptr));
  EXPECT_EQ(samples.at("braid_requests_ended_total{reason=\"length\"}"), 1);
  EXPECT_EQ(samples.at("braid_requests_ended_total{reason=\"cancelled\"}"), 1);
  EXPECT_EQ(samples.at("braid_requests_ended_total{reason=\"error\"}"), 0);
  EXPECT_EQ(samples.at("braid_first_token_seconds_count"), 1);
  EXPECT_EQ(samples.at("braid_first_token_seconds_sum"), 1.5);
  EXPECT_EQ(samples.at("braid_queue_seconds_sum"), 1);
  EXPECT_EQ(samples.at("braid_request_seconds_sum"), 8);
}

TEST(Metrics, AnswersByRouteAndStatus) {
  Metrics metrics;
  metrics.answered("GET", "/health", 200, 0.25, 10);
  metrics.answered("GET", "/health", 200, 0.25, 5);
  metrics.answered("GET", "/health", 503, 0.5, 1);
  metrics.answered("BREW\"\n\\", "other", 405, 0, 0);
  const auto samples = samples_in(metrics.text(nullptr));
  EXPECT_EQ(samples.at(R"(braid_http_answers_total{method="GET",route="/health",status="200"})"),
            2);
  EXPECT_EQ(samples.at(R"(braid_http_answers_total{method="GET",route="/health",status="503"})"),
            1);
  EXPECT_EQ(samples.at(R"(braid_http_seconds_total{route="/health"})"), 1);
  EXPECT_EQ(samples.at(R"(braid_http_bytes_total{route="/health"})"), 16);
  // Any word is a method: they must not make a series each.
  EXPECT_EQ(samples.at(R"(braid_http_answers_total{method="other",route="other",status="405"})"),
            1);
}

TEST(Metrics, WhatTheSchedulerCounts) {
  SchedulerStats stats;
  stats.running = 3;
  stats.cached_tokens = 1'000'000'007;
  stats.prefix.snapshot_bytes = size_t{5} << 30;
  const Metrics::Gauge more[] = {{"braid_ready", "Ready.", 1, false}};
  const auto samples = samples_in(Metrics().text(&stats, more));
  EXPECT_EQ(samples.at("braid_requests_running"), 3);
  EXPECT_EQ(samples.at("braid_cached_tokens_total"), 1'000'000'007);
  EXPECT_EQ(samples.at("braid_prefix_snapshot_bytes"), 5368709120.0);
  EXPECT_EQ(samples.at("braid_ready"), 1);
  EXPECT_FALSE(samples_in(Metrics().text(nullptr)).contains("braid_requests_running"));
}

}  // namespace
}  // namespace braid
