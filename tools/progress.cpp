#include "tools/progress.h"

#include "tools/units.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <string_view>

namespace braid {

std::string progress_text(int64_t done, int64_t total, const char* unit, double seconds) {
  std::string text = fmt::format("{} of {} {}", done, total, unit);
  if (done == 0 || seconds <= 0) return text;
  const double rate = static_cast<double>(done) / seconds;
  const std::string_view noun = std::string_view(unit).substr(0, std::string_view(unit).find(' '));
  return text + fmt::format(", {:.1f} {}/s, {} left", rate, noun,
                            duration_text(static_cast<double>(total - done) / rate));
}

Progress::Progress(int64_t total, const char* unit)
    : total_(total),
      unit_(unit),
      visible_(isatty(STDERR_FILENO) != 0),
      renewed_(visible_ && isatty(STDOUT_FILENO) == 0),
      start_(std::chrono::steady_clock::now()) {}

Progress::~Progress() {
  if (renewed_) fmt::print(stderr, "\r\033[K");
}

void Progress::advance(int64_t n) {
  done_ += n;
  const auto now = std::chrono::steady_clock::now();
  if (!renewed_ || now - shown_ < std::chrono::milliseconds(200)) return;
  shown_ = now;
  fmt::print(stderr, "\r\033[K{}", progress_text(done_, total_, unit_, seconds()));
  std::fflush(stderr);
}

void Progress::result() {
  if (!visible_ || renewed_) return;
  visible_ = false;
  fmt::print(stderr, "{}\n", progress_text(done_, total_, unit_, seconds()));
}

double Progress::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

}  // namespace braid
