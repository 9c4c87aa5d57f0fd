#include "server/http_exchange.h"

#include "base/check.h"
#include "server/error_body.h"

#include <fmt/format.h>
#include <microhttpd.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace braid {
namespace {

class Handle final : public Exchange {
 public:
  explicit Handle(std::shared_ptr<HttpExchange> exchange) : exchange_(std::move(exchange)) {}
  ~Handle() override { exchange_->let_go(); }

  const HttpRequest& request() const override { return exchange_->request; }
  void reply(int status, std::string_view content_type, std::string body,
             const HttpHeaders& more) override {
    exchange_->reply(status, content_type, std::move(body), more);
  }
  void begin(int status, std::string_view content_type, const HttpHeaders& more) override {
    exchange_->begin(status, content_type, more);
  }
  bool write(std::string_view piece) override { return exchange_->write(piece); }
  void end() override { exchange_->end(); }
  void ping(std::string piece, double seconds) override {
    exchange_->ping(std::move(piece), seconds);
  }
  bool gone() const override { return exchange_->gone(); }
  void when_gone(std::function<void()> call) override { exchange_->when_gone(std::move(call)); }

 private:
  std::shared_ptr<HttpExchange> exchange_;
};

}  // namespace

HttpExchange::HttpExchange(size_t unread_bytes, std::shared_ptr<Budget> unread,
                           std::function<void()> cut)
    : unread_bytes_(unread_bytes), cut_(std::move(cut)), unread_(std::move(unread)) {}

void HttpExchange::holds(std::shared_ptr<BudgetShare> place) {
  const std::lock_guard lock(mutex_);
  place_ = std::move(place);
}

HttpExchange::Body HttpExchange::take_body() {
  const std::lock_guard lock(mutex_);
  return {std::move(body_), std::move(unread_)};
}

std::shared_ptr<Exchange> HttpExchange::handle(std::shared_ptr<HttpExchange> exchange) {
  return std::make_shared<Handle>(std::move(exchange));
}

HttpExchange::Next HttpExchange::wait(MHD_Connection* connection) {
  const std::lock_guard lock(mutex_);
  if (gone_) return Next::kGone;
  connection_ = connection;
  if (begun_) return Next::kAnswer;
  MHD_suspend_connection(connection);
  suspended_ = true;
  return Next::kSuspended;
}

int HttpExchange::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

int64_t HttpExchange::read(char* to, size_t most) {
  const std::lock_guard lock(mutex_);
  if (gone_ || broken_) {
    // A reader that reports an error leaves libmicrohttpd 0.9 with a connection that it never
    // closes; a byte that cannot be sent makes it close one.
    cut_();
    *to = '\n';
    return 1;
  }
  size_t given = 0;
  while (given < most && !pieces_.empty()) {
    const std::string& first = pieces_.front();
    const size_t n = std::min(most - given, first.size() - taken_);
    std::memcpy(to + given, first.data() + taken_, n);
    given += n;
    taken_ += n;
    if (taken_ == first.size()) {
      pieces_.pop_front();
      taken_ = 0;
    }
  }
  unread_.shrink(given);
  bytes_ += static_cast<int64_t>(given);
  if (given > 0) return static_cast<int64_t>(given);
  if (ended_) return kEnd;
  MHD_suspend_connection(connection_);
  suspended_ = true;
  return 0;
}

bool HttpExchange::over() {
  std::function<void()> forgotten;  // may hold the last handle, so it goes after the lock
  const std::lock_guard lock(mutex_);
  connection_ = nullptr;
  suspended_ = false;
  pieces_.clear();
  unread_.clear();
  if (ended_) {
    forgotten = std::exchange(when_gone_, nullptr);
    return false;
  }
  gone_ = true;
  return true;
}

void HttpExchange::lost() {
  std::function<void()> call;
  {
    const std::lock_guard lock(mutex_);
    if (ended_ && !gone_) return;  // what is left goes out, or fails by itself
    gone_ = true;
    wake();
    if (ended_ || told_ || !when_gone_) return;
    call = std::exchange(when_gone_, nullptr);
    told_ = telling_ = true;
    teller_ = std::this_thread::get_id();
  }
  call();
  call = nullptr;
  const std::lock_guard lock(mutex_);
  telling_ = false;
  told_all_.notify_all();
}

void HttpExchange::tick(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (ping_.empty() || !in_pieces_ || ended_ || gone_ || unread_.amount() > 0) return;
  if (now - written_ >= quiet_) put(ping_);
}

void HttpExchange::start(int status, std::string_view content_type, const HttpHeaders& more) {
  CHECK_THAT(!begun_, "{} {} is answered twice", request.method, request.path);
  status_ = status;
  headers_ = common;
  if (!content_type.empty()) headers_.emplace_back("Content-Type", content_type);
  // Some clients repeat whatever fails with 5xx. These would fail again, or take as long again.
  if (status == 500 || status == 501 || status == 504 || status == 507)
    headers_.emplace_back("X-Should-Retry", "false");
  headers_.insert(headers_.end(), more.begin(), more.end());
  begun_ = true;
  written_ = Clock::now();
}

void HttpExchange::reply(int status, std::string_view content_type, std::string body,
                         const HttpHeaders& more) {
  const std::lock_guard lock(mutex_);
  if (gone_ || may_have(body.size())) {
    start(status, content_type, more);
    if (!gone_) body_ = std::move(body);
  } else {
    refuse_body(body.size());
  }
  unread_.grow_anyway(body_.size());
  bytes_ = static_cast<int64_t>(body_.size());
  ended();
}

// Whoever tries again gets an answer that fits when others have read theirs, but never another.
void HttpExchange::refuse_body(size_t bytes) {
  const size_t most = unread_.limit() / 2;  // as may_have() has it
  ErrorBody error{.status = 503,
                  .message = "Too much of other answers is unread: try again.",
                  .type = {},
                  .param = {},
                  .code = "overloaded"};
  HttpHeaders headers = {{"Retry-After", "2"}};
  if (bytes > most) {
    error.status = 400;
    error.message = fmt::format(
        "The answer has {} bytes; this server gives {} at the most: ask for less at a time.", bytes,
        most);
    error.code = "answer_too_large";
    headers.clear();
  }
  start(error.status, "application/json", headers);
  body_ = to_json(error);
}

void HttpExchange::begin(int status, std::string_view content_type, const HttpHeaders& more) {
  const std::lock_guard lock(mutex_);
  start(status, content_type, more);
  in_pieces_ = true;
  wake();
}

bool HttpExchange::may_have(size_t unread) const {
  constexpr size_t kAnyway = size_t{64} << 10;  // more than a client lags behind that reads
  return unread <= kAnyway || unread + (unread - unread_.amount()) <= unread_.left();
}

void HttpExchange::put(std::string_view piece) {
  pieces_.emplace_back(piece);
  unread_.grow_anyway(piece.size());
  written_ = Clock::now();
  wake();
}

bool HttpExchange::write(std::string_view piece) {
  const std::lock_guard lock(mutex_);
  CHECK_THAT(in_pieces_ && !ended_, "{} {}: a piece before begin() or after end()", request.method,
             request.path);
  if (gone_) return false;
  if (piece.empty()) return true;
  const size_t would_have = unread_.amount() + piece.size();
  if (would_have > unread_bytes_ || !may_have(would_have)) {
    gone_ = true;
    cut_();
    return false;
  }
  put(piece);
  return true;
}

void HttpExchange::end() {
  const std::lock_guard lock(mutex_);
  CHECK_THAT(in_pieces_ && !ended_, "{} {}: ended before begin() or twice", request.method,
             request.path);
  ended();
}

void HttpExchange::ping(std::string piece, double seconds) {
  const std::lock_guard lock(mutex_);
  ping_ = std::move(piece);
  quiet_ = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  written_ = Clock::now();
}

bool HttpExchange::gone() const {
  const std::lock_guard lock(mutex_);
  return gone_;
}

void HttpExchange::when_gone(std::function<void()> call) {
  std::function<void()> before;  // destroyed without the lock
  {
    std::unique_lock lock(mutex_);
    before = std::exchange(when_gone_, nullptr);
    if (!call) {
      told_all_.wait(lock, [&] { return !telling_ || teller_ == std::this_thread::get_id(); });
      return;
    }
    if (!gone_) {
      when_gone_ = std::move(call);
      return;
    }
    if (told_) return;
    told_ = true;
  }
  call();
}

void HttpExchange::let_go() {
  const std::lock_guard lock(mutex_);
  if (!begun_ && !gone_) {
    start(500, "application/json", {});
    body_ = to_json({.status = 500,
                     .message = "The request was not answered: a mistake in Braid.",
                     .type = {},
                     .param = {},
                     .code = {}});
    bytes_ = static_cast<int64_t>(body_.size());
  } else if (!ended_) {
    broken_ = true;
  }
  ended();
}

void HttpExchange::ended() {
  ended_ = true;
  place_.reset();
  wake();
}

void HttpExchange::wake() {
  if (!suspended_) return;
  suspended_ = false;
  MHD_resume_connection(connection_);
}

}  // namespace braid
