// braid load against a server in this process whose answers a test decides.
#include "base/check.h"
#include "server/http_server.h"
#include "tools/command_test_support.h"
#include "tools/files.h"
#include "tools/load_answers.h"
#include "tools/load_memory.h"
#include "tools/load_report.h"
#include "tools/load_synthetic.h"
#include "tools/load_trace.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <thread>

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
  EXPECT_THROW(parse_trace("t", "\n"), Error);
}

TEST(LoadTrace, AnswersTakeTheirPlaces) {
  const GivenAnswer answer{"Yes", {7, 8}};
  const auto given = [&](int64_t turn) { return turn == 0 ? &answer : nullptr; };
  const auto filled = [&](const char* body) {
    return with_answers(Json::parse(body), given).dump();
  };
  EXPECT_EQ(filled(R"({"messages":[{"role":"user","content":"a"},{"answer":0}]})"),
            R"({"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"Yes"}]})");
  EXPECT_EQ(filled(R"({"prompt":["a ",{"answer":0}," b"]})"), R"({"prompt":"a Yes b"})");
  EXPECT_EQ(filled(R"({"prompt":[1,{"answer":0},2]})"), R"({"prompt":[1,7,8,2]})");
  EXPECT_EQ(filled(R"({"prompt":[1,2]})"), R"({"prompt":[1,2]})");
  EXPECT_THROW(filled(R"({"prompt":["a",{"answer":1}]})"), Error);
  const GivenAnswer without_ids{"Yes", {}};
  EXPECT_THROW(with_answers(Json::parse(R"({"prompt":[1,{"answer":0}]})"),
                            [&](int64_t) { return &without_ids; }),
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

// Answers of as many words as asked for, which depend on the prompt alone, unless told otherwise.
class FakeServer {
 public:
  FakeServer() {
    const auto routes = std::make_shared<Routes>();
    routes->add("GET", "/v1/models",
                [this](auto exchange) { exchange->reply(200, "application/json", models); });
    for (const char* path : {"/v1/completions", "/v1/chat/completions"})
      routes->add("POST", path, [this](auto exchange) { answer(*exchange); });
    HttpServerOptions options;
    options.port = 0;
    server_ = std::make_unique<HttpServer>(
        std::move(options), routes,
        ErrorBody{.status = 503, .message = "", .type = {}, .param = {}, .code = {}});
    server_->open(routes);
  }

  std::string url() const { return server_->address(); }
  std::vector<Json> bodies() {
    const std::lock_guard lock(mutex_);
    return bodies_;
  }

  std::string models = R"({"data":[{"id":"fake"}]})";
  std::string tail = "data: [DONE]\n\n";
  std::atomic<int> status{200};
  std::atomic<int> changed{-1};  // whose text is another: the n-th that comes

 private:
  void answer(Exchange& exchange) {
    const Json body = Json::parse(exchange.request().body);
    int index = 0;
    {
      const std::lock_guard lock(mutex_);
      index = static_cast<int>(bodies_.size());
      bodies_.push_back(body);
    }
    if (status != 200)
      return exchange.reply(status, "application/json",
                            R"({"error":{"message":"Nothing today.","code":"closed"}})");
    const bool chat = body.contains("messages");
    const size_t seed = std::hash<std::string>()(body[chat ? "messages" : "prompt"].dump());
    exchange.begin(200, "text/event-stream");
    const int64_t n = body["max_tokens"];
    for (int64_t i = 0; i < n; ++i) {
      const std::string word = fmt::format("{} ", (seed >> i % 40) % 1000);
      Json choice = {{"index", 0}};
      const std::string text = index == changed && i == n - 1 ? "other" : word;
      if (chat)
        choice["delta"] = {{"content", text}};
      else
        choice["text"] = text;
      exchange.write("data: " + Json({{"choices", {choice}}}).dump() + "\n\n");
    }
    exchange.write(fmt::format(
        "data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":100,\"completion_tokens\":{},"
        "\"prompt_tokens_details\":{{\"cached_tokens\":25}}}}}}\n\n{}",
        n, tail));
    exchange.end();
  }

  std::mutex mutex_;
  std::vector<Json> bodies_;
  std::unique_ptr<HttpServer> server_;
};

class Load : public testing::Test {
 protected:
  Load()
      : folder_(std::filesystem::temp_directory_path() /
                ("braid_load_" + std::to_string(getpid()))) {
    std::filesystem::create_directory(folder_);
  }
  ~Load() override { std::filesystem::remove_all(folder_); }

  std::string file(const char* name) const { return (folder_ / name).string(); }
  test::Outcome load(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"load", "--url", server_.url()});
    return test::run_command(load_command, arguments);
  }

  std::filesystem::path folder_;
  FakeServer server_;
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
  EXPECT_LE(report["first_token_s"]["p50"], report["first_token_s"]["max"]);
  EXPECT_LE(report["first_token_s"]["max"], report["answer_s"]["max"]);

  const test::Outcome md = load({"--requests", "20"});
  EXPECT_EQ(md.code, kDone) << md.err;
  EXPECT_THAT(md.out, HasSubstr("20 answers in "));
  EXPECT_THAT(md.out, HasSubstr("| time to first token, s "));
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

  server_.changed = static_cast<int>(server_.bodies().size()) + 17;
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
  server_.tail = "data: {\"error\":{\"message\":\"planted\"}}\n\n";
  test::Outcome outcome = load(one);
  EXPECT_EQ(outcome.code, kFailed);
  EXPECT_THAT(outcome.out, HasSubstr("1 x error in the stream: planted"));
  server_.tail = "";
  EXPECT_THAT(load(one).out, HasSubstr("1 x broken off: "));
  server_.tail = "data: junk\n\n";
  EXPECT_THAT(load(one).out, HasSubstr("1 x not understood: "));
  server_.status = 503;
  EXPECT_THAT(load(one).out, HasSubstr("1 x HTTP 503 closed: Nothing today."));
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

TEST_F(Load, WhatIsWrongIsSaidInALine) {
  test::expect_one_line(
      test::run_command(load_command, {"load", "--url", "http://127.0.0.1:1", "--requests", "1"}),
      kFailed, "no server answers");
  test::expect_one_line(load({"--prompt-tokens", "9-3"}), kUsage, "--prompt-tokens");
  test::expect_one_line(load({"--turns", "x"}), kUsage, "--turns");
  test::expect_one_line(load({"--body", "3"}), kFailed, "--body");
  test::expect_one_line(load({"--trace", "/nowhere/t"}), kFailed, "/nowhere/t");
  test::expect_one_line(load({"--write-trace", file("t")}), kFailed, "--requests");
  test::expect_one_line(load({"--watch-pid", "2147483647", "--requests", "1"}), kFailed,
                        "is it running?");
  server_.models = "[]";
  test::expect_one_line(load({"--requests", "1"}), kFailed, "no list of models");
}

}  // namespace
}  // namespace braid
