#include "server/connection_watch.h"

#include "base/check.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

namespace braid {
namespace {

constexpr std::string_view kTooLate =
    "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Type: application/json\r\n"
    "Content-Length: 116\r\n\r\n"
    R"({"error":{"message":"The request took too long to arrive.",)"
    R"("type":"invalid_request_error","param":null,"code":null}})";
static_assert(kTooLate.size() - kTooLate.find('{') == 116);

constexpr double kAfterHangUp = 0.5;

std::chrono::steady_clock::duration seconds_of(double seconds) {
  return std::chrono::duration_cast<std::chrono::steady_clock::duration>(
      std::chrono::duration<double>(seconds));
}

// How often deadlines are looked at: a quarter of the shortest.
int tick_ms(const HttpLimits& limits) {
  double shortest = 2;
  for (const double s : {limits.head_seconds, limits.body_seconds, limits.idle_seconds})
    if (s > 0) shortest = std::min(shortest, s);
  return std::clamp(static_cast<int>(shortest * 250), 10, 500);
}

}  // namespace

ConnectionWatch::ConnectionWatch(const HttpLimits& limits, bool tls)
    : limits_(limits),
      tls_(tls),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wakeup_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (epoll_ < 0 || wakeup_ < 0) fail("the server cannot start: no file descriptors are left");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = 0;
  CHECK(epoll_ctl(epoll_, EPOLL_CTL_ADD, wakeup_, &event) == 0);
  thread_ = std::thread([this] { loop(); });
}

ConnectionWatch::~ConnectionWatch() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  poke();
  thread_.join();
  ::close(epoll_);
  ::close(wakeup_);
}

void ConnectionWatch::poke() const {
  const uint64_t one = 1;
  // A full counter wakes as well.
  [[maybe_unused]] const ssize_t written = ::write(wakeup_, &one, sizeof one);
}

ConnectionWatch::Id ConnectionWatch::opened(int fd) {
  const std::lock_guard lock(mutex_);
  const Id id = next_++;
  Connection& connection = connections_[id];
  connection.fd = fd;
  if (limits_.head_seconds > 0)
    connection.deadline = Clock::now() + seconds_of(limits_.head_seconds);
  epoll_event event{};
  event.events = EPOLLRDHUP | EPOLLONESHOT;
  event.data.u64 = id;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  if (connections_.size() == 1) poke();  // it was asleep for good
  return id;
}

void ConnectionWatch::set_phase(Id id, Phase phase, double seconds) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  if (found->second.hung_up && phase != Phase::kWorking) seconds = kAfterHangUp;
  found->second.phase = phase;
  found->second.deadline =
      seconds > 0 ? Clock::now() + seconds_of(seconds) : Clock::time_point::max();
}

void ConnectionWatch::reads_body(Id id) {
  const std::lock_guard lock(mutex_);
  set_phase(id, Phase::kBody, limits_.body_seconds);
}

void ConnectionWatch::works(Id id, std::shared_ptr<HttpExchange> exchange) {
  const std::lock_guard lock(mutex_);
  set_phase(id, Phase::kWorking, 0);
  Connection& connection = connections_.at(id);
  connection.exchange = std::move(exchange);
  if (!connection.hung_up) return;
  lost_.push_back(connection.exchange);
  poke();
}

void ConnectionWatch::rests(Id id) {
  std::shared_ptr<HttpExchange> over;
  const std::lock_guard lock(mutex_);
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  Connection& connection = found->second;
  over = std::move(connection.exchange);
  // Time for the next head as well: when its first byte comes cannot be seen from here.
  set_phase(id, Phase::kResting,
            limits_.idle_seconds > 0 ? limits_.idle_seconds + limits_.head_seconds : 0);
}

void ConnectionWatch::closed(Id id) {
  std::shared_ptr<HttpExchange> over;
  const std::lock_guard lock(mutex_);
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  epoll_ctl(epoll_, EPOLL_CTL_DEL, found->second.fd, nullptr);
  over = std::move(found->second.exchange);
  connections_.erase(found);
}

bool ConnectionWatch::was_late(Id id) const {
  const std::lock_guard lock(mutex_);
  const auto found = connections_.find(id);
  return found != connections_.end() && found->second.late;
}

void ConnectionWatch::shut(Connection& connection) {
  ::shutdown(connection.fd, SHUT_RDWR);
  connection.deadline = Clock::time_point::max();
}

void ConnectionWatch::shut_late(Connection& connection) {
  connection.late = true;
  if (!tls_) ::send(connection.fd, kTooLate.data(), kTooLate.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  shut(connection);
}

void ConnectionWatch::drop(Id id) {
  const std::lock_guard lock(mutex_);
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  shut(found->second);
  if (!found->second.exchange) return;
  lost_.push_back(found->second.exchange);
  poke();
}

void ConnectionWatch::tell_lost(std::shared_ptr<HttpExchange> exchange) {
  const std::lock_guard lock(mutex_);
  lost_.push_back(std::move(exchange));
  poke();
}

void ConnectionWatch::drop_resting() {
  const std::lock_guard lock(mutex_);
  for (auto& [id, connection] : connections_)
    if (connection.phase == Phase::kResting) shut(connection);
}

void ConnectionWatch::drop_working() {
  const std::lock_guard lock(mutex_);
  for (auto& [id, connection] : connections_) {
    shut(connection);
    if (connection.exchange) lost_.push_back(connection.exchange);
  }
  poke();
}

void ConnectionWatch::settle() {
  std::unique_lock lock(mutex_);
  settled_.wait(lock, [&] { return lost_.empty() && !telling_; });
}

size_t ConnectionWatch::connections() const {
  const std::lock_guard lock(mutex_);
  return connections_.size();
}

void ConnectionWatch::gone(Id id) {
  std::shared_ptr<HttpExchange> exchange;
  {
    const std::lock_guard lock(mutex_);
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    Connection& connection = found->second;
    connection.hung_up = true;
    // Its last request may be on its way still, and the network's thread does not always see the
    // end behind it.
    if (connection.phase != Phase::kWorking)
      connection.deadline = std::min(connection.deadline, Clock::now() + seconds_of(kAfterHangUp));
    exchange = connection.exchange;
  }
  if (exchange) exchange->lost();
}

void ConnectionWatch::look_around(std::vector<std::shared_ptr<HttpExchange>>& working) {
  const std::lock_guard lock(mutex_);
  const Clock::time_point now = Clock::now();
  for (auto& [id, connection] : connections_) {
    if (connection.exchange) working.push_back(connection.exchange);
    if (connection.deadline > now) continue;
    // An idle connection may end at any time, and a client that reads 408 there is confused by it.
    if (connection.phase != Phase::kResting && !connection.hung_up)
      shut_late(connection);
    else
      shut(connection);
  }
}

void ConnectionWatch::loop() {
  const int tick = tick_ms(limits_);
  std::vector<std::shared_ptr<HttpExchange>> lost, working;
  for (;;) {
    int wait = tick;
    {
      const std::lock_guard lock(mutex_);
      if (ending_ && lost_.empty()) return;
      if (!lost_.empty())
        wait = 0;
      else if (connections_.empty())
        wait = -1;
    }
    std::array<epoll_event, 64> events{};
    const int n = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait);
    {
      const std::lock_guard lock(mutex_);
      lost.swap(lost_);
      telling_ = true;
    }
    for (int i = 0; i < n; ++i) {
      const Id id = events[static_cast<size_t>(i)].data.u64;
      if (id != 0) {
        gone(id);
        continue;
      }
      uint64_t count = 0;
      [[maybe_unused]] const ssize_t read = ::read(wakeup_, &count, sizeof count);
    }
    for (const auto& exchange : lost) exchange->lost();
    lost.clear();
    {
      const std::lock_guard lock(mutex_);
      telling_ = false;
      settled_.notify_all();
    }
    look_around(working);
    for (const auto& exchange : working) exchange->tick(Clock::now());
    working.clear();
  }
}

}  // namespace braid
