#include "text/pretokenizer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"

namespace braid {
namespace {

using Pieces = std::vector<std::string_view>;

Pieces split(std::string_view name, std::string_view text) {
  Pieces pieces;
  Pretokenizer::named(name).split(text, pieces);
  return pieces;
}

Pieces qwen2(std::string_view text) { return split("qwen2", text); }
Pieces qwen35(std::string_view text) { return split("qwen35", text); }

TEST(Pretokenizer, Contractions) {
  EXPECT_EQ(qwen2("I'm HE'LL they'd"), (Pieces{"I", "'m", " HE", "'LL", " they", "'d"}));
  EXPECT_EQ(qwen2("'tis"), (Pieces{"'t", "is"}));
  EXPECT_EQ(qwen2("'abc"), (Pieces{"'abc"}));
  EXPECT_EQ(qwen2("it\u2019s"), (Pieces{"it", "\u2019s"}));
}

TEST(Pretokenizer, LettersTakeOneCharacterBeforeThem) {
  EXPECT_EQ(qwen2("a b"), (Pieces{"a", " b"}));
  EXPECT_EQ(qwen2("(a.b\tc"), (Pieces{"(a", ".b", "\tc"}));
  EXPECT_EQ(qwen2("\na"), (Pieces{"\n", "a"}));
  EXPECT_EQ(qwen2("1a"), (Pieces{"1", "a"}));
}

TEST(Pretokenizer, EachNumberStandsAlone) {
  EXPECT_EQ(qwen2("2024"), (Pieces{"2", "0", "2", "4"}));
  EXPECT_EQ(qwen2(" \u0663\u00bd"), (Pieces{" ", "\u0663", "\u00bd"}));
}

TEST(Pretokenizer, SymbolsTakeTheSpaceBeforeAndTheLineEndsBehind) {
  EXPECT_EQ(qwen2("a ... b"), (Pieces{"a", " ...", " b"}));
  EXPECT_EQ(qwen2("};\r\n\nx"), (Pieces{"};\r\n\n", "x"}));
}

TEST(Pretokenizer, WhiteSpace) {
  EXPECT_EQ(qwen2("a   b"), (Pieces{"a", "  ", " b"}));
  EXPECT_EQ(qwen2("a   "), (Pieces{"a", "   "}));
  EXPECT_EQ(qwen2("a  \n  b"), (Pieces{"a", "  \n", " ", " b"}));
  EXPECT_EQ(qwen2("a \n \n1"), (Pieces{"a", " \n \n", "1"}));
  EXPECT_EQ(qwen2("a\u00a0\u00a01"), (Pieces{"a", "\u00a0", "\u00a0", "1"}));
}

TEST(Pretokenizer, TheMongolianVowelSeparatorIsNoSpace) {
  EXPECT_EQ(qwen2("a \u180e1"), (Pieces{"a", " \u180e", "1"}));
  EXPECT_EQ(qwen2("a\u180e.b"), (Pieces{"a", "\u180e.", "b"}));
  EXPECT_EQ(qwen2("a\u2003\u20031"), (Pieces{"a", "\u2003", "\u2003", "1"}));
}

TEST(Pretokenizer, MarksAreSymbolsInQwen2AndLettersInQwen35) {
  EXPECT_EQ(qwen2("e\u0301e"), (Pieces{"e", "\u0301e"}));
  EXPECT_EQ(qwen35("e\u0301e"), (Pieces{"e\u0301e"}));
  EXPECT_EQ(qwen2(" \u0301\u0302!"), (Pieces{" \u0301\u0302!"}));
  EXPECT_EQ(qwen35(" \u0301\u0302!"), (Pieces{" \u0301\u0302", "!"}));
}

TEST(Pretokenizer, BrokenBytesAreCutLikeTheReplacementCharacter) {
  EXPECT_EQ(qwen2("a\xFFz"), (Pieces{"a", "\xFFz"}));
  EXPECT_EQ(qwen2("a \xFF\xE4\xB8!\n1"), (Pieces{"a", " \xFF\xE4\xB8!\n", "1"}));
  EXPECT_EQ(qwen2("\xED\xA0\x80"), (Pieces{"\xED\xA0\x80"}));
  const std::string replaced = "x \ufffd\ufffdy\ufffd 1\ufffd\n";
  const std::string broken = "x \xFF\xC3y\x80 1\xE4\n";
  const Pieces a = qwen35(replaced);
  const Pieces b = qwen35(broken);
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    size_t replacements = 0;
    for (size_t at = 0; (at = a[i].find("\ufffd", at)) != a[i].npos; at += 3) ++replacements;
    EXPECT_EQ(a[i].size() - 2 * replacements, b[i].size()) << i;
  }
}

TEST(Pretokenizer, PiecesAreTheTextInOrder) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    std::string text(random() % 200, '\0');
    const unsigned mask = round % 3 == 0 ? 0xFF : round % 3 == 1 ? 0x7F : 0x3F;
    for (char& c : text) c = static_cast<char>(random() & mask);
    for (const std::string_view name : pretokenizer_names()) {
      const char* at = text.data();
      for (const std::string_view piece : split(name, text)) {
        EXPECT_EQ(piece.data(), at);
        EXPECT_FALSE(piece.empty());
        at += piece.size();
      }
      EXPECT_EQ(at, text.data() + text.size());
    }
  }
}

TEST(Pretokenizer, LongRunsTakeLinearTime) {
  const auto start = std::chrono::steady_clock::now();
  for (const std::string_view unit : {"a", " ", "\n", ".", "1", " \n", "'s", "\xFF", "\u4e2d"}) {
    std::string text;
    while (text.size() < 1'000'000) text += unit;
    for (const std::string_view name : pretokenizer_names())
      EXPECT_FALSE(split(name, text).empty());
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(Pretokenizer, AnUnknownNameIsAnErrorThatNamesTheKnownOnes) {
  try {
    Pretokenizer::named("llama-bpe");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "unknown pre-tokenizer 'llama-bpe'; Braid knows qwen2, qwen35");
  }
}

}  // namespace
}  // namespace braid
