#include "tools/line_log.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <utility>

namespace braid {
namespace {

constexpr int kLookMs = 100;
constexpr auto kPatience = std::chrono::seconds(1);

}  // namespace

LineLog::LineLog(int fd, size_t most_bytes) : fd_(fd), most_bytes_(most_bytes) {
  thread_ = std::thread([this] { loop(); });
}

LineLog::~LineLog() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  came_.notify_all();
  thread_.join();
}

void LineLog::line(std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (waiting_.size() + text.size() > most_bytes_) {
    ++dropped_;
    return;
  }
  tell_lost();
  waiting_ += text;
  waiting_ += '\n';
  came_.notify_all();
}

// With the mutex held.
void LineLog::tell_lost() {
  if (dropped_ == 0) return;
  waiting_ += fmt::format("braid: {} lines of the log are lost: nobody read them\n",
                          std::exchange(dropped_, 0));
}

// The descriptor is others' as well, so it must not be made one that never waits. But a pipe or a
// terminal that is ready takes this much without waiting.
bool LineLog::write_some(std::string& text) const {
  pollfd ready{fd_, POLLOUT, 0};
  if (poll(&ready, 1, kLookMs) <= 0) return false;
  const ssize_t n = ::write(fd_, text.data(), std::min<size_t>(text.size(), PIPE_BUF));
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return false;
  // Who reads the log may have gone: serving goes on.
  text.erase(0, n < 0 ? text.size() : static_cast<size_t>(n));
  return true;
}

void LineLog::loop() {
  std::string text;
  auto give_up = std::chrono::steady_clock::time_point::max();
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (text.empty())
        came_.wait(lock, [&] { return ending_ || !waiting_.empty() || dropped_ > 0; });
      if (ending_ && give_up == std::chrono::steady_clock::time_point::max())
        give_up = std::chrono::steady_clock::now() + kPatience;
      if (text.empty()) {
        tell_lost();
        text = std::exchange(waiting_, {});
      }
      if (text.empty() && ending_) return;
    }
    if (std::chrono::steady_clock::now() > give_up) return;
    write_some(text);
  }
}

}  // namespace braid
