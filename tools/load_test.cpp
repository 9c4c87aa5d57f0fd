// braid load against a server in this process whose answers a test decides.
#include "base/check.h"
#include "base/checksum.h"
#include "tools/command_test_support.h"
#include "tools/files.h"
#include "tools/load_answers.h"
#include "tools/load_memory.h"
#include "tools/load_report.h"
#include "tools/load_run.h"
#include "tools/load_synthetic.h"
#include "tools/load_trace.h"
#include "tools/server_test_support.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <pthread.h>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>

namespace braid {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

std::vector<AskedRequest> all_of(const SessionSource& source) {
  std::vector<AskedRequest> all;
  while (const auto session = source()) all.insert(all.end(), session->begin(), session->end());
  return all;
}

TEST(LoadSynthetic, ASeedSaysEverything) {
  SyntheticOptions o;
  o.temperatures = {0, 0.8};
  for (const LoadForm form : {LoadForm::kChat, LoadForm::kText, LoadForm::kIds}) {
    o.form = form;
    const auto one = all_of(synthetic_sessions(o, 60)), again = all_of(synthetic_sessions(o, 60));
    ASSERT_EQ(one.size(), 60u);
    SyntheticOptions other = o;
    other.seed = 2;
    const auto different = all_of(synthetic_sessions(other, 60));
    for (size_t i = 0; i < one.size(); ++i) {
      EXPECT_EQ(one[i].number, static_cast<int64_t>(i));
      EXPECT_EQ(one[i].body, again[i].body);
      EXPECT_NE(one[i].body, different[i].body);
      EXPECT_EQ(one[i].body.contains("seed"), one[i].body["temperature"] > 0);
    }
  }
}

TEST(LoadSynthetic, LengthsAndTurnsStayInTheirRanges) {
  SyntheticOptions o;
  o.form = LoadForm::kIds;
  o.prompt = {20, 300};
  o.answer = {5, 9};
  o.message = {3, 40};
  o.turns = {2, 4};
  o.ids = {10, 19};
  o.shared = 12;
  const auto all = all_of(synthetic_sessions(o, 200));
  std::set<int64_t> turns;
  for (size_t i = 0; i < all.size(); ++i) {
    const Json& ids = all[i].body["prompt"];
    EXPECT_TRUE(ids.size() >= 20 && ids.size() <= 300) << ids.size();
    for (const Json& id : ids) EXPECT_TRUE(id >= 10 && id <= 19);
    EXPECT_TRUE(all[i].body["max_tokens"] >= 5 && all[i].body["max_tokens"] <= 9);
    turns.insert(all[i].turn);
    EXPECT_TRUE(std::equal(ids.begin(), ids.begin() + 12, all[0].body["prompt"].begin()));
    if (all[i].turn == 0) continue;
    const Json& before = all[i - 1].body["prompt"];
    EXPECT_GE(ids.size(), before.size() + 5 + 3);
    EXPECT_TRUE(std::equal(before.begin(), before.end(), ids.begin()));
  }
  EXPECT_EQ(turns, (std::set<int64_t>{0, 1, 2, 3}));
}

// That of one seed is in no other's.
TEST(LoadSynthetic, SeedsHaveNothingInCommon) {
  std::set<std::string> seen;
  for (const uint64_t seed : {0u, 1u, 2u, (1u << 20) + 1, 3u << 20}) {
    SyntheticOptions o;
    o.seed = seed;
    o.turns = {1, 1};
    for (const AskedRequest& request : all_of(synthetic_sessions(o, 40)))
      EXPECT_TRUE(seen.insert(request.checksum()).second);
  }
}

TEST(LoadSynthetic, LengthsAreEvenInTheirLogarithms) {
  SyntheticOptions o;
  o.form = LoadForm::kIds;
  o.prompt = {16, 1023};
  o.turns = {1, 1};
  std::map<int, int> octaves;
  constexpr int kN = 3000;
  for (const AskedRequest& request : all_of(synthetic_sessions(o, kN)))
    ++octaves[std::ilogb(static_cast<double>(request.body["prompt"].size()))];
  ASSERT_EQ(octaves.size(), 6u);
  for (const auto& [octave, n] : octaves) EXPECT_NEAR(n, kN / 6, 82) << octave;  // 4 deviations
}

TEST(LoadSynthetic, SessionsBeginAsByChance) {
  SyntheticOptions o;
  o.rate = 4;
  o.prompt = {2, 2};
  o.turns = {1, 1};
  constexpr int kN = 4000;
  const auto all = all_of(synthetic_sessions(o, kN));
  EXPECT_NEAR(all.back().at, kN / o.rate, 4 * std::sqrt(kN) / o.rate);
  int longer = 0, thrice = 0;
  for (size_t i = 1; i < all.size(); ++i) {
    const double gap = (all[i].at - all[i - 1].at) * o.rate;
    ASSERT_GE(gap, 0);
    longer += gap > 1;
    thrice += gap > 3;
  }
  EXPECT_NEAR(longer, kN * std::exp(-1), 122);  // 4 deviations
  EXPECT_NEAR(thrice, kN * std::exp(-3), 55);
}

// What a seed means is the same everywhere, and stays: figures of runs are compared by it.
TEST(LoadSynthetic, ASeedMeansTheSameEverywhere) {
  SyntheticOptions o;
  o.rate = 3;
  o.pause = 0.5;
  o.temperatures = {0, 0.8};
  std::string text;
  for (const AskedRequest& request : all_of(synthetic_sessions(o, 200)))
    text += trace_line(request);
  EXPECT_EQ(fmt::format("{:016x}", checksum64(std::as_bytes(std::span(text)))), "bd926d7dc89562f1");
}

TEST(LoadTrace, WhatIsWrittenIsRead) {
  SyntheticOptions o;
  o.rate = 2;
  o.pause = 1.5;
  o.real_answers = true;
  std::string text;
  const auto written = all_of(synthetic_sessions(o, 30));
  for (const AskedRequest& request : written) text += trace_line(request);
  const auto read = all_of(as_source(parse_trace("a", text)));
  ASSERT_EQ(read.size(), written.size());
  for (size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].number, written[i].number);
    EXPECT_EQ(read[i].session, written[i].session);
    EXPECT_EQ(read[i].turn, written[i].turn);
    EXPECT_EQ(read[i].at, written[i].at);
    EXPECT_EQ(read[i].checksum(), written[i].checksum());
  }
  EXPECT_GT(written.back().at, 0);
  EXPECT_EQ(all_of(as_source(parse_trace("a", text), 7)).size(), 7u);
}

TEST(LoadTrace, BadLinesAreNamed) {
  const auto problem = [](const std::string& line) {
    try {
      parse_trace("t", "{\"prompt\":\"a\"}\n\n" + line);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(problem("[]"), HasSubstr("t:3: is no JSON object"));
  EXPECT_THAT(problem("{}"), HasSubstr("either \"messages\" or a \"prompt\""));
  EXPECT_THAT(problem(R"({"prompt":"a","messages":[]})"), HasSubstr("either"));
  EXPECT_THAT(problem(R"({"prompt":"a","at":-1})"), HasSubstr("\"at\""));
  EXPECT_THAT(problem(R"({"prompt":"a","session":"x"})"), HasSubstr("\"session\""));
  EXPECT_THAT(problem(R"({"prompt":["a",{"answer":0}]})"),
              HasSubstr("t:3: {\"answer\":0}: its session has no such turn before this one"));
  EXPECT_THROW(parse_trace("t", "\n"), Error);
}

TEST(LoadTrace, AnswersTakeTheirPlaces) {
  const std::map<int64_t, GivenAnswer> given = {{0, {"Yes", {7, 8}}}};
  const auto filled = [&](const char* body) {
    return with_answers(Json::parse(body), given)->dump();
  };
  EXPECT_EQ(filled(R"({"messages":[{"role":"user","content":"a"},{"answer":0}]})"),
            R"({"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"Yes"}]})");
  EXPECT_EQ(filled(R"({"prompt":["a ",{"answer":0}," b"]})"), R"({"prompt":"a Yes b"})");
  EXPECT_EQ(filled(R"({"prompt":[1,{"answer":0},2]})"), R"({"prompt":[1,7,8,2]})");
  EXPECT_EQ(filled(R"({"prompt":[1,2]})"), R"({"prompt":[1,2]})");
  EXPECT_FALSE(with_answers(Json::parse(R"({"prompt":["a",{"answer":1}]})"), given));
  EXPECT_THROW(with_answers(Json::parse(R"({"prompt":[1,{"answer":0}]})"), {{0, {"Yes", {}}}}),
               Error);
}

TEST(LoadReport, Percentiles) {
  const Percentiles p = percentiles({5, 1, 2, 3, 4});
  EXPECT_EQ(p.n, 5);
  EXPECT_DOUBLE_EQ(p.mean, 3);
  EXPECT_DOUBLE_EQ(p.p50, 3);
  EXPECT_DOUBLE_EQ(p.p90, 4.6);
  EXPECT_DOUBLE_EQ(p.p99, 4.96);
  EXPECT_DOUBLE_EQ(p.max, 5);
  EXPECT_EQ(percentiles({}).n, 0);
  EXPECT_DOUBLE_EQ(percentiles({7}).p99, 7);
}

TEST(LoadReport, TimesAreThoseOfTheirParts) {
  LoadResult first, later, uncounted, failed, unasked;
  first.start = 1, first.pieces = {1.5, 1.6, 1.8}, first.end = 2;
  first.usage = {.prompt = 10, .answer = 4, .cached = 5};
  later.turn = 1, later.start = 2, later.late = 0.5, later.pieces = {2.25, 2.75}, later.end = 3;
  later.usage = {.prompt = 20, .answer = 3, .cached = {}};
  uncounted.start = 3, uncounted.pieces = {3.125}, uncounted.end = 3.5;
  failed.start = 4, failed.end = 5, failed.error = "HTTP 503", failed.detail = "full";
  unasked.asked = false;
  LoadOptions options;
  options.timed = true;
  const LoadSummary s =
      summarize(std::vector{first, later, uncounted, failed, failed, unasked}, options, {});
  EXPECT_EQ(s.answered, 3);
  EXPECT_EQ(s.failed, 2);
  EXPECT_EQ(s.not_asked, 1);
  EXPECT_EQ(s.errors.at("HTTP 503"), (std::pair<int64_t, std::string>{2, "full"}));
  EXPECT_DOUBLE_EQ(s.seconds, 5);
  EXPECT_EQ(s.first.n, 3);
  EXPECT_DOUBLE_EQ(s.first.p50, 0.25);
  EXPECT_DOUBLE_EQ(s.first.max, 0.5);
  EXPECT_EQ(s.first_later.n, 1);
  EXPECT_DOUBLE_EQ(s.first_later.mean, 0.25);
  EXPECT_EQ(s.between.n, 3);
  EXPECT_DOUBLE_EQ(s.between.p50, 0.2);
  EXPECT_DOUBLE_EQ(s.between.max, 0.5);
  EXPECT_EQ(s.per_token.n, 2);
  EXPECT_DOUBLE_EQ(s.per_token.mean, (0.3 / 3 + 0.5 / 2) / 2);
  EXPECT_DOUBLE_EQ(s.whole.mean, 2.5 / 3);
  EXPECT_DOUBLE_EQ(s.late.max, 0.5);
  EXPECT_EQ(s.prompt_tokens, 30);
  EXPECT_EQ(s.answer_tokens, 7);
  EXPECT_EQ(s.cached_tokens, 5);
  EXPECT_EQ(s.cached_of, 10);
  EXPECT_EQ(s.uncounted, 1);
  const std::string text = load_report_md(s);
  EXPECT_THAT(text, testing::StartsWith("3 answers in 5.0 s from 1 client, 2 failed, 1 not asked"));
  EXPECT_THAT(text, HasSubstr("a second: 0.60 answers, 1.40 tokens of answers, 6.00 of prompts\n"
                              "tokens: 7 of answers, 30 of prompts\n"
                              "cached: 5 of 10 tokens of prompts, 50.0%\n"
                              "of 1 answers the server told no usage\n"));
}

TEST(LoadReport, MemoryGrowsAfterTheSecondMinute) {
  std::vector<MemorySample> samples;
  constexpr int64_t kMiB = 1 << 20;
  for (int i = 0; i <= 5; ++i)
    samples.push_back({60.0 * i, (100 + i + (i < 2 ? 0 : 50)) * kMiB, 0});
  const LoadSummary s = summarize({}, LoadOptions(), samples);
  EXPECT_THAT(
      load_report_md(s),
      HasSubstr("resident memory: 100.00 MiB at first, 155.00 MiB at the end, 155.00 MiB at "
                "most; grows by 1.000 MiB a minute after the second minute\n"));
  EXPECT_NEAR(load_report_json(s)["memory_growth_bytes_per_minute"].get<double>(), kMiB, 1);
}

TEST(LoadMemory, GrowthIsThatOfTheLine) {
  std::vector<MemorySample> samples;
  for (int i = 0; i < 60; ++i) {
    // Steep while it warms up, then 600 bytes a minute with a wobble that cancels out.
    const double seconds = i * 10;
    const int64_t settled = 5'000'000'000 + static_cast<int64_t>(seconds * 10) + (i % 2 ? 7 : -7);
    samples.push_back({seconds, seconds < 120 ? i * 1'000'000 : settled, 0});
  }
  const auto growth = growth_per_minute(samples, 120);
  ASSERT_TRUE(growth);
  EXPECT_NEAR(*growth, 600, 2);
  EXPECT_FALSE(growth_per_minute(samples, 575));
  EXPECT_GT(read_memory(getpid()).resident, 1'000'000);
  EXPECT_THROW(read_memory(0x7fffffff), Error);
}

// With a server whose answers have as many words as asked for and depend on the prompt alone,
// unless told otherwise.
class Load : public testing::Test {
 protected:
  Load()
      : folder_(std::filesystem::temp_directory_path() /
                ("braid_load_" + std::to_string(getpid()))) {
    std::filesystem::create_directory(folder_);
  }
  ~Load() override { std::filesystem::remove_all(folder_); }

  std::string file(const char* name) const { return (folder_ / name).string(); }
  test::Outcome load(std::vector<std::string> arguments,
                     const Environment& environment = {}) const {
    arguments.insert(arguments.begin(), {"load", "--url", server_.url()});
    return test::run_command(load_command, arguments, environment);
  }

  std::string tail_ = "data: [DONE]\n\n";
  int refused_ = 0;  // so many are
  std::string retry_after_;
  std::set<size_t> broken_;  // which answers end before [DONE]: the n-th that comes
  std::string key_;          // that the last one showed
  size_t changed_ = -1;      // whose text is another
  std::filesystem::path folder_;
  test::FakeServer server_{[this](Exchange& exchange, const Json& body, size_t index) {
    answer(exchange, body, index);
  }};

 private:
  void answer(Exchange& exchange, const Json& body, size_t index) {
    const std::lock_guard lock(mutex_);
    key_ = exchange.request().header("Authorization");
    if (refused_ > 0) {
      --refused_;
      HttpHeaders more;
      if (!retry_after_.empty()) more.emplace_back("Retry-After", retry_after_);
      return exchange.reply(503, "application/json",
                            R"({"error":{"message":"Nothing today.","code":"closed"}})", more);
    }
    const bool chat = body.contains("messages");
    const size_t seed = std::hash<std::string>()(body[chat ? "messages" : "prompt"].dump());
    exchange.begin(200, "text/event-stream");
    const int64_t n = body["max_tokens"];
    for (int64_t i = 0; i < n; ++i) {
      const std::string word = fmt::format("{} ", (seed >> i % 40) % 1000);
      Json choice = {{"index", 0}};
      const std::string text = index == changed_ && i == n - 1 ? "other" : word;
      if (chat)
        choice["delta"] = {{"content", text}};
      else
        choice["text"] = text;
      exchange.write("data: " + Json({{"choices", {choice}}}).dump() + "\n\n");
    }
    exchange.write(fmt::format(
        "data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":100,\"completion_tokens\":{},"
        "\"prompt_tokens_details\":{{\"cached_tokens\":25}}}}}}\n\n{}",
        n, broken_.contains(index) ? "" : tail_));
    exchange.end();
  }

  std::mutex mutex_;
};

TEST_F(Load, TheReportCountsWhatTheServerTells) {
  const test::Outcome outcome = load({"--clients", "4", "--requests", "50", "-o", "json",
                                      "--temperatures", "0,0.5", "--body", R"({"top_k": 3})"});
  EXPECT_EQ(outcome.code, kDone) << outcome.err;
  const Json report = Json::parse(outcome.out);
  const auto bodies = server_.bodies();
  ASSERT_EQ(bodies.size(), 50u);
  int64_t tokens = 0;
  for (const Json& body : bodies) {
    tokens += body["max_tokens"].get<int64_t>();
    EXPECT_EQ(body["model"], "fake");
    EXPECT_EQ(body["stream"], true);
    EXPECT_EQ(body["stream_options"]["include_usage"], true);
    EXPECT_EQ(body["ignore_eos"], true);
    EXPECT_EQ(body["top_k"], 3);
  }
  EXPECT_EQ(report["answered"], 50);
  EXPECT_EQ(report["failed"], 0);
  EXPECT_EQ(report["answer_tokens"], tokens);
  EXPECT_EQ(report["prompt_tokens"], 5000);
  EXPECT_EQ(report["cached_tokens"], 1250);
  EXPECT_EQ(report["first_token_s"]["n"], 50);
  EXPECT_EQ(report["between_pieces_s"]["n"], tokens - 50);
  EXPECT_LE(report["first_token_s"]["max"], report["answer_s"]["max"]);
  EXPECT_NEAR(report["answers_per_second"].get<double>() * report["seconds"].get<double>(), 50,
              1e-6);

  const test::Outcome md = load({"--requests", "20"});
  EXPECT_EQ(md.code, kDone) << md.err;
  EXPECT_THAT(md.out, HasSubstr("20 answers in "));
  EXPECT_THAT(md.out, HasSubstr("| time to first token, s "));
  EXPECT_THAT(md.out, testing::ContainsRegex("\na second: [0-9.]+ answers, [0-9.]+ tokens of "
                                             "answers, [0-9.]+ of prompts\ntokens: "));
  EXPECT_THAT(md.out, HasSubstr("cached: 500 of 2,000 tokens of prompts, 25.0%"));
}

TEST_F(Load, TheSameTraceAloneAndTogether) {
  const std::string trace = file("trace"), alone = file("alone");
  EXPECT_EQ(load({"--requests", "40", "--write-trace", trace}).code, kDone);
  EXPECT_TRUE(server_.bodies().empty());
  EXPECT_EQ(load({"--trace", trace, "--answers", alone}).code, kDone);
  EXPECT_EQ(test::lines_of(read_file(alone)).size(), 40u);

  test::Outcome outcome = load({"--trace", trace, "--clients", "8", "--compare", alone});
  EXPECT_EQ(outcome.code, kDone) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("40 answers as in " + alone + ", 0 otherwise"));
  // Without a file, the same seed gives the same requests.
  outcome = load({"--requests", "50", "--clients", "8", "--compare", alone});
  EXPECT_EQ(outcome.code, kDone) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("40 answers as in " + alone + ", 0 otherwise; 10 are new"));

  changed_ = server_.bodies().size() + 17;
  outcome = load({"--trace", trace, "--compare", alone});
  EXPECT_EQ(outcome.code, kFailed);
  EXPECT_THAT(outcome.out, HasSubstr("39 answers as in " + alone + ", 1 otherwise"));
  EXPECT_THAT(outcome.out, HasSubstr("request 17 (session "));
  EXPECT_THAT(outcome.out, HasSubstr("\"other\""));

  EXPECT_THAT(load({"--seed", "2", "--requests", "9", "--compare", alone}).err,
              HasSubstr("was another one"));
  EXPECT_THAT(load({"--trace", trace, "--shared", "3"}).err, HasSubstr("--shared and --trace"));
}

TEST_F(Load, LaterTurnsHoldWhatWasAnswered) {
  EXPECT_EQ(load({"--requests", "30", "--turns", "3", "--real-answers", "--prompt-tokens",
                  "10-2000", "--answer-tokens", "2", "--completions", "text"})
                .code,
            kDone);
  int later = 0;
  for (const Json& body : server_.bodies()) {
    const std::string prompt = body["prompt"];
    later += prompt.find_first_of("0123456789") != std::string::npos;
  }
  EXPECT_GT(later, 10);
}

TEST_F(Load, FailuresAreCountedByKind) {
  const std::vector<std::string> one = {"--requests", "1", "--turns", "1"};
  tail_ = "data: {\"error\":{\"message\":\"planted\"}}\n\n";
  test::Outcome outcome = load(one);
  EXPECT_EQ(outcome.code, kFailed);
  EXPECT_THAT(outcome.out, HasSubstr("1 x error in the stream: planted"));
  tail_ = "";
  EXPECT_THAT(load(one).out, HasSubstr("1 x broken off: "));
  tail_ = "data: junk\n\n";
  EXPECT_THAT(load(one).out, HasSubstr("1 x not understood: "));
  refused_ = 1;
  EXPECT_THAT(load(one).out, HasSubstr("1 x HTTP 503 closed: Nothing today."));
}

TEST_F(Load, WhatNeedsAnAnswerThatFailedIsNotAsked) {
  const std::vector<std::string> asked = {"--requests",      "12",      "--turns", "3",
                                          "--prompt-tokens", "10-2000", "--seed",  "7",
                                          "--real-answers",  "-o",      "json"};
  broken_ = {0};
  const test::Outcome outcome = load(asked);
  EXPECT_EQ(outcome.code, kFailed);
  const Json report = Json::parse(outcome.out);
  EXPECT_EQ(report["failed"], 1);
  EXPECT_EQ(report["not_asked"], 2);
  EXPECT_EQ(report["answered"], 9);
  EXPECT_EQ(report["errors"].size(), 1u);
  EXPECT_EQ(report["errors"]["broken off"]["count"], 1);
  EXPECT_EQ(server_.bodies().size(), 10u);
}

TEST_F(Load, ARefusedClientRestsAndTheRestIsNotTheRequests) {
  refused_ = 2;
  retry_after_ = "1";
  const auto began = std::chrono::steady_clock::now();
  test::Outcome outcome =
      load({"--requests", "3", "--turns", "3-3", "--prompt-tokens", "10-2000", "-o", "json"});
  EXPECT_EQ(outcome.code, kFailed);
  Json report = Json::parse(outcome.out);
  EXPECT_EQ(report["failed"], 2);
  EXPECT_EQ(report["answered"], 1);
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::seconds(2));
  EXPECT_LT(report["answer_s"]["max"], 0.9);
  // Nobody waits after the last one.
  refused_ = 1;
  outcome = load({"--requests", "1", "-o", "json"});
  EXPECT_LT(Json::parse(outcome.out)["seconds"], 0.9);
}

TEST_F(Load, TimedRequestsWaitForTheirTime) {
  std::ofstream(file("trace")) << R"({"prompt":"a","max_tokens":1,"at":0.3})"
                               << "\n"
                               << R"({"prompt":"b","max_tokens":1,"at":0.1})"
                               << "\n";
  const test::Outcome outcome =
      load({"--trace", file("trace"), "--timed", "--clients", "2", "-o", "json"});
  EXPECT_EQ(outcome.code, kDone) << outcome.err;
  const Json report = Json::parse(outcome.out);
  EXPECT_GE(report["seconds"], 0.3);
  EXPECT_EQ(report["late_s"]["n"], 2);
  EXPECT_EQ(server_.bodies()[0]["prompt"], "b");
}

TEST_F(Load, ADurationEndsIt) {
  const test::Outcome outcome = load({"--duration", "0.3", "--clients", "2", "-o", "json"});
  EXPECT_EQ(outcome.code, kDone) << outcome.err;
  const Json report = Json::parse(outcome.out);
  EXPECT_GT(report["answered"], 2);
  EXPECT_LT(report["seconds"], 5);
}

TEST_F(Load, ADurationEndsWaiting) {
  std::ofstream(file("trace")) << R"({"prompt":"a","max_tokens":1})"
                               << "\n"
                               << R"({"prompt":"b","max_tokens":1,"at":100})"
                               << "\n";
  const auto began = std::chrono::steady_clock::now();
  const test::Outcome outcome =
      load({"--trace", file("trace"), "--timed", "--duration", "0.3", "-o", "json"});
  EXPECT_EQ(outcome.code, kDone) << outcome.err;
  EXPECT_EQ(Json::parse(outcome.out)["answered"], 1);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(20));
}

// The stacks of its threads find no room in the address space, once the first one runs.
TEST(LoadRun, ThreadsThatCannotBeStartedAreAnError) {
  pthread_attr_t usual, endless;
  pthread_getattr_default_np(&usual);
  pthread_getattr_default_np(&endless);
  pthread_attr_setstacksize(&endless, size_t{1} << 47);
  LoadOptions options;
  options.target = HttpTarget::of_url("http://127.0.0.1:1");
  options.clients = 4096;
  std::string problem;
  try {
    LoadRun run(options, [&]() -> std::optional<LoadSession> {
      pthread_setattr_default_np(&endless);
      return std::nullopt;
    });
  } catch (const Error& error) {
    problem = error.what();
  }
  pthread_setattr_default_np(&usual);
  EXPECT_THAT(problem, HasSubstr(" of 4096 clients could be started: "));
  EXPECT_THAT(problem, HasSubstr("--clients"));
}

TEST_F(Load, TheKeyOfTheCommandLineCountsBeforeThatOfTheEnvironment) {
  const Environment environment = {{"BRAID_API_KEY", "of-the-environment"}};
  write_file(file("key"), "of-a-file\n");
  EXPECT_EQ(load({"--requests", "1"}, environment).code, kDone);
  EXPECT_EQ(key_, "Bearer of-the-environment");
  EXPECT_EQ(load({"--requests", "1", "--api-key-file", file("key")}, environment).code, kDone);
  EXPECT_EQ(key_, "Bearer of-a-file");
}

TEST_F(Load, WhatIsWrongIsSaidInALine) {
  test::expect_one_line(
      test::run_command(load_command, {"load", "--url", "http://127.0.0.1:1", "--requests", "1"}),
      kFailed, "no server answers");
  test::expect_one_line(load({"--prompt-tokens", "9-3"}), kUsage, "--prompt-tokens");
  test::expect_one_line(load({"--turns", "x"}), kUsage, "--turns");
  test::expect_one_line(load({"--body", "3"}), kFailed, "--body");
  test::expect_one_line(load({"--trace", "/nowhere/t"}), kFailed, "/nowhere/t");
  test::expect_one_line(load({"--completions", "ids", "--real-answers"}), kFailed,
                        "take --completions text");
  test::expect_one_line(load({"--api-key", "a", "--api-key-file", "b"}), kUsage, "excludes");
  // Before anything is asked.
  write_file(file("junk"), "{\"number\": 1}\n");
  test::expect_one_line(load({"--compare", file("junk")}), kFailed, "junk:1: is no answer");
  test::expect_one_line(load({"--compare", "/nowhere/c"}), kFailed, "/nowhere/c");
  test::expect_one_line(load({"--answers", "/nowhere/a"}), kFailed,
                        "/nowhere/a: cannot be written");
  EXPECT_TRUE(server_.bodies().empty());
  test::expect_one_line(load({"--write-trace", file("t")}), kFailed, "--requests");
  test::expect_one_line(load({"--watch-pid", "2147483647", "--requests", "1"}), kFailed,
                        "is it running?");
  server_.models = "[]";
  test::expect_one_line(load({"--requests", "1"}), kFailed, "no list of models");
}

}  // namespace
}  // namespace braid
