#include "tools/load_progress.h"

#include "tools/command_test_support.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

namespace braid {

namespace {

using test::lines_of;
using test::run_command;

constexpr size_t kGib = size_t{1} << 30;

TEST(LoadText, SaysHowFarHowFastAndHowLong) {
  EXPECT_EQ(load_text("packing", 0, 4 * kGib, 0),
            "packing [                        ] 0 B of 4.00 GiB");
  EXPECT_EQ(load_text("packing", kGib, 4 * kGib, 2),
            "packing [======                  ] 1.00 GiB of 4.00 GiB, 512.00 MiB/s, 6.0 s left");
  EXPECT_EQ(load_text("reading", 9 * kGib, 4 * kGib, 4),  // never more than all
            "reading [========================] 4.00 GiB of 4.00 GiB, 1.00 GiB/s, 0.0 s left");
}

// What a terminal in place of stderr gets.
std::string on_a_terminal(const std::function<void()>& work) {
  const int master = posix_openpt(O_RDWR | O_NOCTTY);
  EXPECT_GE(master, 0);
  EXPECT_EQ(grantpt(master), 0);
  EXPECT_EQ(unlockpt(master), 0);
  const int terminal = open(ptsname(master), O_RDWR | O_NOCTTY), old = dup(STDERR_FILENO);
  EXPECT_GE(terminal, 0);
  dup2(terminal, STDERR_FILENO);
  work();
  dup2(old, STDERR_FILENO);
  close(old);
  std::string text;
  for (pollfd ready{master, POLLIN, 0}; poll(&ready, 1, 100) > 0;) {
    char piece[4096];
    const ssize_t n = read(master, piece, sizeof piece);
    if (n <= 0) break;
    text.append(piece, static_cast<size_t>(n));
  }
  close(terminal);
  close(master);
  return text;
}

void pass(int milliseconds) {
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

TEST(LoadLine, ShowsItselfLateNotTooOftenAndGoesAway) {
  EXPECT_EQ(on_a_terminal([] {
              LoadLine line("packing");
              for (size_t i = 0; i < 100; ++i) line.show(i, 100);
            }),
            "");
  const std::string text = on_a_terminal([] {
    LoadLine line("packing");
    pass(520);
    for (size_t i = 1; i <= 25; ++i) {
      line.show(i * kGib, 25 * kGib);
      pass(10);
    }
  });
  size_t shown = 0;
  for (size_t at = 0; (at = text.find("packing [", at)) != std::string::npos; ++at) ++shown;
  EXPECT_GE(shown, 1u) << text;
  EXPECT_LE(shown, 4u) << text;
  EXPECT_TRUE(text.starts_with("\r\033[Kpacking [")) << text;
  EXPECT_TRUE(text.ends_with("\r\033[K")) << text;
}

TEST(LoadLine, IsSilentInAPipe) {
  testing::internal::CaptureStderr();
  {
    LoadLine line("packing");
    pass(520);
    line.show(1, 2);
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(LoadWatch, CtrlCEndsTheLoading) {
  LoadWatch watch;
  const LoadHooks hooks = watch.hooks();
  hooks.progress({LoadStage::kPacking, 1, 2});
  raise(SIGINT);
  EXPECT_THROW(hooks.progress({LoadStage::kPacking, 2, 2}), Interrupted);
}

TEST(PackCacheOption, TheSecondStartSaysTheSameFromTheCache) {
  const std::string folder = testing::TempDir() + fmt::format("pack_cache_option.{}", getpid());
  const std::vector<std::string> arguments = {
      "run", "-m", test::kDemoModel, "-p",  "The", "-n", "8", "--temp", "0",
      "-t",  "1",  "--pack-cache",   folder};
  const std::vector<std::string> plain(arguments.begin(), arguments.end() - 2);
  const auto expected = run_command(braid::run_command, plain);
  ASSERT_EQ(expected.code, kDone) << expected.err;
  const auto first = run_command(braid::run_command, arguments);
  const auto second = run_command(braid::run_command, arguments);
  EXPECT_EQ(first.out, expected.out);
  EXPECT_EQ(second.out, expected.out);
  ASSERT_EQ(lines_of(first.err).size(), 1u) << first.err;
  EXPECT_NE(first.err.find("braid: --pack-cache: writing 0.0"), std::string::npos) << first.err;
  EXPECT_NE(first.err.find(folder + "/braid-demo-"), std::string::npos) << first.err;
  EXPECT_EQ(second.err, "");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace braid
