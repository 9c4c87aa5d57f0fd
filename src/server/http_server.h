// An HTTP/1.1 server: takes requests apart, asks for keys, keeps limits and times, and gives whole
// requests to handlers on threads of its own (routes.h). What they mean is not its business.
//
// It listens from construction on; until open() every route that is not quick is told 503.
#pragma once

#include "server/error_body.h"
#include "server/http_limits.h"
#include "server/routes.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

// What was answered to a request, when it is over.
struct HttpAnswer {
  std::string id, method, path, client;
  std::string route;   // as registered, "other" for paths that do not exist
  int status = 0;      // 499: the client went before there was an answer
  double seconds = 0;  // from its first line to the last byte of the answer
  int64_t bytes = 0;   // of the body
  bool whole = true;   // false: the client went, or the answer was broken off
};

struct HttpServerOptions {
  std::string host = "127.0.0.1";  // or the path of a Unix socket (listen_socket.h)
  int port = 8080;                 // 0: any free one
  int backlog = 512;
  HttpLimits limits;
  std::vector<std::string> keys;                    // none: everybody is served
  std::vector<std::string> origins;                 // of web pages that may ask; "*": all
  std::vector<std::string> hosts;                   // more names of this server; "*": any
  std::string tls_certificate, tls_key;             // PEM; empty: no TLS
  std::function<void(const HttpAnswer&)> answered;  // on a thread of the server: be quick
  std::function<void(std::string_view)> problem;    // one line, of what no client is told
};

struct HttpServerStats {
  int64_t connections = 0, requests = 0;  // open now; in work now
  int64_t accepted = 0;
};

class HttpServer {
 public:
  // Throws Error that names address or file, and the remedy.
  HttpServer(HttpServerOptions options, std::shared_ptr<const Routes> routes, ErrorBody not_yet);
  ~HttpServer();  // stop(0)
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  const std::string& address() const;  // "http://127.0.0.1:8080", "unix:/run/braid.sock"
  int port() const;

  void open(std::shared_ptr<const Routes> routes);
  void close(ErrorBody why);  // back to 503, which may be said anew

  // Takes no more connections and requests, lets those in work end for so many seconds, and drops
  // what is left. Handlers that still run are waited for. From any thread but the server's own.
  void stop(double grace_seconds);

  // For connections that come from now on. Throws Error that says what is wrong, and then what was
  // there stays; for a server without TLS, too.
  void replace_certificate(const std::string& certificate, const std::string& key);

  HttpServerStats stats() const;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace braid
