#include "tools/load_progress.h"

#include "tools/units.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace braid {
namespace {

constexpr auto kPatience = std::chrono::milliseconds(500), kPause = std::chrono::milliseconds(100);
constexpr size_t kWidth = 24;

const char* text_of(LoadStage stage) {
  switch (stage) {
    case LoadStage::kPacking:
      return "packing";
    case LoadStage::kCaching:
      return "packing to disk";
    case LoadStage::kSyncing:
      return "waiting for the disk";
  }
  return "";
}

}  // namespace

std::string load_text(const char* what, size_t done, size_t total, double seconds) {
  done = std::min(done, total);
  const double share = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 1;
  const auto filled = static_cast<size_t>(share * static_cast<double>(kWidth));
  std::string text = fmt::format("{} [{:<{}}] {} of {}", what, std::string(filled, '='), kWidth,
                                 bytes_text(done), bytes_text(total));
  if (done == 0 || seconds <= 0) return text;
  const double rate = static_cast<double>(done) / seconds;
  return text + fmt::format(", {}/s, {} left", bytes_text(static_cast<size_t>(rate)),
                            duration_text(static_cast<double>(total - done) / rate));
}

LoadLine::LoadLine(const char* what)
    : what_(what), terminal_(isatty(STDERR_FILENO) != 0), start_(Clock::now()) {}

LoadLine::~LoadLine() { wipe(); }

void LoadLine::show(size_t done, size_t total) {
  const auto now = Clock::now();
  if (!terminal_ || now - start_ < kPatience || now - shown_ < kPause) return;
  shown_ = now;
  visible_ = true;
  fmt::print(stderr, "\r\033[K{}",
             load_text(what_, done, total, std::chrono::duration<double>(now - start_).count()));
  std::fflush(stderr);
}

void LoadLine::rename(const char* what) {
  what_ = what;
  start_ = Clock::now();
}

void LoadLine::wipe() {
  if (!visible_) return;
  fmt::print(stderr, "\r\033[K");
  std::fflush(stderr);
  visible_ = false;
}

LoadWatch::LoadWatch() : line_(text_of(LoadStage::kPacking)) {}

LoadHooks LoadWatch::hooks() {
  return {.progress =
              [this](const LoadProgress& p) {
                if (interrupt_.interrupted()) throw Interrupted();
                if (p.stage != stage_) line_.rename(text_of(p.stage));
                stage_ = p.stage;
                line_.show(p.done, p.total);
              },
          .note =
              [this](const std::string& text) {
                line_.wipe();
                fmt::print(stderr, "braid: {}\n", text);
              }};
}

}  // namespace braid
