// For tests of commands that ask a server: one in this process whose answers a test decides.
#pragma once

#include "server/http_server.h"

#include <nlohmann/json.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace braid::test {

class FakeServer {
 public:
  // Answers the POST number `index`, on a thread of the server.
  using Answer =
      std::function<void(Exchange& exchange, const nlohmann::ordered_json& body, size_t index)>;

  explicit FakeServer(Answer answer) : answer_(std::move(answer)) {
    const auto routes = std::make_shared<Routes>();
    routes->add("GET", "/v1/models",
                [this](auto exchange) { exchange->reply(200, "application/json", models); });
    routes->add("GET", "/props", [this](auto exchange) {
      exchange->reply(props.empty() ? 404 : 200, "application/json", props);
    });
    for (const char* path : {"/v1/completions", "/v1/chat/completions"})
      routes->add("POST", path, [this](auto exchange) { take(*exchange); });
    HttpServerOptions options;
    options.port = 0;
    server_ = std::make_unique<HttpServer>(
        std::move(options), routes,
        ErrorBody{.status = 503, .message = "", .type = {}, .param = {}, .code = {}});
    server_->open(routes);
  }

  std::string url() const { return server_->address(); }
  std::vector<nlohmann::ordered_json> bodies() {
    const std::lock_guard lock(mutex_);
    return bodies_;
  }

  // For between requests.
  std::string models = R"({"data":[{"id":"fake"}]})";
  std::string props;  // none: as a server that is neither Braid's nor llama-server

 private:
  void take(Exchange& exchange) {
    const auto body = nlohmann::ordered_json::parse(exchange.request().body);
    size_t index = 0;
    {
      const std::lock_guard lock(mutex_);
      index = bodies_.size();
      bodies_.push_back(body);
    }
    answer_(exchange, body, index);
  }

  Answer answer_;
  std::mutex mutex_;
  std::vector<nlohmann::ordered_json> bodies_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace braid::test
