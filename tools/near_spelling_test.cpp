#include "tools/near_spelling.h"

#include <gtest/gtest.h>

#include <vector>

namespace braid {
namespace {

TEST(NearSpelling, Distance) {
  EXPECT_EQ(spelling_distance("", ""), 0u);
  EXPECT_EQ(spelling_distance("", "abc"), 3u);
  EXPECT_EQ(spelling_distance("temp", "temp"), 0u);
  EXPECT_EQ(spelling_distance("tempp", "temp"), 1u);
  EXPECT_EQ(spelling_distance("tmep", "temp"), 1u);
  EXPECT_EQ(spelling_distance("temp", "tamp"), 1u);
  EXPECT_EQ(spelling_distance("abc", "xyz"), 3u);
}

TEST(NearSpelling, TheNearestComesFirst) {
  const std::vector<std::string> known = {"--temperature", "--temp", "--top-k", "--top-p",
                                          "--threads"};
  EXPECT_EQ(did_you_mean("--tempp", known), ": did you mean --temp?");
  EXPECT_EQ(did_you_mean("--top-", known), ": did you mean --top-k or --top-p?");
  EXPECT_EQ(did_you_mean("--thread", known), ": did you mean --threads?");
  EXPECT_EQ(did_you_mean("--temper", known), ": did you mean --temperature or --temp?");
  EXPECT_EQ(did_you_mean("--lora", known), "");
  EXPECT_EQ(did_you_mean("-x", known), "");
  EXPECT_EQ(did_you_mean(std::string(100000, '-'), known), "");
}

}  // namespace
}  // namespace braid
