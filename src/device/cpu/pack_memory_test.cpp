// While weights are packed, at no time do both copies of them lie in memory, and the page cache is
// left as it was found.
#include "device/cpu/pack_test_support.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>

namespace braid::cpu {
namespace {

using pack_test::Folder;

constexpr size_t kBytes = size_t{272} << 20;

class PackMemory : public testing::Test {
 protected:
  // Without blocks on the disk; in memory it takes as much as any.
  PackMemory() : path_(folder_ / "weights") {
    std::ofstream(path_).put('\0');
    std::filesystem::resize_file(path_, kBytes);
    const int fd = open(path_.c_str(), O_RDWR);
    fsync(fd);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
    files_.emplace_back(path_);
  }
  size_t resident() const {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    std::vector<unsigned char> pages(kBytes / page);
    EXPECT_EQ(mincore(const_cast<std::byte*>(files_[0].bytes().data()), kBytes, pages.data()), 0);
    return page * static_cast<size_t>(std::count_if(pages.begin(), pages.end(),
                                                    [](auto p) { return (p & 1) != 0; }));
  }
  // The most that was resident of the file while it was packed.
  size_t load(const std::string& cache = "") const {
    const auto device = open_cpu({2, "portable", cache});
    const FilePages pages(files_);
    const int64_t cols = 1024, rows = static_cast<int64_t>(kBytes / row_bytes(DType::Q8_0, cols));
    device->prepare(FileMatrix{DType::Q8_0, cols, {{files_[0].bytes().data(), rows, 1.0f}}},
                    MatrixUse::kProduct);
    size_t most = 0, calls = 0;
    const auto look = [&](const LoadProgress&) {
      if (calls++ % 4 == 0) most = std::max(most, resident());
    };
    device->load({"memory", &pages, {look, {}}});
    EXPECT_GT(calls, 10u);
    return most;
  }

  Folder folder_;
  std::string path_;
  std::vector<MmapFile> files_;
};

TEST_F(PackMemory, AColdFileIsGivenBackWhileItIsPacked) {
  if (resident() > kBytes / 2) GTEST_SKIP() << "the file system keeps files in memory";
  {
    const FilePages pages(files_);
    const std::byte middle =
        *const_cast<const volatile std::byte*>(files_[0].bytes().data() + kBytes / 2);
    EXPECT_EQ(middle, std::byte{0});
    if (resident() > size_t{1} << 20) GTEST_SKIP() << "the system reads ahead all the same";
  }
  for (const std::string& cache : {std::string(), folder_ / "cache"}) {
    const size_t most = load(cache);
    RecordProperty("most_resident", std::to_string(most));
    EXPECT_GT(most, size_t{1} << 20);  // it does see what is there
    EXPECT_LT(most, size_t{160} << 20);
    EXPECT_LT(resident(), size_t{8} << 20);
  }
}

TEST_F(PackMemory, AWarmFileStaysWarm) {
  if (resident() > kBytes / 2) GTEST_SKIP() << "the file system keeps files in memory";
  const std::span<const std::byte> bytes = files_[0].bytes();
  size_t sum = 0;
  for (size_t at = 0; at < kBytes; at += 4096) sum += static_cast<size_t>(bytes[at]);
  EXPECT_EQ(sum, 0u);
  ASSERT_GT(resident(), kBytes / 10 * 9);  // others may want memory
  load();
  EXPECT_GT(resident(), kBytes / 10 * 9);
}

}  // namespace
}  // namespace braid::cpu
