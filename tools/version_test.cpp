#include "tools/version.h"

#include <gtest/gtest.h>

#include <regex>

namespace braid {
namespace {

TEST(Version, SaysWhatAndHow) {
  const std::string text = version_text();
  EXPECT_TRUE(std::regex_search(text, std::regex("^braid [0-9]+\\.[0-9]+\\.[0-9]+\n"))) << text;
  EXPECT_TRUE(std::regex_search(text, std::regex("\ncompiler: (g\\+\\+|clang) [0-9]"))) << text;
  EXPECT_TRUE(std::regex_search(text, std::regex("\ninstruction sets: .*portable\n$"))) << text;
  if (text.find("commit") == std::string::npos) return;  // built without git
  EXPECT_TRUE(std::regex_search(text, std::regex("\ncommit: [0-9a-f]{7,40}, "))) << text;
}

}  // namespace
}  // namespace braid
