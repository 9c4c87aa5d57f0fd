#include "text/unicode.h"

#include <gtest/gtest.h>

#include <string>

namespace braid {
namespace {

TEST(Utf8, LengthOfEachKindOfCharacter) {
  EXPECT_EQ(utf8_length("a", 0), 1u);
  EXPECT_EQ(utf8_length("\u00e9", 0), 2u);
  EXPECT_EQ(utf8_length("\u4e2d", 0), 3u);
  EXPECT_EQ(utf8_length("\U0010ffff", 0), 4u);
  EXPECT_EQ(utf8_length(std::string(1, '\0'), 0), 1u);
}

TEST(Utf8, BrokenFormsHaveNoLength) {
  for (const char* broken :
       {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC3", "\xC3(", "\xE0\x9F\xBF", "\xE4\xB8",
        "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF0\x9F\x98",
        "\xF5\x80\x80\x80", "\xFF"}) {
    EXPECT_EQ(utf8_length(broken, 0), 0u) << broken;
  }
}

TEST(Utf8, FindsBrokenBytesBehindLongAscii) {
  for (size_t before = 0; before < 20; ++before) {
    const std::string text = std::string(before, 'x') + "\xE4\xB8\xAD\xB8" + std::string(9, 'y');
    EXPECT_EQ(find_broken_utf8(text), before + 3);
    EXPECT_EQ(find_broken_utf8(text, before + 4), std::string::npos);
  }
  EXPECT_EQ(find_broken_utf8(""), std::string::npos);
}

TEST(Nfc, ComposesAndOrders) {
  EXPECT_EQ(to_nfc("e\u0301"), "\u00e9");
  EXPECT_EQ(to_nfc("q\u0307\u0323"), "q\u0323\u0307");
  EXPECT_EQ(to_nfc("e\u0301\u0327"),
            "\u0229\u0301");  // composes with the cedilla, which comes first
  EXPECT_EQ(to_nfc("\u1100\u1161\u11a8"), "\uac01");
  EXPECT_EQ(to_nfc("\u212b"), "\u00c5");
  EXPECT_EQ(to_nfc("\u0344"), "\u0308\u0301");
  EXPECT_EQ(to_nfc("plain"), "plain");
}

TEST(Nfc, HangulJoinsNothingButItsLetters) {
  EXPECT_EQ(to_nfc("\uac00\u11a8"), "\uac01");
  EXPECT_EQ(to_nfc("\uac00\u11c2"), "\uac1b");
  EXPECT_EQ(to_nfc("\uac00\u11a7"), "\uac00\u11a7");
  EXPECT_EQ(to_nfc("\u1100\u1161\u11a7\u11a8"), "\uac00\u11a7\u11a8");
  EXPECT_EQ(to_nfc("\uac00\u11a7\u0316\u0301a\u0301"), "\uac00\u11a7\u0316\u0301\u00e1");
  EXPECT_EQ(to_nfc("\uac00\u1160\u11c3"), "\uac00\u1160\u11c3");
}

TEST(Nfc, MarksThatCameAfterUnicode9ArePassedBy) {
  EXPECT_EQ(to_nfc("\u0e9a\u0eb9\u0eba"), "\u0e9a\u0eb9\u0eba");
  EXPECT_EQ(to_nfc("e\u1ac1\u0316\u0301"), "e\u1ac1\u0316\u0301");
  EXPECT_EQ(to_nfc("e\u0301\u0316\u1ace"), "\u00e9\u0316\u1ace");
  EXPECT_EQ(to_nfc("\U00011935\U00011930"), "\U00011935\U00011930");
  EXPECT_EQ(to_nfc("\U00011938"), "\U00011938");
}

TEST(Utf8, WhiteSpaceIsUnicodes) {
  for (const char* space : {" ", "\t", "\r", "\u0085", "\u00a0", "\u1680", "\u2000", "\u200a",
                            "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"}) {
    EXPECT_EQ(space_length(space, 0), std::string_view(space).size()) << space;
  }
  for (const char* other :
       {"a", "\x1c", "\x08", "\x0e", "\u180e", "\u200b", "\u2060", "\ufeff", "\xe3\x80", "\x85"}) {
    EXPECT_EQ(space_length(other, 0), 0u) << other;
  }
}

TEST(Nfc, BrokenBytesStayAndSeparate) {
  EXPECT_EQ(to_nfc("e\xFF\u0301"), "e\xFF\u0301");
  EXPECT_EQ(to_nfc("\x80"
                   "e\u0301\xE4\xB8"),
            "\x80\u00e9\xE4\xB8");
}

TEST(Nfc, QuickLookMissesNothing) {
  EXPECT_FALSE(may_change_in_nfc("caf\u00e9 \u02ff"));
  EXPECT_TRUE(may_change_in_nfc("e\u0300"));
}

TEST(Nfc, MillionsOfMarksTakeNoQuadraticTime) {
  std::string text = "a";
  for (int i = 0; i < 500'000; ++i) text += "\u0301\u0316";
  const std::string normal = to_nfc(text);
  EXPECT_EQ(normal.substr(0, 4), "\u00e1\u0316");
  EXPECT_EQ(normal.size(), text.size() - 1);
}

}  // namespace
}  // namespace braid
