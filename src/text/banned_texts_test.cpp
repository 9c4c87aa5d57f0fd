#include "text/banned_texts.h"

#include <gtest/gtest.h>

#include <ctime>

#include "base/check.h"

namespace braid {
namespace {

constexpr size_t kNone = BannedTexts::npos;

BannedTexts expression(const std::string& pattern, bool any_case = false) {
  BannedTexts banned;
  banned.add_expression(pattern, any_case);
  return banned;
}

BannedTexts strings(std::initializer_list<const char*> texts) {
  BannedTexts banned;
  for (const char* text : texts) banned.add_string(text);
  return banned;
}

void expect(const BannedTexts& banned, std::string_view text, size_t begin, size_t open,
            size_t from = 0, bool ended = false) {
  const BannedTexts::Found found = banned.find(text, from, ended);
  EXPECT_EQ(found.begin, begin) << text;
  EXPECT_EQ(found.open, open) << text;
}

TEST(BannedTexts, StringsAreFoundWholeAndBegun) {
  const BannedTexts banned = strings({"shiver", "her eyes"});
  expect(banned, "", kNone, kNone);
  expect(banned, "a shive", kNone, 2);
  expect(banned, "a shiver down", 2, kNone);
  expect(banned, "a shiver down her", 2, 14);
  expect(banned, "a shiver", kNone, kNone, 3);
  expect(banned, "sh", kNone, 0);
  expect(banned, "sh", kNone, kNone, 0, true);
  expect(strings({"aab"}), "xaa", kNone, 1);
  expect(strings({"aab"}), "xaaa", kNone, 2);
}

TEST(BannedTexts, WhatWasLookedThroughIsNotLookedThroughAgain) {
  const BannedTexts banned = strings({"abab", "b"});
  EXPECT_EQ(banned.find("xabab", 0, false, 5).begin, kNone);
  EXPECT_EQ(banned.find("xabab", 0, false, 4).begin, 1u);
  EXPECT_EQ(banned.find("xabab", 2, false, 4).begin, 4u);
  EXPECT_EQ(banned.find("xabab", 0, false, 0).begin, 1u);
}

TEST(BannedTexts, ExpressionsWaitForWhatDecidesThem) {
  expect(expression("cat"), "a cat", 2, kNone);
  expect(expression("cat"), "a CAT", kNone, kNone);
  expect(expression("cat", true), "a CAT", 2, kNone);
  expect(expression("\\bcat\\b"), "a cat", kNone, 2);
  expect(expression("\\bcat\\b"), "a cats", kNone, 6);
  expect(expression("\\bcat\\b"), "a cat", 2, kNone, 0, true);
  expect(expression("(?<=not )yes"), "not y", kNone, 4, 4);
  expect(expression("(?<=not )yes"), "xnot yes", 5, kNone, 5);
  expect(expression("\u00fcber", true), "\u00dcber", 0, kNone);
  expect(expression("a.*b"), "xa12", kNone, 1);
  expect(expression("a.*b"), "xa12\n", kNone, kNone);
}

std::string refusal(const std::string& pattern) {
  try {
    expression(pattern);
  } catch (const Error& error) {
    return error.what();
  }
  return "taken";
}

TEST(BannedTexts, WhatCannotBeIsRefused) {
  EXPECT_EQ(refusal("a("), "\"a(\", at byte 2: missing closing parenthesis");
  EXPECT_EQ(refusal("a*"), "\"a*\" matches a text without any characters, which is everywhere");
  EXPECT_EQ(refusal(std::string(1001, 'a')),
            "an expression has 1001 bytes; at most 1000 are taken");
  EXPECT_EQ(refusal("a\xff"), "an expression is not UTF-8");
  EXPECT_NE(refusal("a\\Cb"), "taken");
  EXPECT_NE(refusal("(((a{1000}){1000}){1000})"), "taken");
  EXPECT_NE(refusal(std::string(60, '(') + "a" + std::string(60, ')')), "taken");
  EXPECT_NE(refusal("(?<=a{256})b"), "taken");
  EXPECT_EQ(refusal("(?<=a{255})b"), "taken");
  BannedTexts banned;
  EXPECT_THROW(banned.add_string(""), Error);
  EXPECT_THROW(banned.add_string("\xc3"), Error);
  EXPECT_THROW(banned.add_string(std::string(65537, 'a')), Error);
  BannedTexts many;
  for (int i = 0; i < 4096; ++i) many.add_string("a");
  EXPECT_THROW(many.add_string("a"), Error);
  for (int i = 0; i < 16; ++i) banned.add_expression("a", false);
  EXPECT_THROW(banned.add_expression("a", false), Error);
}

TEST(BannedTexts, NoExpressionTakesLong) {
  const BannedTexts banned = expression("(a|aa)+[cd]");
  const std::clock_t start = std::clock();
  EXPECT_THROW(banned.find(std::string(4000, 'a') + "b", 0, true), Error);
  EXPECT_LT(std::clock() - start, CLOCKS_PER_SEC);
}

}  // namespace
}  // namespace braid
