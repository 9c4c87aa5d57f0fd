#include "tools/serve_memory.h"

#include <unistd.h>

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace braid {
namespace {

namespace fs = std::filesystem;
constexpr size_t kGiB = size_t{1} << 30, kMiB = size_t{1} << 20;

class MemoryFiles : public testing::Test {
 protected:
  MemoryFiles()
      : root_(fs::temp_directory_path() / ("braid_serve_memory_" + std::to_string(getpid()))) {
    fs::remove_all(root_);
  }
  ~MemoryFiles() override { fs::remove_all(root_); }
  void put(const std::string& name, const std::string& text) {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }
  std::optional<size_t> available() { return available_memory(root_.string()); }
  fs::path root_;
};

TEST_F(MemoryFiles, TheMachineOrTheTightestGroup) {
  EXPECT_FALSE(available());
  put("proc/meminfo", "MemTotal:       8388608 kB\nMemAvailable:    4194304 kB\n");
  EXPECT_EQ(available(), 4 * kGiB);
  put("proc/self/cgroup", "0::/a/b\n");
  put("sys/fs/cgroup/a/b/memory.max", "max\n");
  EXPECT_EQ(available(), 4 * kGiB);
  put("sys/fs/cgroup/a/memory.max", "3221225472\n");
  put("sys/fs/cgroup/a/memory.current", "2147483648\n");
  EXPECT_EQ(available(), 1 * kGiB);
  // The group's cache of files makes room for what is asked for.
  put("sys/fs/cgroup/a/memory.stat", "anon 100\ninactive_file 1073741824\nactive_file 5\n");
  EXPECT_EQ(available(), 2 * kGiB);
  put("sys/fs/cgroup/a/memory.current", "4294967296\n");
  EXPECT_EQ(available(), 0u);
}

TEST_F(MemoryFiles, GroupsOfTheFirstVersion) {
  put("proc/meminfo", "MemAvailable:    4194304 kB\n");
  put("proc/self/cgroup", "4:memory:/x\n");
  put("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "9223372036854771712\n");
  put("sys/fs/cgroup/memory/x/memory.usage_in_bytes", "100\n");
  EXPECT_EQ(available(), 4 * kGiB);
  put("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "1073741824\n");
  put("sys/fs/cgroup/memory/x/memory.usage_in_bytes", "536870912\n");
  put("sys/fs/cgroup/memory/x/memory.stat", "total_inactive_file 268435456\n");
  EXPECT_EQ(available(), 768 * kMiB);
}

ServeNeeds needs() {
  return {.weights = 8 * kGiB,
          .working = 128 * kMiB,
          .slot = 64 * kMiB,
          .page = 2 * kMiB,
          .context = 32768};  // 512 pages, 1 GiB
}

size_t total(const ServeMemory& m) {
  return needs().weights + needs().working + static_cast<size_t>(m.slots) * needs().slot +
         m.kv_bytes + m.snapshot_bytes;
}

TEST(DivideMemory, MuchOfIt) {
  const ServeMemory m = divide_memory(
      needs(), {.slots = {}, .kv_bytes = {}, .snapshot_bytes = {}, .available = 64 * kGiB});
  EXPECT_EQ(m.slots, 4);
  EXPECT_EQ(m.pages, 2 * 4 * 512);  // more would serve nobody soon
  EXPECT_EQ(m.kv_bytes, 8 * kGiB);
  EXPECT_GT(m.snapshot_bytes, 8 * kGiB);
  EXPECT_LT(total(m), 40 * kGiB);
  EXPECT_EQ(m.max_tokens, -1);
  EXPECT_EQ(m.warning, "");
}

TEST(DivideMemory, LittleOfIt) {
  const ServeMemory m = divide_memory(
      needs(), {.slots = {}, .kv_bytes = {}, .snapshot_bytes = {}, .available = 11 * kGiB});
  EXPECT_EQ(m.slots, 4);
  EXPECT_GE(m.pages, 512);  // one request at its longest
  EXPECT_LT(m.pages, 2048);
  EXPECT_GT(m.max_tokens, 0);  // not all four can have the whole context
  EXPECT_LE(m.max_tokens, 16384);
  EXPECT_LT(total(m), 11 * kGiB);
  EXPECT_EQ(m.warning, "");
}

TEST(DivideMemory, HardlyAny) {
  const ServeMemory m = divide_memory(
      needs(), {.slots = {}, .kv_bytes = {}, .snapshot_bytes = {}, .available = 9 * kGiB});
  EXPECT_EQ(m.slots, 1);
  EXPECT_EQ(m.pages, 512);
  EXPECT_NE(m.warning.find("9.00 GiB are available"), std::string::npos) << m.warning;
}

TEST(DivideMemory, WhatWasAskedForIsTaken) {
  const ServeMemory m = divide_memory(
      needs(), {.slots = 8, .kv_bytes = 512 * kMiB, .snapshot_bytes = 0, .available = 64 * kGiB});
  EXPECT_EQ(m.slots, 8);
  EXPECT_EQ(m.pages, 256);
  EXPECT_EQ(m.snapshot_bytes, 0u);
  EXPECT_NE(m.warning.find("16384 tokens"), std::string::npos) << m.warning;
}

TEST(DivideMemory, WithoutAWordFromTheSystem) {
  const ServeMemory m =
      divide_memory(needs(), {.slots = {}, .kv_bytes = {}, .snapshot_bytes = {}, .available = {}});
  EXPECT_EQ(m.slots, 4);
  EXPECT_GE(m.pages, 2048);
  EXPECT_EQ(m.warning, "");
}

}  // namespace
}  // namespace braid
