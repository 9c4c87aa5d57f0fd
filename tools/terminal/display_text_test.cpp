#include "tools/terminal/display_text.h"

#include <gtest/gtest.h>

#include <vector>

namespace braid {
namespace {

// Each cluster as bytes and columns, and the boundaries backwards must be the same ones.
std::vector<std::pair<size_t, int>> clusters(const std::string& text) {
  std::vector<std::pair<size_t, int>> out;
  for (size_t at = 0; at < text.size();) {
    const Cluster cluster = cluster_at(text, at);
    const size_t next = next_boundary(text, at);
    EXPECT_EQ(next, at + cluster.bytes);
    EXPECT_EQ(previous_boundary(text, next), at) << text;
    out.emplace_back(cluster.bytes, cluster.columns);
    at = next;
  }
  return out;
}
using Clusters = std::vector<std::pair<size_t, int>>;

TEST(DisplayText, ClustersAndTheirColumns) {
  EXPECT_EQ(clusters("a\u00E9"), (Clusters{{1, 1}, {2, 1}}));
  EXPECT_EQ(clusters("e\u0301x"), (Clusters{{3, 1}, {1, 1}}));  // a combining accent
  EXPECT_EQ(clusters("\u6F22\u5B57"), (Clusters{{3, 2}, {3, 2}}));
  EXPECT_EQ(clusters("\U0001F468\u200D\U0001F469\u200D\U0001F467!"), (Clusters{{18, 2}, {1, 1}}));
  EXPECT_EQ(clusters("\U0001F44D\U0001F3FD"), (Clusters{{8, 2}}));  // a thumb and its skin
  EXPECT_EQ(clusters("\U0001F1EB\U0001F1F7\U0001F1EB\U0001F1F7"), (Clusters{{8, 2}, {8, 2}}));
  EXPECT_EQ(clusters("\u2764\uFE0F"), (Clusters{{6, 2}}));  // drawn as a picture
  EXPECT_EQ(clusters("\n\x01\x7F"), (Clusters{{1, 0}, {1, 2}, {1, 2}}));
  EXPECT_EQ(clusters("\xFF\xE2\x82z"), (Clusters{{1, 1}, {1, 1}, {1, 1}, {1, 1}}));
  EXPECT_EQ(clusters("a\n\u0301b"), (Clusters{{1, 1}, {1, 0}, {2, 0}, {1, 1}}));
  EXPECT_EQ(columns_of("a\u6F22e\u0301"), 4);
}

TEST(DisplayText, EndsStayWhereTheyAre) {
  EXPECT_EQ(next_boundary("ab", 2), 2u);
  EXPECT_EQ(previous_boundary("ab", 0), 0u);
  EXPECT_EQ(previous_boundary("", 0), 0u);
  EXPECT_EQ(previous_boundary("\n\n", 2), 1u);
  EXPECT_EQ(previous_boundary("\na", 1), 0u);
}

TEST(DisplayText, WordsAreLettersAndDigitsOfAnyScript) {
  EXPECT_TRUE(is_word_character("\u00E9", 0));
  EXPECT_TRUE(is_word_character("\u6F22", 0));
  EXPECT_TRUE(is_word_character("_7", 1));
  EXPECT_FALSE(is_word_character("-", 0));
  EXPECT_FALSE(is_word_character("\xFF", 0));
  EXPECT_FALSE(is_word_character("\U0001F44D", 0));
}

TEST(DisplayText, ControlCharactersObeyNobody) {
  EXPECT_EQ(visible("a\x1B[2Jb\n\tc\x7F"), "a^[[2Jb\n\tc^?");
  EXPECT_EQ(visible("\u009B"
                    "2J\xFF\u00E9"),
            "\uFFFD"
            "2J\uFFFD\u00E9");
}

}  // namespace
}  // namespace braid
