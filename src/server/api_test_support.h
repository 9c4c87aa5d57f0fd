// For the API's tests: an exchange that only remembers, and the demo model served without HTTP.
#pragma once

#include "device/registry.h"
#include "engine/engine.h"
#include "format/open.h"
#include "sample/model_defaults.h"
#include "server/api.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace braid::test {

using Json = nlohmann::ordered_json;

class FakeExchange : public Exchange {
 public:
  explicit FakeExchange(HttpRequest request) : request_(std::move(request)) {}

  const HttpRequest& request() const override { return request_; }
  void reply(int status, std::string_view type, std::string body,
             const HttpHeaders& more) override {
    const std::lock_guard lock(mutex_);
    EXPECT_EQ(status_, 0) << "answered twice";
    status_ = status, type_ = type, body_ = std::move(body), headers_ = more, ended_ = true;
    changed_.notify_all();
  }
  void begin(int status, std::string_view type, const HttpHeaders& more) override {
    const std::lock_guard lock(mutex_);
    EXPECT_EQ(status_, 0) << "answered twice";
    status_ = status, type_ = type, headers_ = more;
    changed_.notify_all();
  }
  bool write(std::string_view piece) override {
    const std::lock_guard lock(mutex_);
    EXPECT_NE(status_, 0) << "written before it began";
    EXPECT_FALSE(ended_) << "written after the end";
    if (gone_) return false;
    if (throws_.exchange(false)) throw std::runtime_error("planted");
    body_ += piece;
    ++writes_;
    changed_.notify_all();
    return true;
  }
  void end() override {
    const std::lock_guard lock(mutex_);
    EXPECT_FALSE(std::exchange(ended_, true)) << "ended twice";
    changed_.notify_all();
  }
  void ping(std::string piece, double) override { ping_ = std::move(piece); }
  bool gone() const override { return gone_; }
  void when_gone(std::function<void()> call) override {
    const std::lock_guard lock(mutex_);
    when_gone_ = std::move(call);
  }

  // The client hangs up.
  void go() {
    std::function<void()> call;
    {
      const std::lock_guard lock(mutex_);
      gone_ = true;
      call = when_gone_;
    }
    if (call) call();
  }
  void throw_once() { throws_ = true; }  // in write()
  void wait_for_writes(int n) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return writes_ >= n || ended_; });
  }
  bool ended() {
    const std::lock_guard lock(mutex_);
    return ended_;
  }
  FakeExchange& wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ended_; });
    return *this;
  }

  int status() const { return status_; }
  const std::string& type() const { return type_; }
  const std::string& body() const { return body_; }
  const std::string& ping_piece() const { return ping_; }
  const HttpHeaders& headers() const { return headers_; }
  Json json() const { return Json::parse(body_); }
  // The events of a stream; "[DONE]" as a text.
  std::vector<Json> events() const {
    std::vector<Json> events;
    for (size_t at = 0; at < body_.size();) {
      const size_t end = body_.find("\n\n", at);
      if (end == std::string::npos || body_.compare(at, 6, "data: ") != 0) {
        ADD_FAILURE() << "no event: " << body_.substr(at);
        break;
      }
      const std::string data = body_.substr(at + 6, end - at - 6);
      events.push_back(data == "[DONE]" ? Json(data) : Json::parse(data));
      at = end + 2;
    }
    return events;
  }

 private:
  HttpRequest request_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int status_ = 0, writes_ = 0;
  bool ended_ = false;
  std::atomic<bool> gone_{false}, throws_{false};
  std::string type_, body_, ping_;
  HttpHeaders headers_;
  std::function<void()> when_gone_;
};

struct ServedOptions {
  int64_t context = 1024;
  int sequences = 4;
  int queue = 256;
  int64_t pages = 0;  // enough for all
  bool embeds = false;
  size_t plans_bytes = ApiOptions().plans_bytes;
  bool fills_in = false;  // some tokens of the vocabulary are those of filling in
};

class ServedDemo {
 public:
  explicit ServedDemo(ServedOptions options = ServedOptions())
      : file_(open_model_file(BRAID_TEST_DATA "/../../assets/braid-demo.gguf")),
        text_(read_text(*file_, options.fills_in)),
        tokenizer_(text_.vocabulary),
        vocabulary_(sampler_vocabulary(tokenizer_)),
        template_(text_.chat_template, {}),
        device_(open_device("cpu", {2, ""})),
        engine_(*file_, *device_, engine_options(options)) {
    sampling_.temperature = 0;
    SchedulerOptions scheduling;
    scheduling.queue = options.queue;
    scheduler_ = std::make_unique<Scheduler>(engine_, vocabulary_, scheduling);
    model_.reset(new ServedModel{*scheduler_, text_, tokenizer_, &template_, sampling_, vocabulary_,
                                 metrics_, text_.end_ids, "demo", file_->path(), options.context,
                                 options.sequences, -1, 1'700'000'000, options.embeds, nullptr});
    ApiOptions api;
    api.plans_bytes = options.plans_bytes;
    api.problem = [this](std::string_view line) {
      const std::lock_guard lock(mutex_);
      problems_.emplace_back(line);
    };
    api_ = std::make_unique<Api>(*model_, api);
    api_->add_routes(routes_);
  }
  ~ServedDemo() { scheduler_->shut_down(0); }

  std::shared_ptr<FakeExchange> start(const std::string& method, const std::string& path,
                                      const std::string& body, const HttpHeaders& query = {}) {
    const RouteMatch match = routes_.find(method, path);
    EXPECT_NE(match.route, nullptr) << method << " " << path;
    HttpRequest request;
    request.method = method;
    request.path = path;
    request.captured = match.captured;
    request.body = body;
    request.query = query;
    request.key = key_;
    request.arrived -= waited_;
    auto exchange = std::make_shared<FakeExchange>(std::move(request));
    try {
      if (match.route) match.route->handler(exchange);
    } catch (const std::exception& error) {
      const std::lock_guard lock(mutex_);
      problems_.emplace_back(error.what());
    }
    return exchange;
  }
  std::shared_ptr<FakeExchange> post(const std::string& path, const Json& body) {
    auto exchange = start("POST", path, body.dump());
    exchange->wait();
    return exchange;
  }
  std::shared_ptr<FakeExchange> get(const std::string& path) {
    auto exchange = start("GET", path, "");
    exchange->wait();
    return exchange;
  }
  // Expects an answer.
  Json ask(const std::string& path, const Json& body) {
    const auto exchange = post(path, body);
    EXPECT_EQ(exchange->status(), 200) << exchange->body();
    return exchange->json();
  }
  // Expects status 400 about the field, and gives the message.
  std::string refusal(const std::string& path, const Json& body, const std::string& param,
                      int status = 400) {
    const auto exchange = post(path, body);
    EXPECT_EQ(exchange->status(), status) << exchange->body();
    const Json error = exchange->json().value("error", Json::object());
    EXPECT_EQ(error.value("param", Json()), param.empty() ? Json() : Json(param))
        << exchange->body();
    return error.value("message", "");
  }

  // What went to the log so far.
  std::vector<std::string> problems() {
    const std::lock_guard lock(mutex_);
    return problems_;
  }

  void set_key(int key) { key_ = key; }
  // How long requests have been here when a handler gets them.
  void set_waited(std::chrono::seconds waited) { waited_ = waited; }
  ServedModel& model() { return *model_; }
  Scheduler& scheduler() { return *scheduler_; }
  const StatePool& pool() { return engine_.pool(); }
  const Tokenizer& tokenizer() const { return tokenizer_; }
  Api& api() { return *api_; }
  SamplerOptions& sampling() { return sampling_; }

 private:
  static ModelText read_text(const TensorFile& file, bool fills_in) {
    ModelText text = read_model_text(file);
    const std::pair<const char*, const char*> renamed[] = {{"<tool_call>", "<|fim_prefix|>"},
                                                           {"</tool_call>", "<|fim_suffix|>"},
                                                           {"<tool_response>", "<|fim_middle|>"},
                                                           {"</tool_response>", "<|file_sep|>"}};
    for (const auto& [from, to] : renamed) {
      if (!fills_in) break;
      std::vector<std::string>& tokens = text.vocabulary.tokens;
      const auto at = std::find(tokens.begin(), tokens.end(), from);
      text.vocabulary.types.at(static_cast<size_t>(at - tokens.begin())) = TokenType::kControl;
      *at = to;
    }
    return text;
  }
  static EngineOptions engine_options(const ServedOptions& options) {
    EngineOptions o;
    o.context = options.context;
    o.sequences = options.sequences;
    o.ubatch = 128;
    o.pages = options.pages;
    o.hidden = options.embeds;
    return o;
  }

  int key_ = -1;
  std::chrono::seconds waited_{0};
  std::mutex mutex_;
  std::vector<std::string> problems_;
  std::unique_ptr<TensorFile> file_;
  ModelText text_;
  Tokenizer tokenizer_;
  SamplerVocabulary vocabulary_;
  ChatTemplate template_;
  std::unique_ptr<Device> device_;
  Engine engine_;
  SamplerOptions sampling_;
  Metrics metrics_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<ServedModel> model_;
  std::unique_ptr<Api> api_;
  Routes routes_;
};

}  // namespace braid::test
