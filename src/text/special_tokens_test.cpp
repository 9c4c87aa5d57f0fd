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
  tokens.add("<a>", 1, {});
  tokens.add("<a><b>", 2, {});
  tokens.add("a><b><c>", 3, {});
  EXPECT_EQ(found(tokens, "x<a>y"), "x[1]y");
  EXPECT_EQ(found(tokens, "<a><b>"), "[2]");
  EXPECT_EQ(found(tokens, "<a><b><c>"), "[2]<c>");
  EXPECT_EQ(found(tokens, "a><b><c>"), "[3]");
  EXPECT_EQ(found(tokens, "<<a><a>"), "<[1][1]");
  EXPECT_EQ(found(tokens, "<a"), "<a");
}

TEST(SpecialTokens, ControlTokensOnlyWhenAsked) {
  SpecialTokens tokens;
  tokens.add("<t>", 1, {.always = true});
  tokens.add("<t>!", 2, {});
  EXPECT_EQ(found(tokens, "<t>!", true), "[2]");
  EXPECT_EQ(found(tokens, "<t>!", false), "[1]!");
}

TEST(SpecialTokens, WhiteSpaceGoesAlongWhereATokenTakesIt) {
  SpecialTokens tokens;
  EXPECT_TRUE(tokens.add("<l>", 1, {.strip_left = true}));
  EXPECT_TRUE(tokens.add("<r>", 2, {.strip_right = true}));
  EXPECT_FALSE(tokens.add("<r>", 3, {}));
  EXPECT_EQ(found(tokens, "a \n\u00a0\u3000<l> b"), "a[1] b");
  EXPECT_EQ(found(tokens, " <r>\t \u2003b"), " [2]b");
  EXPECT_EQ(found(tokens, "<r>  <l>"), "[2][1]");
  EXPECT_EQ(found(tokens, "\u200b\xe3\x80<l>"), "\u200b\xe3\x80[1]");
  EXPECT_EQ(found(tokens, "<l>"), "[1]");
}

TEST(SpecialTokens, NoneInAnEmptySet) { EXPECT_FALSE(SpecialTokens().next("anything", 0, true)); }

}  // namespace
}  // namespace braid
