// HTTP calls to a server, one at a time over a connection that is kept: what `braid load` and
// `braid chat --url` ask with. TLS, proxies and sockets are libcurl's business; what bodies mean is
// that of openai_stream.h.
//
// A client belongs to one thread.
#pragma once

#include "base/check.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace braid {

struct HttpTarget {
  std::string base;     // "http://127.0.0.1:8080", paths are put behind it
  std::string socket;   // path of a Unix socket; empty: TCP
  std::string key;      // sent as Authorization: Bearer; empty: none
  std::string ca_file;  // PEM of whom to trust instead of the system's list
  bool any_certificate = false;
  double connect_seconds = 10;
  double silent_seconds = 300;  // a server that says nothing for so long is given up

  // "http://host:8080", "https://host/v1" (the /v1 goes, for paths bring it), "host:8080",
  // "unix:/run/braid.sock". Throws Error that says what is wrong.
  static HttpTarget of_url(std::string_view url);
};

// What kept an answer from coming or from being whole.
enum class HttpFailure { kConnect, kTls, kTimeout, kClosed, kOther };
const char* name_of(HttpFailure failure);

class HttpError : public Error {
 public:
  HttpError(HttpFailure failure, const std::string& text) : Error(text), failure_(failure) {}
  HttpFailure failure() const { return failure_; }

 private:
  HttpFailure failure_;
};

struct HttpCall {
  std::string method = "GET", path{}, body{};  // a body is JSON
  // Takes the body of a 2xx answer as it comes; false hangs up. Without one it is kept.
  std::function<bool(std::string_view piece)> on_piece{};
  // Asked ten times a second; true hangs up.
  std::function<bool()> stop{};
};

struct HttpReply {
  int status = 0;
  std::string type{}, body{};
  std::optional<double> retry_after{};  // seconds
  bool stopped = false;                 // by the call, which the server sees as a client that went
};

class HttpClient {
 public:
  explicit HttpClient(HttpTarget target);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  const HttpTarget& target() const;

  // Throws HttpError, and what on_piece throws. Any status is a reply.
  HttpReply send(const HttpCall& call);

 private:
  class Handle;
  std::unique_ptr<Handle> handle_;
};

}  // namespace braid
