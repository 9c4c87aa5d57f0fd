// For tests of the server: a client that sends bytes as they are, and a server with handlers that a
// test holds in its hands.
#pragma once

#include "server/api_error.h"
#include "server/http_server.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace braid::test {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// True as soon as `holds` does; false when it does not within the time.
template <class Holds>
bool soon(Holds holds, std::chrono::milliseconds most = 5s) {
  const auto end = Clock::now() + most;
  while (!holds()) {
    if (Clock::now() > end) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

struct Answer {
  int status = 0;                              // 0: none came
  std::map<std::string, std::string> headers;  // names in small letters
  std::string body;
  bool whole = false;
};

class Client {
 public:
  explicit Client(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() { close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return connected_; }
  int fd() const { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  void reset() {  // RST in place of FIN
    const linger hard{.l_onoff = 1, .l_linger = 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close();
  }

  // False once the server takes no more.
  bool send(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t n = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      text.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }
  bool get(std::string_view path, std::string_view headers = {}) const {
    return send(std::string("GET ") + std::string(path) + " HTTP/1.1\r\nHost: a\r\n" +
                std::string(headers) + "\r\n");
  }
  bool post(std::string_view path, std::string_view body, std::string_view headers = {}) const {
    return send(std::string("POST ") + std::string(path) + " HTTP/1.1\r\nHost: a\r\n" +
                std::string(headers) + "Content-Length: " + std::to_string(body.size()) +
                "\r\n\r\n" + std::string(body));
  }

  // Waits for the next bytes. False: the server has closed, or nothing came in time.
  bool receive(std::chrono::milliseconds most = 5s) {
    pollfd wait{.fd = fd_, .events = POLLIN, .revents = 0};
    if (poll(&wait, 1, static_cast<int>(most.count())) <= 0) return false;
    char bytes[16384];
    const ssize_t n = recv(fd_, bytes, sizeof bytes, 0);
    if (n <= 0) {
      closed_ = true;
      return false;
    }
    seen_.append(bytes, static_cast<size_t>(n));
    return true;
  }
  bool receive_until(std::string_view text, std::chrono::milliseconds most = 5s) {
    while (seen_.find(text) == std::string::npos)
      if (!receive(most)) return false;
    return true;
  }
  bool closed_by_server(std::chrono::milliseconds most = 5s) {
    const auto end = Clock::now() + most;
    while (!closed_ && Clock::now() < end) receive(50ms);
    return closed_;
  }
  const std::string& seen() const { return seen_; }

  // The next answer, taken out of what was seen.
  Answer answer(bool head = false, std::chrono::milliseconds most = 5s) {
    Answer a;
    size_t end = std::string::npos;
    while ((end = seen_.find("\r\n\r\n")) == std::string::npos)
      if (!receive(most)) return a;
    const std::string top = seen_.substr(0, end + 2);
    seen_.erase(0, end + 4);
    a.status = std::atoi(top.c_str() + top.find(' '));
    for (size_t at = top.find("\r\n") + 2; at < top.size();) {
      const size_t line = top.find("\r\n", at), colon = top.find(':', at);
      std::string name = top.substr(at, colon - at);
      for (char& c : name) c = static_cast<char>(std::tolower(c));
      const size_t value = top.find_first_not_of(' ', colon + 1);
      a.headers[name] = top.substr(value, line - value);
      at = line + 2;
    }
    if (a.status == 100) return answer(head, most);
    a.whole = head || a.status == 204 || read_body(a, most);
    return a;
  }

 private:
  bool read_body(Answer& a, std::chrono::milliseconds most) {
    if (a.headers.contains("content-length")) {
      const size_t n = std::stoul(a.headers["content-length"]);
      while (seen_.size() < n)
        if (!receive(most)) return false;
      a.body = seen_.substr(0, n);
      seen_.erase(0, n);
      return true;
    }
    if (a.headers["transfer-encoding"] != "chunked") {
      while (receive(most)) continue;
      a.body = std::exchange(seen_, {});
      return closed_;
    }
    for (;;) {
      size_t line = std::string::npos;
      while ((line = seen_.find("\r\n")) == std::string::npos)
        if (!receive(most)) return false;
      const size_t n = std::stoul(seen_.substr(0, line), nullptr, 16);
      while (seen_.size() < line + 2 + n + 2)
        if (!receive(most)) return false;
      a.body += seen_.substr(line + 2, n);
      seen_.erase(0, line + 2 + n + 2);
      if (n == 0) return true;
    }
  }

  int fd_ = -1;
  bool connected_ = false, closed_ = false;
  std::string seen_;
};

// Exchanges that handlers put here, for the test to answer.
class Held {
 public:
  void put(std::shared_ptr<Exchange> exchange) {
    const std::lock_guard lock(mutex_);
    exchanges_.push_back(std::move(exchange));
    came_.notify_all();
  }
  // Null when none comes in time.
  std::shared_ptr<Exchange> take() {
    std::unique_lock lock(mutex_);
    if (!came_.wait_for(lock, 5s, [&] { return !exchanges_.empty(); })) return nullptr;
    auto exchange = std::move(exchanges_.front());
    exchanges_.erase(exchanges_.begin());
    return exchange;
  }
  size_t count() {
    const std::lock_guard lock(mutex_);
    return exchanges_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<std::shared_ptr<Exchange>> exchanges_;
};

struct TestServer {
  explicit TestServer(HttpServerOptions options = HttpServerOptions()) {
    auto routes = std::make_shared<Routes>();
    routes->add("GET", "/hello",
                [](auto exchange) { exchange->reply(200, "text/plain", "hello"); });
    routes->add("POST", "/echo", [](auto exchange) {
      exchange->reply(200, "text/plain", exchange->request().body);
    });
    routes->add("GET", "/items/{}", [](auto exchange) {
      exchange->reply(200, "text/plain", exchange->request().captured.at(0));
    });
    routes->add("GET", "/hold", [this](auto exchange) { held.put(std::move(exchange)); });
    routes->add("POST", "/hold", [this](auto exchange) { held.put(std::move(exchange)); });
    routes->add("GET", "/forgets", [](auto) {});
    routes->add("GET", "/throws", [](auto) { throw std::runtime_error("planted"); });
    routes->add("GET", "/throws/{}", [](auto) { throw std::runtime_error("planted\nforged"); });
    routes->add("GET", "/answers", [](auto exchange) {
      answering(*exchange, [] { throw std::logic_error("planted"); });
    });
    routes->add("GET", "/blocks", [this](auto exchange) {
      blocked = true;
      while (blocked) std::this_thread::sleep_for(1ms);
      exchange->reply(200, "text/plain", "free");
    });
    routes->add({.method = "GET",
                 .path = "/health",
                 .handler = [](auto exchange) { exchange->reply(200, "text/plain", "ok"); },
                 .open = true,
                 .quick = true});
    options.port = 0;
    options.answered = [this](const HttpAnswer& answer) {
      const std::lock_guard lock(mutex);
      answers.push_back(answer);
    };
    options.problem = [this](std::string_view line) {
      const std::lock_guard lock(mutex);
      problems.emplace_back(line);
    };
    server = std::make_unique<HttpServer>(
        std::move(options), routes,
        ErrorBody{.status = 503, .message = "loading", .type = {}, .param = {}, .code = "loading"});
    if (opened) server->open(routes);
  }

  int port() const { return server->port(); }
  // What the server notes of the n-th request, once it is over.
  HttpAnswer noted(size_t n = 0) {
    soon([&] {
      const std::lock_guard lock(mutex);
      return answers.size() > n;
    });
    const std::lock_guard lock(mutex);
    return answers.size() > n ? answers[n] : HttpAnswer();
  }

  size_t notes() {
    const std::lock_guard lock(mutex);
    return answers.size();
  }

  static constexpr bool opened = true;
  Held held;
  std::atomic<bool> blocked{false};  // a worker, by /blocks
  std::mutex mutex;
  std::vector<HttpAnswer> answers;
  std::vector<std::string> problems;
  std::unique_ptr<HttpServer> server;  // last: its threads use all the others
};

}  // namespace braid::test
