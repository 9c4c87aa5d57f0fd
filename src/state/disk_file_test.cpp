#include "state/disk_file.h"

#include "state/disk_test_support.h"
#include "state/state_test_support.h"

namespace braid {
namespace {

using namespace disk_test;

constexpr DiskKey kKey = {1, 2};

struct Written {
  explicit Written(bool state) {
    entry.id = 0x1234567890abcdef;
    entry.parent = state ? 7 : 0;
    entry.realm = 9;
    entry.state = state;
    entry.first = state ? 64 : 0;
    entry.tokens = {5, 6, 7};
    entry.floor = state ? 65 : 0;
    entry.mark = state ? 3 : 0;
    recurrent = {entry.floor, {1, 2, 3, 4}, {5, 6}};
    for (int i = 0; i < 21; ++i) rows.push_back(static_cast<std::byte>(i * 11));
    write_disk_file(folder.path(), kKey, entry, state ? &recurrent : nullptr, rows);
    path = fs::path(folder.path()) / entry.name();
  }
  // Whole, or Damaged.
  bool readable() const {
    try {
      const DiskEntry found = read_disk_entry(folder.path(), entry.name(), kKey);
      read_disk_payload(folder.path(), kKey, found);
      return found.id == entry.id;
    } catch (const Damaged&) {
      return false;
    }
  }

  Folder folder;
  DiskEntry entry;
  RecurrentSnapshot recurrent;
  std::vector<std::byte> rows;
  fs::path path;
};

TEST(DiskFile, ComesBackAsItWas) {
  for (const bool state : {false, true}) {
    const Written w(state);
    const DiskEntry e = read_disk_entry(w.folder.path(), w.entry.name(), kKey);
    EXPECT_EQ(e.id, w.entry.id);
    EXPECT_EQ(e.parent, w.entry.parent);
    EXPECT_EQ(e.realm, w.entry.realm);
    EXPECT_EQ(e.state, state);
    EXPECT_EQ(e.first, w.entry.first);
    EXPECT_EQ(e.tokens, w.entry.tokens);
    EXPECT_EQ(e.floor, w.entry.floor);
    EXPECT_EQ(e.mark, w.entry.mark);
    EXPECT_EQ(e.bytes, fs::file_size(w.path));
    EXPECT_EQ(e.bytes, disk_file_bytes(w.entry, state ? &w.recurrent : nullptr, w.rows.size()));
    const DiskPayload p = read_disk_payload(w.folder.path(), kKey, e);
    EXPECT_EQ(p.blocks, state ? w.recurrent.blocks : std::vector<float>());
    EXPECT_EQ(p.conv, state ? w.recurrent.conv : std::vector<float>());
    EXPECT_EQ(p.rows, w.rows);
    EXPECT_EQ(fs::status(w.path).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  }
}

TEST(DiskFile, EveryTruncationIsSeen) {
  const Written w(true);
  const std::string whole = contents(w.path);
  EXPECT_TRUE(w.readable());
  for (size_t n = 0; n < whole.size(); ++n) {
    write(w.path, whole.substr(0, n));
    EXPECT_FALSE(w.readable()) << n;
  }
  write(w.path, whole + '\0');
  EXPECT_FALSE(w.readable());
  write(w.path, std::string(whole.size(), '\0'));
  EXPECT_FALSE(w.readable());
  write(w.path, whole);
  EXPECT_TRUE(w.readable());
}

TEST(DiskFile, EveryFlippedBitIsSeen) {
  const Written w(true);
  const std::string whole = contents(w.path);
  for (size_t i = 0; i < whole.size() * 8; ++i) {
    std::string damaged = whole;
    damaged[i / 8] = static_cast<char>(damaged[i / 8] ^ (1 << i % 8));
    write(w.path, damaged);
    EXPECT_FALSE(w.readable()) << i;
  }
}

TEST(DiskFile, WhatIsNoFileOfOursIsDamaged) {
  const Written w(false);
  EXPECT_THROW(read_disk_entry(w.folder.path(), w.entry.name(), {1, 3}), Damaged);
  const std::string other = "00000000000000ff.run";
  fs::copy_file(w.path, w.folder.path() + "/" + other);
  EXPECT_THROW(read_disk_entry(w.folder.path(), other, kKey), Damaged);
  EXPECT_THROW(read_disk_entry(w.folder.path(), "00000000000000fe.run", kKey), Damaged);
  fs::create_symlink(w.path, w.folder.path() + "/link.run");
  EXPECT_THROW(read_disk_entry(w.folder.path(), "link.run", kKey), Damaged);
  fs::create_directory(w.folder.path() + "/folder.run");
  EXPECT_THROW(read_disk_entry(w.folder.path(), "folder.run", kKey), Damaged);
}

TEST(DiskFile, NothingIsLeftOfWhatCannotBeWritten) {
  Written w(true);
  fs::remove(w.path);
  fs::create_directories(w.path / "in the way");
  EXPECT_THROW(write_disk_file(w.folder.path(), kKey, w.entry, &w.recurrent, w.rows), Error);
  EXPECT_FALSE(fs::exists(w.path.string() + ".part"));
  EXPECT_THROW(write_disk_file("/nowhere/at all", kKey, w.entry, &w.recurrent, w.rows), Error);
}

}  // namespace
}  // namespace braid
