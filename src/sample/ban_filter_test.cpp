#include "sample/ban_filter.h"

#include <gtest/gtest.h>

#include <ctime>
#include <random>

#include "base/check.h"
#include "text/vocabulary.h"

namespace braid {
namespace {

using Ids = std::vector<int32_t>;

// The 256 bytes, and one control token behind them.
Vocabulary bytes_vocabulary() {
  Vocabulary v;
  v.source = "test";
  v.pretokenizer = "qwen2";
  v.tokens.assign(byte_letters().begin(), byte_letters().end());
  v.types.assign(256, TokenType::kNormal);
  for (const char* more : {"he", "ll", "hell"}) {
    v.tokens.emplace_back(more);
    v.types.push_back(TokenType::kNormal);
  }
  v.merges = {"h e", "l l", "he ll"};
  v.tokens.emplace_back("<|end|>");
  v.types.push_back(TokenType::kControl);
  return v;
}
constexpr int32_t kHe = 256, kLl = 257, kHell = 258, kControl = 259;

class BanFilterTest : public testing::Test {
 protected:
  BanFilter filter(std::initializer_list<const char*> strings,
                   std::initializer_list<const char*> expressions, BanOptions options = {}) {
    auto banned = std::make_shared<BannedTexts>();
    for (const char* text : strings) banned->add_string(text);
    for (const char* text : expressions) banned->add_expression(text, false);
    return BanFilter(banned, tokenizer_, options);
  }
  const Tokenizer tokenizer_{bytes_vocabulary()};
};

TEST_F(BanFilterTest, HoldsWhatMayBecomeABannedText) {
  BanFilter f = filter({"hello"}, {});
  EXPECT_TRUE(f.token('x').empty());
  EXPECT_EQ(f.held(), 0u);
  EXPECT_TRUE(f.token(kHe).empty());
  EXPECT_TRUE(f.token(kLl).empty());
  EXPECT_EQ(f.held(), 2u);
  EXPECT_EQ(f.token('o'), (Ids{kHe, kLl, 'o'}));
  EXPECT_EQ(f.held(), 0u);
  EXPECT_TRUE(f.token(kHell).empty());
  EXPECT_TRUE(f.token('y').empty());
  EXPECT_EQ(f.held(), 0u);
  EXPECT_EQ(f.rewinds(), 1);
  EXPECT_EQ(f.taken_back(), 3);
  // A control token has no text.
  for (const int32_t id : {kHell, kControl}) EXPECT_TRUE(f.token(id).empty());
  EXPECT_EQ(f.token('o'), (Ids{kHell, kControl, 'o'}));
}

TEST_F(BanFilterTest, ATextBeginsInTheMiddleOfATokenAndACharacterInItsFirst) {
  BanFilter f = filter({"ello", "\u20ac!"}, {});
  EXPECT_TRUE(f.token(kHe).empty());
  EXPECT_TRUE(f.token(kLl).empty());
  EXPECT_EQ(f.token('o'), (Ids{kHe, kLl, 'o'}));
  for (const int32_t id : Ids{'a', 0xE2, 0x82, 0xAC}) EXPECT_TRUE(f.token(id).empty());
  EXPECT_EQ(f.held(), 3u);
  EXPECT_EQ(f.token('!'), (Ids{0xE2, 0x82, 0xAC, '!'}));
  EXPECT_EQ(f.held(), 0u);
  for (const int32_t id : {0xE2, 0x82, 0xAC}) EXPECT_TRUE(f.token(id).empty());
  EXPECT_EQ(f.token('!').size(), 4u);
}

// The first a is let go for the second. When that is taken back, the first may still begin a text.
TEST_F(BanFilterTest, ATextMayBeginInWhatWasLetGo) {
  BanFilter f = filter({"abc"}, {});
  for (const int32_t id : {'a', 'a'}) EXPECT_TRUE(f.token(id).empty());
  EXPECT_EQ(f.held(), 1u);
  EXPECT_TRUE(f.token('b').empty());
  EXPECT_EQ(f.token('c'), (Ids{'a', 'b', 'c'}));
  EXPECT_TRUE(f.token('b').empty());
  EXPECT_EQ(f.held(), 1u);
  EXPECT_EQ(f.token('c'), (Ids{'b', 'c'}));
  EXPECT_TRUE(f.token('x').empty());
  EXPECT_EQ(f.held(), 0u);
}

TEST_F(BanFilterTest, TheEndDecidesWhatWaitedForIt) {
  BanFilter f = filter({}, {"\\bhe\\b"});
  EXPECT_TRUE(f.token(kHe).empty());
  EXPECT_EQ(f.held(), 1u);
  EXPECT_EQ(f.finish(), Ids{kHe});
  for (const int32_t id : {kHe, static_cast<int32_t>('l')}) EXPECT_TRUE(f.token(id).empty());
  EXPECT_TRUE(f.finish().empty());
}

TEST_F(BanFilterTest, WhatIsNeverDecidedIsLetGo) {
  BanFilter f = filter({}, {"h.*y"}, {.most_held = 5});
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(f.token('h').empty());
  EXPECT_EQ(f.held(), 5u);
  EXPECT_EQ(f.token('y'), (Ids{'h', 'h', 'h', 'h', 'h', 'y'}));
}

TEST_F(BanFilterTest, GivesUpInOnePlace) {
  BanFilter f = filter({"a", "b"}, {}, {.most_rewinds = 3});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(f.token('a').size(), 1u);
  EXPECT_FALSE(f.gave_up());
  EXPECT_TRUE(f.token('c').empty());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(f.token('b').size(), 1u);
  EXPECT_FALSE(f.gave_up());  // another place
  EXPECT_EQ(f.token('b').size(), 1u);
  EXPECT_TRUE(f.gave_up());
}

// What is let go and held is what was given without what was taken back; nothing that is let go
// holds a banned text, and what is held is needed.
TEST_F(BanFilterTest, RandomAnswers) {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    BanFilter f = filter({"abc", "cab", "b\u20ac"}, {"a[bc]*?aa", "c(?=bb)"});
    const Tokenizer& t = tokenizer_;
    Ids given;
    const Ids some = {'a', 'b', 'c', 'a', 0xE2, 0x82, 0xAC, kControl};
    for (int i = 0; i < 200; ++i) {
      given.push_back(some[random() % some.size()]);
      const Ids back = f.token(given.back());
      ASSERT_TRUE(std::equal(back.rbegin(), back.rend(), given.rbegin()));
      given.resize(given.size() - back.size());
      ASSERT_LE(f.held(), given.size());
    }
    const Ids back = f.finish();
    given.resize(given.size() - back.size());
    const std::string text = t.decode(given, ControlTokens::kSkip);
    for (const char* banned : {"abc", "cab", "b\u20ac", "abaa", "aaa", "cbb"})
      ASSERT_EQ(text.find(banned), std::string::npos) << banned << " in " << text;
  }
}

// Thousands of texts, and one that holds back thousands of tokens.
TEST_F(BanFilterTest, ATokenTakesNoLongerTheMoreAreHeld) {
  auto banned = std::make_shared<BannedTexts>();
  banned->add_string(std::string(5000, 'a') + "b");
  for (int i = 0; i < 2000; ++i) banned->add_string("a" + std::to_string(i));
  BanFilter f(banned, tokenizer_, {});
  const std::clock_t start = std::clock();
  for (int i = 0; i < 4000; ++i) ASSERT_TRUE(f.token('a').empty());
  EXPECT_EQ(f.held(), 4000u);
  EXPECT_LT(std::clock() - start, 10 * CLOCKS_PER_SEC);
  EXPECT_EQ(f.token('7'), (Ids{'a', '7'}));
}

// The text is forgotten behind what expressions look back at.
TEST_F(BanFilterTest, ALongAnswerIsCutWhereCharactersBegin) {
  BanFilter f = filter({}, {"(?<=\u20ac{255})x"});
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 3000; ++i)
      for (const int32_t id : {0xE2, 0x82, 0xAC}) ASSERT_TRUE(f.token(id).empty());
    ASSERT_EQ(f.token('x'), Ids{'x'});
    ASSERT_TRUE(f.token('y').empty());
  }
}

}  // namespace
}  // namespace braid
