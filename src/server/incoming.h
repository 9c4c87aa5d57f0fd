// A request while it arrives: what is wrong with it so far, and what becomes of it. Only the
// network's thread knows it.
#pragma once

#include "server/budget.h"
#include "server/error_body.h"
#include "server/http_exchange.h"
#include "server/routes.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace braid {

struct Incoming {
  std::string target;  // as it stands in the request line
  std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
  std::shared_ptr<HttpExchange> exchange;  // once the head is there

  std::shared_ptr<const Routes> routes;  // keeps `match` alive
  RouteMatch match;
  // Answered in place of the handler, after what is left of the body has been read past.
  std::optional<ErrorBody> refused;
  HttpHeaders refused_headers;
  bool preflight = false;  // OPTIONS: 204
  bool close = false;      // the connection, after the answer

  bool has_body = false, handed_over = false;
  uint64_t arrived = 0;                // bytes of the body, read past or kept
  BudgetShare body;                    // of HttpLimits::bodies_bytes
  std::shared_ptr<BudgetShare> place;  // among the requests in work
};

// What the head of a request says about its body.
struct BodyFraming {
  std::string wrong;               // empty: it can be told where the body ends
  std::optional<uint64_t> length;  // nothing: chunked, or none
  bool chunked = false;
  bool waits = false;  // for 100 Continue
  bool any() const { return chunked || length.value_or(0) > 0; }
};
BodyFraming body_framing(const HttpHeaders& headers);

// Headers that let web pages of an allowed origin read the answer. Empty for others.
HttpHeaders cors_headers(const HttpRequest& request, const std::vector<std::string>& origins);

// What a preflight is told: the headers that it asks for, as long as they are names; else the usual
// ones.
std::string allowed_headers(const HttpRequest& request);

}  // namespace braid
