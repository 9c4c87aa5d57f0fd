// A thread that sees what the network's thread does not: clients that go while nothing is sent to
// them, connections that take too long, answers that were quiet for too long.
//
// A connection is known here from when it is accepted until just before its descriptor is closed,
// so that what is shut down here is never another's. Who is too late hears 408 before the line goes
// dead (not over TLS, whose bytes are not ours to write).
#pragma once

#include "server/http_exchange.h"
#include "server/http_limits.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

namespace braid {

class ConnectionWatch {
 public:
  using Id = uint64_t;

  ConnectionWatch(const HttpLimits& limits, bool tls);
  ~ConnectionWatch();
  ConnectionWatch(const ConnectionWatch&) = delete;
  ConnectionWatch& operator=(const ConnectionWatch&) = delete;

  // From the network's thread, in the order of a connection's life.
  Id opened(int fd);
  void reads_body(Id id);
  void works(Id id, std::shared_ptr<HttpExchange> exchange);
  void rests(Id id);
  void closed(Id id);
  bool was_late(Id id) const;  // it took too long to send a request, and was shut for that

  // From any thread. lost() is called on the exchange by this thread.
  void drop(Id id);  // and whoever waits for it
  void tell_lost(std::shared_ptr<HttpExchange> exchange);
  void drop_resting();  // those between two requests
  void drop_working();
  void settle();  // returns when all who were to be told have been
  size_t connections() const;

 private:
  using Clock = std::chrono::steady_clock;
  enum class Phase { kHead, kBody, kWorking, kResting };
  struct Connection {
    int fd = -1;
    Phase phase = Phase::kHead;
    bool hung_up = false;  // the client sends no more
    bool late = false;
    Clock::time_point deadline = Clock::time_point::max();
    std::shared_ptr<HttpExchange> exchange;
  };

  void loop();
  void gone(Id id);
  void look_around(std::vector<std::shared_ptr<HttpExchange>>& working);
  void shut(Connection& connection);
  void shut_late(Connection& connection);
  void poke() const;
  void set_phase(Id id, Phase phase, double seconds);

  const HttpLimits limits_;
  const bool tls_;
  int epoll_ = -1, wakeup_ = -1;
  mutable std::mutex mutex_;  // of all below
  std::unordered_map<Id, Connection> connections_;
  std::vector<std::shared_ptr<HttpExchange>> lost_;
  Id next_ = 1;
  bool ending_ = false, telling_ = false;
  std::condition_variable settled_;
  std::thread thread_;
};

}  // namespace braid
