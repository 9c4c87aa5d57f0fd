#include "state/disk_folder.h"

#include "state/disk_test_support.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace braid {
namespace {

using disk_test::contents;
using disk_test::Folder;
namespace fs = std::filesystem;

constexpr DiskKey kKey = {0x0123456789abcdef, 7};

std::string error_of(const auto& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

struct Told {
  std::vector<std::string> texts;
  DiskFolder::Trouble trouble = [this](const std::string& what, bool) { texts.push_back(what); };
};

mode_t mode_of(const fs::path& path) {
  struct stat status {};
  EXPECT_EQ(::lstat(path.c_str(), &status), 0);
  return status.st_mode & 0777;
}

TEST(DiskFolder, IsForItsOwnerAlone) {
  const Folder above;
  Told told;
  const DiskFolder folder(above.path() + "/deeper/still", kKey, told.trouble);
  EXPECT_EQ(folder.path(), above.path() + "/deeper/still/0123456789abcdef");
  EXPECT_EQ(mode_of(folder.path()), 0700u);
  EXPECT_EQ(mode_of(folder.path() + "/.secret"), 0600u);
  EXPECT_TRUE(told.texts.empty());
}

// Readable by others, it is closed; writable, there is nothing to be believed in it.
TEST(DiskFolder, OneThatWasOpenIsClosedAndPerhapsEmptied) {
  for (const mode_t mode : {0755, 0770, 0702}) {
    const Folder above;
    Told told;
    const std::string path = above.path() + "/0123456789abcdef";
    const std::string file = path + "/00000000000000ab.run";
    uint64_t name = 0;
    {
      const DiskFolder folder(above.path(), kKey, told.trouble);
      name = folder.realm("a key");
    }
    disk_test::write(file, "x");
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    const DiskFolder folder(above.path(), kKey, told.trouble);
    EXPECT_EQ(mode_of(path), 0700u);
    const bool writable = (mode & 0022) != 0;
    EXPECT_EQ(told.texts.size(), writable);
    EXPECT_EQ(fs::exists(file), !writable);
    EXPECT_EQ(folder.realm("a key") == name, !writable);
  }
}

TEST(DiskFolder, LinksAndFilesAreRefused) {
  const Folder above, elsewhere;
  Told told;
  const std::string path = above.path() + "/0123456789abcdef";
  fs::create_directory_symlink(elsewhere.path(), path);
  EXPECT_NE(error_of([&] { DiskFolder(above.path(), kKey, told.trouble); }).find(path),
            std::string::npos);
  fs::remove(path);
  disk_test::write(path, "x");
  EXPECT_NE(error_of([&] { DiskFolder(above.path(), kKey, told.trouble); }).find(path),
            std::string::npos);
  fs::remove(path);
  const DiskFolder folder(above.path(), kKey, told.trouble);
}

TEST(DiskFolder, OneOfAnotherUserIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a folder away";
  const Folder above;
  Told told;
  const std::string path = above.path() + "/0123456789abcdef";
  fs::create_directory(path);
  ASSERT_EQ(::chown(path.c_str(), 12345, 12345), 0);
  const std::string error = error_of([&] { DiskFolder(above.path(), kKey, told.trouble); });
  EXPECT_NE(error.find("belongs to user 12345"), std::string::npos) << error;
  EXPECT_TRUE(fs::is_empty(path));
}

// A file that goes while sizes are added up counts nothing: a link to nowhere looks the same.
TEST(DiskFolder, WhatVanishesCountsNothing) {
  const Folder above;
  Told told;
  const fs::path other = fs::path(above.path()) / "00000000000000bb";
  fs::create_directory(other);
  disk_test::write(other / "lock", "");
  disk_test::write(other / "00000000000000ab.run", std::string(100, 'x'));
  fs::create_symlink("nowhere", other / "00000000000000ac.run");
  const DiskFolder folder(above.path(), kKey, told.trouble);
  EXPECT_EQ(folder.make_room_among_others(50, 200).bytes, 100u);
  EXPECT_TRUE(fs::exists(other / "00000000000000ab.run"));
  EXPECT_EQ(folder.make_room_among_others(150, 200).bytes, 0u);
  EXPECT_FALSE(fs::exists(other / "00000000000000ab.run"));
}

TEST(RealmNames, AreAKeyedHash) {
  const Folder folder, another;
  std::string secret;
  for (char i = 0; i < 32; ++i) secret += i;
  disk_test::write(folder.path() + "/.secret", secret);
  const RealmNames names(folder.path());
  // As Python's hmac and hashlib have it.
  EXPECT_EQ(names.of("sk-test"), 0x675c1ca5a73bc3e7u);
  EXPECT_EQ(names.of(""), 0x5ff4806d09428bd3u);
  const RealmNames fresh(another.path());
  EXPECT_NE(fresh.of("sk-test"), names.of("sk-test"));
  EXPECT_EQ(fresh.of("sk-test"), RealmNames(another.path()).of("sk-test"));
  EXPECT_NE(fresh.of("sk-test"), fresh.of("sk-tesu"));
  for (const size_t size : {31, 33}) {  // was damaged: another one is made
    disk_test::write(folder.path() + "/.secret", std::string(size, 'x'));
    EXPECT_NE(RealmNames(folder.path()).of("sk-test"), names.of("sk-test"));
    EXPECT_EQ(contents(folder.path() + "/.secret").size(), 32u);
  }
}

}  // namespace
}  // namespace braid
