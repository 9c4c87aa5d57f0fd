#include "tools/terminal/history.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace braid {
namespace {

using Entries = std::vector<std::string>;

class HistoryFile : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "braid-history-" + std::to_string(getpid());
    std::filesystem::remove_all(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path() const { return folder_ + "/braid/history"; }
  size_t lines() const {
    std::ifstream file(path());
    size_t n = 0;
    for (std::string line; std::getline(file, line);) ++n;
    return n;
  }
  std::string folder_;
};

TEST_F(HistoryFile, KeepsEntriesOfSeveralLinesForTheNextTime) {
  const Entries entries = {"one", "two\nlines\n", "back\\slash \\n", "\u00E9"};
  {
    History history(path());
    for (const std::string& entry : entries) history.add(entry);
    history.add("");
    history.add("\u00E9");  // a repetition
    EXPECT_EQ(history.entries(), entries);
  }
  EXPECT_EQ(History(path()).entries(), entries);
  EXPECT_EQ(lines(), 4u);
  struct stat status {};
  ASSERT_EQ(stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(HistoryFile, TwoProgramsShareIt) {
  History a(path()), b(path());
  a.add("from a");
  b.add("from b");
  a.add("again");
  EXPECT_EQ(History(path()).entries(), (Entries{"from a", "from b", "again"}));
}

TEST_F(HistoryFile, IsBounded) {
  {
    History history(path());
    for (size_t i = 0; i < 2 * History::kEntries + 10; ++i) history.add(std::to_string(i));
    EXPECT_EQ(history.entries().size(), History::kEntries);
    EXPECT_EQ(lines(), 2 * History::kEntries + 10);
  }
  EXPECT_EQ(History(path()).entries().front(), std::to_string(History::kEntries + 10));
  EXPECT_EQ(lines(), History::kEntries);
  History history(path());
  history.add(std::string(History::kLongestEntry + 1, 'x'));
  EXPECT_EQ(lines(), History::kEntries);
  EXPECT_EQ(history.entries().back().size(), History::kLongestEntry + 1);
}

TEST_F(HistoryFile, DoesWithoutAFileThatCannotBe) {
  std::filesystem::create_directories(path());  // a folder in its place
  History history(path());
  history.add("kept in memory");
  EXPECT_EQ(history.entries(), Entries{"kept in memory"});
  History nowhere("/proc/no/such/folder/history");
  nowhere.add("too");
  EXPECT_EQ(nowhere.entries(), Entries{"too"});
}

TEST(History, IsSearchedBackwards) {
  History history;
  for (const char* entry : {"apple", "banana", "grape"}) history.add(entry);
  EXPECT_EQ(history.find_before(3, "ap"), 2u);
  EXPECT_EQ(history.find_before(2, "ap"), 0u);
  EXPECT_EQ(history.find_before(0, "ap"), History::npos);
  EXPECT_EQ(history.find_before(History::npos, "x"), History::npos);
}

TEST(History, ItsPlaceFollowsTheStandard) {
  EXPECT_EQ(history_path("/data", "/h/x"), "/data/braid/history");
  EXPECT_EQ(history_path("relative", "/h/x"), "/h/x/.local/share/braid/history");
  EXPECT_EQ(history_path(nullptr, "/h/x"), "/h/x/.local/share/braid/history");
  EXPECT_EQ(history_path("", nullptr), "");
}

}  // namespace
}  // namespace braid
