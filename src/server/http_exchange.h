// One request from its last byte to the last one of its answer: where the network's thread, which
// sends, meets whoever answers.
//
// While there is nothing to send the connection is suspended; what is answered wakes it. The
// connection belongs to libmicrohttpd and is touched only between wait() and over(), under the
// mutex of the exchange. Nobody is called while that is held.
#pragma once

#include "server/budget.h"
#include "server/exchange.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

struct MHD_Connection;

namespace braid {

class HttpExchange {
 public:
  using Clock = std::chrono::steady_clock;

  // `cut` makes the line dead, for a client that has left more than so many bytes unread and for an
  // answer that is broken off. It is called under the mutex. `unread`: what all clients together
  // leave unread.
  HttpExchange(size_t unread_bytes, std::shared_ptr<Budget> unread, std::function<void()> cut);
  HttpExchange(const HttpExchange&) = delete;
  HttpExchange& operator=(const HttpExchange&) = delete;

  HttpRequest request;  // filled before it is handed over, only read after
  HttpHeaders common;   // headers of whatever the answer is
  // Held until it is answered or let go, for whoever counts what handlers have.
  void holds(std::shared_ptr<BudgetShare> place);

  // What a handler gets. An exchange that everybody has let go of without an answer is answered
  // with an error, or broken off.
  static std::shared_ptr<Exchange> handle(std::shared_ptr<HttpExchange> exchange);

  // For the network's thread.
  enum class Next { kAnswer, kSuspended, kGone };
  Next wait(MHD_Connection* connection);
  // After kAnswer:
  int status() const;  // 0: no answer has begun
  const HttpHeaders& headers() const { return headers_; }
  bool in_pieces() const { return in_pieces_; }
  // An answer that is whole, and what it takes of `unread` until it has gone out.
  struct Body {
    std::string bytes;
    BudgetShare unread;
  };
  Body take_body();
  // Bytes of an answer in pieces: 0 when it was suspended, kEnd after the last.
  static constexpr int64_t kEnd = -1;
  int64_t read(char* to, size_t most);
  // Nothing touches the connection from now on. True: lost() is to be called, on another thread.
  bool over();
  int64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }  // of the body

  // For the thread that watches. The client has gone, or is to go.
  void lost();
  void tick(Clock::time_point now);

  // For whoever answers; as in exchange.h.
  void reply(int status, std::string_view content_type, std::string body, const HttpHeaders& more);
  void begin(int status, std::string_view content_type, const HttpHeaders& more);
  bool write(std::string_view piece);
  void end();
  void ping(std::string piece, double seconds);
  bool gone() const;
  void when_gone(std::function<void()> call);
  void let_go();

 private:
  void start(int status, std::string_view content_type, const HttpHeaders& more);
  bool may_have(size_t unread) const;
  void refuse_body(size_t bytes);
  void put(std::string_view piece);
  void wake();
  void ended();

  const size_t unread_bytes_;
  const std::function<void()> cut_;
  std::atomic<int64_t> bytes_{0};

  // Written once under the mutex, before begun_.
  int status_ = 0;
  HttpHeaders headers_;
  std::string body_;
  bool in_pieces_ = false;

  mutable std::mutex mutex_;  // of all below
  MHD_Connection* connection_ = nullptr;
  bool suspended_ = false;
  bool begun_ = false, ended_ = false, broken_ = false, gone_ = false;
  std::deque<std::string> pieces_;
  size_t taken_ = 0;    // of the first piece
  BudgetShare unread_;  // bytes of body or pieces
  std::shared_ptr<BudgetShare> place_;
  std::string ping_;
  Clock::duration quiet_{};
  Clock::time_point written_{};

  std::function<void()> when_gone_;
  bool told_ = false, telling_ = false;
  std::thread::id teller_;
  std::condition_variable told_all_;
};

}  // namespace braid
