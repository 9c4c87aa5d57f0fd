// What http_server.h is made of: the daemon of libmicrohttpd, whose one thread reads and sends, a
// pool of workers, and the watch. The functions named after libmicrohttpd's events run on its
// thread.
#pragma once

#include "server/budget.h"
#include "server/connection_watch.h"
#include "server/http_server.h"
#include "server/incoming.h"
#include "server/listen_socket.h"
#include "server/tls_certificates.h"
#include "server/worker_pool.h"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

struct MHD_Connection;
struct MHD_Daemon;

namespace braid {

class HttpServer::Core {
 public:
  Core(HttpServerOptions options, std::shared_ptr<const Routes> routes, ErrorBody not_yet);
  ~Core();

  std::string address;
  int port() const { return listen_.port(); }
  void open(std::shared_ptr<const Routes> routes);
  void close(ErrorBody why);
  void stop(double grace_seconds);
  void replace_certificate(const std::string& certificate, const std::string& key);
  HttpServerStats stats() const;

  // A connection, in its own memory of libmicrohttpd.
  struct Seat {
    ConnectionWatch::Id watch = 0;
    bool excess = false;     // beyond the limit: its requests are told so
    bool told_late = false;  // that a request did not come in time is in the log
    std::string client;
    std::unique_ptr<Incoming> incoming;
  };
  Seat* accepted(int fd, std::string client);
  void closed(Seat* seat);
  Incoming* begins(Seat& seat, std::string_view target);
  // False: the connection is to be closed.
  bool has_head(Seat& seat, MHD_Connection* connection, std::string_view method);
  bool has_body_part(Seat& seat, std::string_view part);
  bool has_all(Seat& seat, MHD_Connection* connection);
  // refused_before: by libmicrohttpd itself, which said so to logged().
  void completed(Seat& seat, bool whole, bool refused_before);
  void logged(std::string line);
  void trouble(const char* what) noexcept;

 private:
  struct Events;  // what libmicrohttpd calls
  void answered_unread(int status, std::string client);
  struct Gate {
    std::shared_ptr<const Routes> routes;
    std::optional<ErrorBody> closed;
  };
  Gate gate() const;
  void start_daemon();
  void judge(const Seat& seat, Incoming& in, const BodyFraming& framing);
  bool judge_path(Incoming& in);
  bool judge_route(Incoming& in);
  bool judge_size(Incoming& in, const BodyFraming& framing);
  void hand_over(const Seat& seat, Incoming& in);
  void reply_preflight(HttpExchange& exchange, const Incoming& in);
  void run(const Handler& handler, const std::shared_ptr<HttpExchange>& exchange);
  bool queue_answer(MHD_Connection* connection, Incoming& in);
  uint64_t most_read_past() const;

  HttpServerOptions options_;
  std::optional<TlsCertificates> certificates_;
  ListenSocket listen_;
  ConnectionWatch watch_;
  std::unique_ptr<WorkerPool> workers_;
  std::string said_;  // by libmicrohttpd while it starts
  MHD_Daemon* daemon_ = nullptr;
  std::atomic<bool> started_{false}, stopping_{false};
  std::atomic<int64_t> accepted_{0};
  // Shares of these may outlive the server: in work, bytes of bodies, bytes that nobody has read.
  const std::shared_ptr<Budget> places_, bodies_, answers_;

  mutable std::mutex mutex_;  // of all below
  Gate gate_;
  std::condition_variable fewer_;
  int64_t open_ = 0;  // requests handed over, refused ones too

  std::mutex stop_mutex_;
  bool stopped_ = false;
};

}  // namespace braid
