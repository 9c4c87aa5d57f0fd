#include "text/special_tokens.h"

#include <gtest/gtest.h>

#include <string>

namespace braid {
namespace {

std::string found(const SpecialTokens& tokens, std::string_view text, bool parse_control = true) {
  std::string out;
  size_t from = 0;
  while (const auto match = tokens.next(text, from, parse_control)) {
    out +=
        std::string(text.substr(from, match->pos - from)) + "[" + std::to_string(match->id) + "]";
    from = match->pos + match->length;
  }
  return out + std::string(text.substr(from));
}

TEST(SpecialTokens, LeftmostThenLongest) {
  SpecialTokens tokens;
  tokens.add("<a>", 1, false);
  tokens.add("<a><b>", 2, false);
  tokens.add("a><b><c>", 3, false);
  EXPECT_EQ(found(tokens, "x<a>y"), "x[1]y");
  EXPECT_EQ(found(tokens, "<a><b>"), "[2]");
  EXPECT_EQ(found(tokens, "<a><b><c>"), "[2]<c>");
  EXPECT_EQ(found(tokens, "a><b><c>"), "[3]");
  EXPECT_EQ(found(tokens, "<<a><a>"), "<[1][1]");
  EXPECT_EQ(found(tokens, "<a"), "<a");
}

TEST(SpecialTokens, ControlTokensOnlyWhenAsked) {
  SpecialTokens tokens;
  tokens.add("<t>", 1, true);
  tokens.add("<t>!", 2, false);
  EXPECT_EQ(found(tokens, "<t>!", true), "[2]");
  EXPECT_EQ(found(tokens, "<t>!", false), "[1]!");
}

TEST(SpecialTokens, NoneInAnEmptySet) { EXPECT_FALSE(SpecialTokens().next("anything", 0, true)); }

}  // namespace
}  // namespace braid
