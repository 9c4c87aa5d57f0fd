// One HTTP request and its answer, as a handler sees them; who moves the bytes is not its concern.
//
// A handler runs on a worker thread and may keep the exchange: the answer can come later and from
// any thread, whole (reply) or in pieces (begin, write, end). No call waits for the client. A
// client that reads more slowly than the answer grows is dropped as if it had gone.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace braid {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method, path;  // path: without the query, "%20" and the like decoded
  HttpHeaders query, headers;
  std::vector<std::string> captured;  // what the wildcards of the route stood for (routes.h)
  std::string body;                   // until the handler has returned
  std::string id;  // the client's X-Request-Id, or a new one; the answer has it too
  int key = -1;    // which API key the client showed; -1: the server has none
  std::chrono::steady_clock::time_point arrived = std::chrono::steady_clock::now();  // its end

  // The last one of this name, ignoring case; empty when there is none.
  std::string_view header(std::string_view name) const;
  std::string_view parameter(std::string_view name) const;
};

class Exchange {
 public:
  virtual ~Exchange() = default;
  Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  virtual const HttpRequest& request() const = 0;

  virtual void reply(int status, std::string_view content_type, std::string body,
                     const HttpHeaders& more = {}) = 0;

  // Status and headers go out at once, the pieces as they come. write() is false once the client
  // has gone: nobody reads what follows.
  virtual void begin(int status, std::string_view content_type, const HttpHeaders& more = {}) = 0;
  virtual bool write(std::string_view piece) = 0;
  virtual void end() = 0;

  // From now on until the end, whenever nothing was written for so long, `piece` is: a comment of
  // server-sent events, so that nobody on the way takes the connection for dead.
  virtual void ping(std::string /*piece*/, double /*seconds*/) {}

  virtual bool gone() const = 0;

  // Called at most once, from another thread, when the client goes before the answer has ended; at
  // once if it has gone already. Replaces what was given before; an empty one forgets it, and
  // returns only when a call under way has returned.
  virtual void when_gone(std::function<void()> call) = 0;
};

}  // namespace braid
