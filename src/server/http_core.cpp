#include "server/http_core.h"

#include "base/check.h"
#include "format/printable.h"
#include "server/access_log.h"
#include "server/http_text.h"
#include "server/web_pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace braid {
namespace {

// A client that is told "no" early and goes on sending would lose the answer to a reset, so what it
// sends is read past, up to the size of a body that would have been taken and so much more.
constexpr uint64_t kReadPast = uint64_t{1} << 20;

void refuse(Incoming& in, int status, std::string message, std::string code = {},
            HttpHeaders headers = {}) {
  in.refused = {.status = status,
                .message = std::move(message),
                .type = {},
                .param = {},
                .code = std::move(code)};
  in.refused_headers = std::move(headers);
}

void refuse_for_now(Incoming& in, std::string message, std::string code) {
  refuse(in, 503, std::move(message), std::move(code), {{"Retry-After", "2"}});
}

std::string joined(const std::vector<std::string>& methods) {
  std::string out;
  for (const std::string& method : methods) out += (out.empty() ? "" : ", ") + method;
  return out;
}

}  // namespace

uint64_t HttpServer::Core::most_read_past() const { return options_.limits.body_bytes + kReadPast; }

HttpServer::Core::Gate HttpServer::Core::gate() const {
  const std::lock_guard lock(mutex_);
  return gate_;
}

void HttpServer::Core::open(std::shared_ptr<const Routes> routes) {
  const std::lock_guard lock(mutex_);
  gate_ = {std::move(routes), std::nullopt};
}

void HttpServer::Core::close(ErrorBody why) {
  const std::lock_guard lock(mutex_);
  gate_.closed = std::move(why);
}

// Each of these is false when the request has been refused.
bool HttpServer::Core::judge_path(Incoming& in) {
  if (std::string wrong = read_target(in.target, in.exchange->request); !wrong.empty()) {
    refuse(in, 400, std::move(wrong));
    return false;
  }
  return true;
}

bool HttpServer::Core::judge_route(Incoming& in) {
  HttpRequest& request = in.exchange->request;
  Gate now = gate();
  in.routes = now.routes;
  in.match = in.routes->find(request.method, request.path);
  const Route* route = in.match.route;
  if (request.method == "OPTIONS" && route == nullptr) {
    in.preflight = true;
    return false;
  }
  const bool known = route != nullptr && route->open;
  if (!options_.keys.empty() && !known) {
    request.key = key_shown(request, options_.keys);
    if (request.key < 0) {
      refuse(in, 401, "No API key, or a wrong one: send it as Authorization: Bearer KEY.",
             "invalid_api_key", {{"WWW-Authenticate", "Bearer"}});
      return false;
    }
  }
  if (!known) {
    in.refused = refused_page(request, options_);
    if (in.refused) return false;
  }
  if (now.closed && (route == nullptr || !route->quick)) {
    in.refused = std::move(now.closed);
    in.refused_headers = {{"Retry-After", "2"}};
    return false;
  }
  if (route != nullptr) {
    request.captured = in.match.captured;
    return true;
  }
  if (in.match.allowed.empty())
    refuse(in, 404, fmt::format("There is no {}.", printable(request.path)), "unknown_url");
  else
    refuse(in, 405,
           fmt::format("{} is asked with {}.", printable(request.path), joined(in.match.allowed)),
           "method_not_allowed", {{"Allow", joined(in.match.allowed) + ", OPTIONS"}});
  return false;
}

bool HttpServer::Core::judge_size(Incoming& in, const BodyFraming& framing) {
  if (framing.length.value_or(0) > options_.limits.body_bytes) {
    refuse(in, 413,
           fmt::format("The body has {} bytes; at most {} are taken.", *framing.length,
                       options_.limits.body_bytes),
           "body_too_large");
    in.close = true;
    return false;
  }
  return true;
}

void HttpServer::Core::judge(const Seat& seat, Incoming& in, const BodyFraming& framing) {
  if (!framing.wrong.empty()) {
    refuse(in, 400, framing.wrong);
    in.close = true;
    return;
  }
  if (seat.excess) {
    refuse_for_now(in, "Too many connections: try again.", "overloaded");
    in.close = true;
    return;
  }
  if (judge_path(in) && judge_route(in)) judge_size(in, framing);
}

bool HttpServer::Core::has_body_part(Seat& seat, std::string_view part) {
  Incoming& in = *seat.incoming;
  in.arrived += part.size();
  if (in.refused || in.preflight) {
    if (in.arrived <= most_read_past()) return true;
    watch_.drop(seat.watch);  // libmicrohttpd alone would not always close it
    return false;
  }
  std::string& body = in.exchange->request.body;
  if (in.arrived > options_.limits.body_bytes) {
    refuse(in, 413,
           fmt::format("The body has more than {} bytes, which are the most that are taken.",
                       options_.limits.body_bytes),
           "body_too_large");
    in.close = true;
  } else if (!in.body.grow(part.size())) {
    refuse_for_now(in, "Too many large requests are being received: try again.", "overloaded");
  } else {
    body.append(part);
    return true;
  }
  std::string().swap(body);
  in.body.clear();
  return true;
}

void HttpServer::Core::hand_over(const Seat& seat, Incoming& in) {
  in.handed_over = true;
  watch_.works(seat.watch, in.exchange);
  in.exchange->request.arrived = std::chrono::steady_clock::now();
  {
    const std::lock_guard lock(mutex_);
    ++open_;
  }
  if (stopping_.load() && !in.refused)
    refuse_for_now(in, "The server is shutting down.", "shutting_down");
  if (!in.refused && !in.preflight && !in.match.route->quick) {
    in.place = std::make_shared<BudgetShare>(places_);
    if (!in.place->grow(1))
      refuse_for_now(in, "Too many requests are in work: try again.", "overloaded");
  }
  HttpExchange& exchange = *in.exchange;
  if (in.refused) {
    std::string().swap(exchange.request.body);
    in.body.clear();
    exchange.reply(in.refused->status, "application/json", to_json(*in.refused),
                   in.refused_headers);
  } else if (in.preflight) {
    reply_preflight(exchange, in);
  } else if (in.match.route->quick) {
    run(in.match.route->handler, in.exchange);
  } else {
    exchange.holds(in.place);
    // Queued or in a handler's hands a request counts, even if nobody waits for it any more.
    auto body = std::make_shared<BudgetShare>(std::move(in.body));
    workers_->add([this, routes = in.routes, route = in.match.route, exchange = in.exchange,
                   body = std::move(body)] {
      if (exchange->gone())
        exchange->let_go();
      else
        run(route->handler, exchange);
      std::string().swap(exchange->request.body);  // frees it, unlike an assignment
      body->clear();
    });
  }
}

void HttpServer::Core::reply_preflight(HttpExchange& exchange, const Incoming& in) {
  HttpHeaders headers = {
      {"Allow", joined(in.match.allowed) + (in.match.allowed.empty() ? "OPTIONS" : ", OPTIONS")}};
  if (!cors_headers(exchange.request, options_.origins).empty())
    headers.insert(headers.end(),
                   {{"Access-Control-Allow-Methods", headers.front().second},
                    {"Access-Control-Allow-Headers", allowed_headers(exchange.request)},
                    {"Access-Control-Max-Age", "600"}});
  exchange.reply(204, "", "", headers);
}

void HttpServer::Core::run(const Handler& handler, const std::shared_ptr<HttpExchange>& exchange) {
  const HttpRequest& request = exchange->request;
  std::string wrong;
  try {
    handler(HttpExchange::handle(exchange));
    return;
  } catch (const std::exception& error) {
    wrong = error.what();
  } catch (...) {
    wrong = "an exception of an unknown kind";
  }
  if (options_.problem) options_.problem(problem_line(request, wrong));
}

void HttpServer::Core::completed(Seat& seat, bool whole, bool refused_before) {
  const std::unique_ptr<Incoming> in = std::move(seat.incoming);
  if (!in || !in->exchange) return;
  HttpExchange& exchange = *in->exchange;
  const bool late = watch_.was_late(seat.watch);
  seat.told_late = seat.told_late || late;
  // First what must not be missed if memory runs out below.
  const bool somebody_waits = exchange.over() && in->handed_over;
  watch_.rests(seat.watch);
  if (in->handed_over) {
    const std::lock_guard lock(mutex_);
    --open_;
    fewer_.notify_all();
  }
  if (somebody_waits) watch_.tell_lost(in->exchange);
  if (!options_.answered || (refused_before && exchange.status() == 0)) return;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - in->began;
  options_.answered({.id = exchange.request.id,
                     .method = exchange.request.method,
                     .path = exchange.request.path,
                     .client = seat.client,
                     .route = in->match.route != nullptr ? in->match.route->path : "other",
                     .status = exchange.status() != 0 ? exchange.status() : (late ? 408 : 499),
                     .seconds = took.count(),
                     .bytes = exchange.bytes(),
                     .whole = whole});
}

HttpServerStats HttpServer::Core::stats() const {
  const auto connections = static_cast<int64_t>(watch_.connections());
  return {.connections = connections,
          .requests = static_cast<int64_t>(places_->used()),
          .accepted = accepted_.load()};
}

}  // namespace braid
