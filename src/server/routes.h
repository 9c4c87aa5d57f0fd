// Which handler answers which method and path. Filled before the server starts, only read after.
//
// A path is matched segment by segment: "{}" stands for one segment that is not empty, and as the
// last one "{*}" for all that is left. What they stood for is HttpRequest::captured, in order.
// HEAD is answered by the handler of GET, OPTIONS by the server.
#pragma once

#include "server/exchange.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

// On a worker thread. What it throws goes to the log, and becomes an answer with status 500 or ends
// one that has begun, unless there is one already.
using Handler = std::function<void(std::shared_ptr<Exchange>)>;

struct Route {
  std::string method, path;
  Handler handler;
  bool open = false;   // asks for no API key
  bool quick = false;  // answers at once: runs on the network's thread, and also while loading
};

struct RouteMatch {
  const Route* route = nullptr;
  std::vector<std::string> captured;
  std::vector<std::string> allowed;  // methods, when the path is there but not this method
};

class Routes {
 public:
  // Throws InternalError when there is one already.
  void add(Route route);
  void add(std::string method, std::string path, Handler handler) {
    add({.method = std::move(method), .path = std::move(path), .handler = std::move(handler)});
  }
  RouteMatch find(std::string_view method, std::string_view path) const;

 private:
  std::vector<Route> routes_;
};

}  // namespace braid
