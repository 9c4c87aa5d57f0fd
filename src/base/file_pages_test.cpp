#include "base/file_pages.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace braid {
namespace {

class FilePagesTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ =
        std::filesystem::path(testing::TempDir()) / ("file_pages_test." + std::to_string(getpid()));
    std::ofstream(path_, std::ios::binary) << std::string(kPages * page() + 100, 'x');
    const int fd = open(path_.c_str(), O_RDWR);
    fsync(fd);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
    files_.emplace_back(path_);
    // Half of it is warm, and nothing is still on its way when the test begins.
    madvise(const_cast<std::byte*>(bytes().data()), bytes().size(), MADV_RANDOM);
    touch(0, kPages / 2);
    before_ = resident();
  }
  void TearDown() override { std::filesystem::remove(path_); }

  static size_t page() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }
  std::span<const std::byte> bytes() const { return files_[0].bytes(); }
  void touch(size_t begin, size_t end) const {
    for (size_t p = begin; p < end; ++p) {
      const std::byte first = *const_cast<const volatile std::byte*>(bytes().data() + p * page());
      EXPECT_EQ(first, std::byte{'x'});
    }
  }
  std::vector<bool> resident() const {
    std::vector<unsigned char> pages(kPages + 1);
    EXPECT_EQ(mincore(const_cast<std::byte*>(bytes().data()), bytes().size(), pages.data()), 0);
    std::vector<bool> there;
    for (unsigned char p : pages) there.push_back((p & 1) != 0);
    return there;
  }
  static size_t count(const std::vector<bool>& pages) {
    return static_cast<size_t>(std::count(pages.begin(), pages.end(), true));
  }

  static constexpr size_t kPages = 3000;
  std::string path_;
  std::vector<MmapFile> files_;
  std::vector<bool> before_;
};

TEST_F(FilePagesTest, WhatWasThereStaysAndTheRestIsGivenBack) {
  if (count(before_) == before_.size()) GTEST_SKIP() << "the file system keeps files in memory";
  const FilePages pages(files_);
  pages.prefetch(bytes());
  touch(0, kPages);
  EXPECT_GT(count(resident()), count(before_));
  pages.release(bytes());
  const std::vector<bool> after = resident();
  for (size_t p = 0; p < kPages; ++p) ASSERT_EQ(after[p], before_[p]) << "page " << p;
  touch(0, kPages);  // given back, not lost
}

TEST_F(FilePagesTest, PagesSharedWithOthersStay) {
  if (count(before_) == before_.size()) GTEST_SKIP() << "the file system keeps files in memory";
  const FilePages pages(files_);
  pages.prefetch(bytes().subspan((kPages - 4) * page()));
  touch(kPages - 4, kPages);
  // From the middle of one page to the middle of another.
  pages.release(bytes().subspan((kPages - 4) * page() + 1, 2 * page()));
  const std::vector<bool> after = resident();
  EXPECT_TRUE(after[kPages - 4]);
  EXPECT_FALSE(after[kPages - 3]);
  EXPECT_TRUE(after[kPages - 2]);
}

TEST_F(FilePagesTest, FindsThePlaceOfABytePointer) {
  const FilePages pages(files_);
  EXPECT_EQ(pages.find(bytes().data())->offset, 0u);
  EXPECT_EQ(pages.find(bytes().data() + bytes().size() - 1)->offset, bytes().size() - 1);
  EXPECT_FALSE(pages.find(bytes().data() + bytes().size()));
  EXPECT_FALSE(pages.find(bytes().data() - 1));
}

// What was read before it was asked for counts as found.
TEST_F(FilePagesTest, PagesReadWithoutAskingStay) {
  const FilePages pages(files_);
  touch(kPages - 4, kPages);
  pages.release(bytes().subspan((kPages - 4) * page()));
  EXPECT_TRUE(resident()[kPages - 1]);
}

// To give back anonymous memory would be to erase it.
TEST_F(FilePagesTest, MemoryOfTheCallersOwnIsLeftAlone) {
  const FilePages pages(files_);
  const std::vector<std::byte> own(16 * page(), std::byte{7});
  pages.prefetch(own);
  pages.release(own);
  EXPECT_EQ(own, std::vector<std::byte>(16 * page(), std::byte{7}));
}

}  // namespace
}  // namespace braid
