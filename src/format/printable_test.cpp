#include "format/printable.h"

#include <gtest/gtest.h>

#include <string>

namespace braid {
namespace {

TEST(Printable, PlainTextStaysAsItIs) {
  EXPECT_EQ(printable("blk.0.attn_q.weight"), "blk.0.attn_q.weight");
  EXPECT_EQ(printable("Gewicht \xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80"),
            "Gewicht \xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80");
  EXPECT_EQ(printable(""), "");
}

TEST(Printable, WhatWouldDisturbAMessageIsEscaped) {
  EXPECT_EQ(printable(std::string("a\0b\n\x1b[0m\x7f", 9)), "a\\x00b\\x0a\\x1b[0m\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b");  // C1 control
  EXPECT_EQ(printable("a\xe2\x80\xae"
                      "b"),
            "a\\xe2\\x80\\xaeb");                           // right-to-left override
  EXPECT_EQ(printable("\xef\xbb\xbf"), "\\xef\\xbb\\xbf");  // byte order mark
}

TEST(Printable, InvalidUtf8IsEscapedByteByByte) {
  for (const std::string bad :
       {"\x80", "\xc0\xaf", "\xc3", "\xe2\x82", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
        "\xff", "\xf8\x88\x80\x80\x80"}) {
    EXPECT_FALSE(is_utf8(bad));
    EXPECT_FALSE(is_plain_name("a" + bad));
    std::string expected;
    for (const char c : bad) {
      constexpr char kHex[] = "0123456789abcdef";
      expected += {'\\', 'x', kHex[(c >> 4) & 15], kHex[c & 15]};
    }
    EXPECT_EQ(printable(bad), expected);
  }
}

TEST(Printable, LongTextIsCutBetweenCharacters) {
  EXPECT_EQ(printable(std::string(1000, 'x'), 10), "xxxxxxxxxx... (1000 bytes)");
  EXPECT_EQ(printable("abc\xe2\x82\xac", 5), "abc... (6 bytes)");
  EXPECT_EQ(printable("abc\xe2\x82\xac", 6), "abc\xe2\x82\xac");
  EXPECT_EQ(printable("a\n", 4), "a... (2 bytes)");
}

TEST(Printable, NamesArePlainText) {
  EXPECT_TRUE(is_plain_name("general.name"));
  EXPECT_TRUE(is_plain_name("\xc3\xbc"));
  EXPECT_FALSE(is_plain_name(""));
  EXPECT_FALSE(is_plain_name("a\tb"));
  EXPECT_TRUE(is_utf8("a\tb"));
}

}  // namespace
}  // namespace braid
