#include "base/mmap_file.h"

#include "base/check.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

namespace braid {
namespace {

class MmapFileTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::path(testing::TempDir()) / fmt::format("mmap_file_test.{}", getpid());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, std::string_view content) const {
    const std::string path = folder_ / name;
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }

  static std::string error_of(const std::string& path) {
    try {
      MmapFile file(path);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  static std::string text(const MmapFile& file) {
    return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
  }

  std::filesystem::path folder_;
};

TEST_F(MmapFileTest, MapsTheBytesOfAFile) {
  const std::string path = write("a", std::string("one\0two", 7));
  const MmapFile file(path);
  EXPECT_EQ(file.path(), path);
  EXPECT_EQ(text(file), std::string("one\0two", 7));
}

TEST_F(MmapFileTest, AnEmptyFileIsAnEmptySpan) {
  EXPECT_TRUE(MmapFile(write("empty", "")).bytes().empty());
}

TEST_F(MmapFileTest, AMappingCanBeMovedAndOutlivesTheFile) {
  MmapFile a(write("a", "aaa"));
  MmapFile b(write("b", "bb"));
  std::filesystem::remove(folder_ / "a");
  MmapFile c(std::move(a));
  EXPECT_EQ(text(c), "aaa");
  EXPECT_TRUE(
      a.bytes().empty());  // NOLINT(bugprone-use-after-move): what a move leaves is promised
  c = std::move(b);
  EXPECT_EQ(text(c), "bb");
}

TEST_F(MmapFileTest, ErrorsNameThePathAndTheReason) {
  const std::string missing = folder_ / "missing";
  EXPECT_EQ(error_of(missing), missing + ": cannot open: No such file or directory");
  EXPECT_EQ(error_of(folder_), folder_.string() + ": is a folder, expected a file");
  const std::string pipe = folder_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(error_of(pipe), pipe + ": is not a regular file and cannot be mapped");
}

TEST_F(MmapFileTest, AFileThatMayNotBeReadIsAnError) {
  const std::string path = write("secret", "x");
  std::filesystem::permissions(path, std::filesystem::perms::none);
  // root reads every file, whatever its permissions.
  const std::string expected =
      geteuid() == 0 ? "no error" : path + ": cannot open: Permission denied";
  EXPECT_EQ(error_of(path), expected);
}

}  // namespace
}  // namespace braid
