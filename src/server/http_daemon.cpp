// The side of the server that speaks with libmicrohttpd: its events, and its start and end.
#include "base/check.h"
#include "server/http_core.h"
#include "server/http_text.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <microhttpd.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace braid {
namespace {

// Connections beyond the limit that are still accepted, to be told so.
constexpr int kExcess = 64;

std::string client_of(MHD_Connection* connection) {
  const auto* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* address = nullptr;
  if (info == nullptr || info->client_addr == nullptr) return "unix";
  const int family = info->client_addr->sa_family;
  if (family == AF_INET)
    address = &reinterpret_cast<const sockaddr_in*>(info->client_addr)->sin_addr;
  else if (family == AF_INET6)
    address = &reinterpret_cast<const sockaddr_in6*>(info->client_addr)->sin6_addr;
  if (address == nullptr || inet_ntop(family, address, text.data(), text.size()) == nullptr)
    return "unix";
  return text.data();
}

// A peer that lost its power or its network sends neither FIN nor RST.
void find_dead_peers(int fd) {
  const auto set = [&](int level, int name, int value) {
    setsockopt(fd, level, name, &value, sizeof value);  // not for Unix sockets
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 60'000);
}

MHD_Result note_header(void* to, MHD_ValueKind, const char* name, const char* value) {
  static_cast<HttpHeaders*>(to)->emplace_back(name, value == nullptr ? "" : value);
  return MHD_YES;
}

ssize_t read_pieces(void* exchange, uint64_t, char* to, size_t most) {
  const int64_t given = (*static_cast<std::shared_ptr<HttpExchange>*>(exchange))->read(to, most);
  if (given == HttpExchange::kEnd) return MHD_CONTENT_READER_END_OF_STREAM;
  return given;
}

void forget_exchange(void* exchange) {
  delete static_cast<std::shared_ptr<HttpExchange>*>(exchange);
}

void forget_body(void* body) { delete static_cast<HttpExchange::Body*>(body); }

MHD_Response* response_of(const std::shared_ptr<HttpExchange>& exchange) {
  constexpr size_t kBlock = size_t{16} << 10;
  if (exchange->in_pieces())
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, kBlock, read_pieces,
                                             new std::shared_ptr<HttpExchange>(exchange),
                                             forget_exchange);
  auto* body = new HttpExchange::Body(exchange->take_body());
  return MHD_create_response_from_buffer_with_free_callback_cls(
      body->bytes.size(), body->bytes.data(), forget_body, body);
}

}  // namespace

struct HttpServer::Core::Events {
  // Nothing may be thrown through a C library: memory may be short for one request, and the others
  // go on.
  template <class Call>
  static void guarded(void* core, const Call& call) noexcept {
    try {
      call();
    } catch (const std::exception& error) {
      static_cast<Core*>(core)->trouble(error.what());
    } catch (...) {
      static_cast<Core*>(core)->trouble("an exception of an unknown kind");
    }
  }

  static Seat* seat_of(MHD_Connection* connection) {
    return static_cast<Seat*>(
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context);
  }

  static void connection(void* core, MHD_Connection* connection, void** seat,
                         MHD_ConnectionNotificationCode what) {
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
      static_cast<Core*>(core)->closed(static_cast<Seat*>(*seat));
      *seat = nullptr;
      return;
    }
    const int fd =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    guarded(core, [&] { *seat = static_cast<Core*>(core)->accepted(fd, client_of(connection)); });
  }

  static void* begins(void* core, const char* target, MHD_Connection* connection) {
    void* incoming = nullptr;
    guarded(core, [&] {
      if (Seat* seat = seat_of(connection))
        incoming = static_cast<Core*>(core)->begins(*seat, target);
    });
    return incoming;
  }

  static MHD_Result request(void* core, MHD_Connection* connection, const char*, const char* method,
                            const char*, const char* part, size_t* size, void** incoming) {
    auto& self = *static_cast<Core*>(core);
    bool goes_on = false;
    guarded(core, [&] {
      if (*incoming == nullptr) return;
      if (!static_cast<Incoming*>(*incoming)->exchange) {
        goes_on = self.has_head(*seat_of(connection), connection, method);
      } else if (*size > 0) {
        goes_on = self.has_body_part(*seat_of(connection), {part, *size});
        *size = 0;
      } else {
        goes_on = self.has_all(*seat_of(connection), connection);
      }
    });
    return goes_on ? MHD_YES : MHD_NO;
  }

  static void completed(void* core, MHD_Connection* connection, void** incoming,
                        MHD_RequestTerminationCode how) {
    *incoming = nullptr;
    const bool whole = how == MHD_REQUEST_TERMINATED_COMPLETED_OK;
    const bool has_answer =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_HTTP_STATUS) != nullptr;
    guarded(core, [&] {
      if (Seat* seat = seat_of(connection))
        static_cast<Core*>(core)->completed(*seat, whole, has_answer);
    });
  }

  // Percent signs are ours to decode (http_text.h): a decoded NUL would end the path here.
  static size_t as_it_is(void*, MHD_Connection*, char* text) {
    return std::char_traits<char>::length(text);
  }

  static void log(void* core, const char* format, va_list values) {
    std::array<char, 512> line{};
    std::vsnprintf(line.data(), line.size(), format, values);
    guarded(core, [&] { static_cast<Core*>(core)->logged(line.data()); });
  }
};

HttpServer::Core::Core(HttpServerOptions options, std::shared_ptr<const Routes> routes,
                       ErrorBody not_yet)
    : options_(std::move(options)),
      listen_(options_.host, options_.port, options_.backlog),
      watch_(options_.limits, !options_.tls_certificate.empty()),
      workers_(std::make_unique<WorkerPool>(options_.limits.workers)),
      places_(std::make_shared<Budget>(static_cast<size_t>(options_.limits.requests))),
      bodies_(std::make_shared<Budget>(options_.limits.bodies_bytes)),
      answers_(std::make_shared<Budget>(options_.limits.answers_bytes)),
      gate_{std::move(routes), std::move(not_yet)} {
  const bool tls = !options_.tls_certificate.empty();
  address = is_socket_path(options_.host) ? "unix:" + listen_.address()
                                          : (tls ? "https://" : "http://") + listen_.address();
  const bool can = MHD_is_feature_supported(MHD_FEATURE_TLS) == MHD_YES &&
                   MHD_is_feature_supported(MHD_FEATURE_HTTPS_CERT_CALLBACK) == MHD_YES;
  if (tls && !can)
    fail(
        "TLS: the libmicrohttpd of this system was built without it: put a proxy in front, or "
        "install one with GnuTLS");
  start_daemon();
}

HttpServer::Core::~Core() { stop(0); }

void HttpServer::Core::start_daemon() {
  const HttpLimits& limits = options_.limits;
  const bool tls = !options_.tls_certificate.empty();
  unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
  if (tls) flags |= MHD_USE_TLS;
  // Of silence in any phase: for clients that take nothing of an answer. The watch keeps the
  // others.
  const double silent = std::max({limits.stalled_seconds, limits.head_seconds + 1,
                                  limits.body_seconds + 1, limits.idle_seconds + 1});
  std::vector<MHD_OptionItem> items = {
      {MHD_OPTION_EXTERNAL_LOGGER, reinterpret_cast<intptr_t>(&Events::log), this},
      {MHD_OPTION_LISTEN_SOCKET, listen_.fd(), nullptr},
      {MHD_OPTION_CONNECTION_LIMIT, limits.connections + kExcess, nullptr},
      {MHD_OPTION_CONNECTION_MEMORY_LIMIT, static_cast<intptr_t>(limits.head_bytes), nullptr},
      {MHD_OPTION_CONNECTION_TIMEOUT,
       static_cast<intptr_t>(limits.stalled_seconds > 0 ? silent : 0), nullptr},
      {MHD_OPTION_NOTIFY_CONNECTION, reinterpret_cast<intptr_t>(&Events::connection), this},
      {MHD_OPTION_NOTIFY_COMPLETED, reinterpret_cast<intptr_t>(&Events::completed), this},
      {MHD_OPTION_URI_LOG_CALLBACK, reinterpret_cast<intptr_t>(&Events::begins), this},
      {MHD_OPTION_UNESCAPE_CALLBACK, reinterpret_cast<intptr_t>(&Events::as_it_is), this},
      {MHD_OPTION_STRICT_FOR_CLIENT, 1, nullptr},
  };
  if (tls) {
    certificates_.emplace(options_.tls_certificate, options_.tls_key);
    items.push_back({MHD_OPTION_HTTPS_CERT_CALLBACK, 0, TlsCertificates::callback()});
  }
  items.push_back({MHD_OPTION_END, 0, nullptr});
  daemon_ = MHD_start_daemon(flags, 0, nullptr, nullptr, &Events::request, this, MHD_OPTION_ARRAY,
                             items.data(), MHD_OPTION_END);
  started_ = true;
  if (daemon_ == nullptr) fail("{}: the server cannot start: {}", address, said_);
}

void HttpServer::Core::replace_certificate(const std::string& certificate, const std::string& key) {
  if (!certificates_) fail("TLS: this server was started without a certificate");
  certificates_->replace(certificate, key);
}

void HttpServer::Core::trouble(const char* what) noexcept {
  try {
    if (options_.problem) options_.problem(fmt::format("the network's thread: {}", what));
  } catch (...) {  // there is nobody left to tell
  }
}

void HttpServer::Core::logged(std::string line) {
  while (line.ends_with('\n')) line.pop_back();
  if (!started_) {
    said_ = std::move(line);
    return;
  }
  // Most of what is said later tells of clients that went, request by request. But of what it
  // refuses itself nothing else is told, and not whose it was.
  constexpr std::string_view kRefused = "HTTP response code is ";
  const size_t at = line.find(kRefused);
  if (at == std::string::npos || !options_.answered) return;
  answered_unread(std::atoi(line.c_str() + at + kRefused.size()), "-");
}

// Of a request that no handler and no route ever saw.
void HttpServer::Core::answered_unread(int status, std::string client) {
  options_.answered({.id = "-",
                     .method = "-",
                     .path = "-",
                     .client = std::move(client),
                     .route = "unreadable",
                     .status = status,
                     .seconds = 0,
                     .bytes = 0,
                     .whole = true});
}

HttpServer::Core::Seat* HttpServer::Core::accepted(int fd, std::string client) {
  find_dead_peers(fd);
  if (certificates_) certificates_->serve_this_thread();
  ++accepted_;
  auto seat = std::make_unique<Seat>();
  seat->watch = watch_.opened(fd);
  seat->excess = watch_.connections() > static_cast<size_t>(options_.limits.connections);
  seat->client = std::move(client);
  return seat.release();
}

void HttpServer::Core::closed(Seat* seat) {
  if (seat == nullptr) return;
  const std::unique_ptr<Seat> over(seat);
  if (!seat->told_late && options_.answered && watch_.was_late(seat->watch))
    Events::guarded(this, [&] { answered_unread(408, seat->client); });
  watch_.closed(seat->watch);
}

// Also for requests that libmicrohttpd refuses later and never tells of again; the next one, or the
// end of the connection, forgets those.
Incoming* HttpServer::Core::begins(Seat& seat, std::string_view target) {
  seat.incoming = std::make_unique<Incoming>();
  seat.incoming->body = BudgetShare(bodies_);
  seat.incoming->target = target;
  return seat.incoming.get();
}

bool HttpServer::Core::has_head(Seat& seat, MHD_Connection* connection, std::string_view method) {
  Incoming& in = *seat.incoming;
  in.exchange = std::make_shared<HttpExchange>(options_.limits.unread_bytes, answers_,
                                               [this, id = seat.watch] { watch_.drop(id); });
  HttpRequest& request = in.exchange->request;
  request.method = method;
  MHD_get_connection_values(connection, MHD_HEADER_KIND, note_header, &request.headers);
  request.id = request_id(request);
  in.exchange->common = {{"X-Request-Id", request.id}};
  const HttpHeaders cors = cors_headers(request, options_.origins);
  in.exchange->common.insert(in.exchange->common.end(), cors.begin(), cors.end());

  const BodyFraming framing = body_framing(request.headers);
  judge(seat, in, framing);
  if (!framing.any() && framing.wrong.empty()) return true;
  const bool refused = in.refused || in.preflight;
  const bool at_once = refused && (framing.waits || !framing.wrong.empty() ||
                                   framing.length.value_or(0) > most_read_past());
  if (at_once) return has_all(seat, connection);
  watch_.reads_body(seat.watch);
  return true;
}

bool HttpServer::Core::has_all(Seat& seat, MHD_Connection* connection) {
  Incoming& in = *seat.incoming;
  if (!in.handed_over) hand_over(seat, in);
  switch (in.exchange->wait(connection)) {
    case HttpExchange::Next::kSuspended:
      return true;
    case HttpExchange::Next::kGone:
      return false;
    case HttpExchange::Next::kAnswer:
      return queue_answer(connection, in);
  }
  return false;
}

bool HttpServer::Core::queue_answer(MHD_Connection* connection, Incoming& in) {
  MHD_Response* response = response_of(in.exchange);
  if (response == nullptr) return false;
  for (const auto& [name, value] : in.exchange->headers())
    MHD_add_response_header(response, name.c_str(), value.c_str());
  if (in.close || stopping_.load()) MHD_add_response_header(response, "Connection", "close");
  const MHD_Result queued =
      MHD_queue_response(connection, static_cast<unsigned>(in.exchange->status()), response);
  MHD_destroy_response(response);
  return queued == MHD_YES;
}

void HttpServer::Core::stop(double grace_seconds) {
  const std::lock_guard once(stop_mutex_);
  if (stopped_) return;
  stopped_ = true;
  close({.status = 503,
         .message = "The server is shutting down.",
         .type = {},
         .param = {},
         .code = "shutting_down"});
  stopping_ = true;
  MHD_quiesce_daemon(daemon_);
  listen_.refuse();
  watch_.drop_resting();
  {
    std::unique_lock lock(mutex_);
    fewer_.wait_for(lock, std::chrono::duration<double>(grace_seconds), [&] { return open_ == 0; });
    // Until all are over: one may have been handed over just now.
    while (open_ > 0) {
      lock.unlock();
      watch_.drop_working();
      lock.lock();
      fewer_.wait_for(lock, std::chrono::milliseconds(20), [&] { return open_ == 0; });
    }
  }
  watch_.settle();
  workers_.reset();
  MHD_stop_daemon(daemon_);
  daemon_ = nullptr;
}

HttpServer::HttpServer(HttpServerOptions options, std::shared_ptr<const Routes> routes,
                       ErrorBody not_yet)
    : core_(std::make_unique<Core>(std::move(options), std::move(routes), std::move(not_yet))) {}
HttpServer::~HttpServer() = default;
const std::string& HttpServer::address() const { return core_->address; }
int HttpServer::port() const { return core_->port(); }
void HttpServer::open(std::shared_ptr<const Routes> routes) { core_->open(std::move(routes)); }
void HttpServer::close(ErrorBody why) { core_->close(std::move(why)); }
void HttpServer::stop(double grace_seconds) { core_->stop(grace_seconds); }
void HttpServer::replace_certificate(const std::string& certificate, const std::string& key) {
  core_->replace_certificate(certificate, key);
}
HttpServerStats HttpServer::stats() const { return core_->stats(); }

}  // namespace braid
