#include "tools/line_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <string>
#include <string_view>

namespace braid {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Pipe {
  Pipe() { EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0); }
  ~Pipe() {
    for (const int end : ends) close(end);
  }
  // All until nothing has come for so long.
  std::string read(double patience = 0.3) const {
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    std::string all;
    std::array<char, 65536> part{};
    for (auto last = Clock::now(); seconds_since(last) < patience;) {
      const ssize_t n = ::read(ends[0], part.data(), part.size());
      if (n <= 0) {
        usleep(1000);
        continue;
      }
      all.append(part.data(), static_cast<size_t>(n));
      last = Clock::now();
    }
    return all;
  }
  // All until it ends so; what has come by then when that takes too long.
  std::string read_until(std::string_view end) const {
    std::string all;
    for (const auto start = Clock::now(); !all.ends_with(end) && seconds_since(start) < 20;)
      all += read(0.1);
    return all;
  }
  std::array<int, 2> ends{};
};

TEST(LineLog, LinesInOrder) {
  Pipe pipe;
  std::string wanted;
  {
    LineLog log(pipe.ends[1]);
    for (int i = 0; i < 1000; ++i) {
      log.line(std::to_string(i));
      wanted += std::to_string(i) + "\n";
    }
  }
  EXPECT_EQ(pipe.read(), wanted);
}

TEST(LineLog, AReaderThatStallsCostsLinesButNoTime) {
  Pipe pipe;
  LineLog log(pipe.ends[1], 10'000);
  const std::string text(99, 'x');
  const auto start = Clock::now();
  for (int i = 0; i < 20'000; ++i) log.line(text);
  EXPECT_LT(seconds_since(start), 2);
  const std::string lost = " lines of the log are lost: nobody read them\n";
  std::string all = pipe.read_until(lost);
  EXPECT_TRUE(all.ends_with(lost));
  log.line("read again");
  all += pipe.read_until("read again\n");
  EXPECT_TRUE(all.ends_with(lost + "read again\n"));
  EXPECT_LT(all.size(), 200'000u);
}

TEST(LineLog, TheEndDoesNotWaitForAReader) {
  Pipe pipe;
  const auto start = Clock::now();
  {
    LineLog log(pipe.ends[1]);
    for (int i = 0; i < 5000; ++i) log.line(std::string(99, 'x'));
  }
  EXPECT_LT(seconds_since(start), 3);
  const size_t held = pipe.read().size();  // what a pipe holds, less where its pages are not full
  EXPECT_GT(held, 30'000u);
  EXPECT_LE(held, 65'536u);
}

TEST(LineLog, AReaderThatHasGoneHarmsNobody) {
  Pipe pipe;
  signal(SIGPIPE, SIG_IGN);
  LineLog log(pipe.ends[1]);
  close(pipe.ends[0]);
  for (int i = 0; i < 5000; ++i) log.line(std::string(99, 'x'));
  pipe.ends[0] = -1;
}

}  // namespace
}  // namespace braid
