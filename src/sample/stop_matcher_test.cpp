#include "sample/stop_matcher.h"

#include <gtest/gtest.h>

#include <random>

#include "base/check.h"
#include "text/unicode.h"

namespace braid {
namespace {

struct Answer {
  std::string text;
  std::string matched;
};

// The first end at which a stop string is complete, and there the longest.
Answer brute_force(const std::vector<std::string>& stops, const std::string& text) {
  for (size_t end = 1; end <= text.size(); ++end) {
    std::string longest;
    for (const std::string& stop : stops) {
      if (text.substr(0, end).ends_with(stop) && stop.size() > longest.size()) longest = stop;
    }
    if (!longest.empty()) return {text.substr(0, end - longest.size()), longest};
  }
  return {text, ""};
}

// Whether the end of `shown` + `held` that is held has to be: no less and no more.
size_t longest_beginning(const std::vector<std::string>& stops, const std::string& text) {
  for (size_t n = text.size(); n > 0; --n) {
    for (const std::string& stop : stops) {
      if (n < stop.size() && text.ends_with(stop.substr(0, n))) return n;
    }
  }
  return 0;
}

void check(const std::vector<std::string>& stops, const std::string& text,
           const std::vector<size_t>& cuts) {
  const Answer expected = brute_force(stops, text);
  StopMatcher matcher(stops);
  std::string out;
  size_t at = 0;
  for (const size_t length : cuts) {
    const std::string piece = text.substr(at, length);
    at += piece.size();
    if (matcher.feed(piece, out)) break;
    const std::string so_far = text.substr(0, at);
    ASSERT_EQ(matcher.held_bytes(), longest_beginning(stops, so_far)) << so_far;
    ASSERT_EQ(out, so_far.substr(0, at - matcher.held_bytes()));
  }
  ASSERT_EQ(std::string(matcher.matched()), expected.matched) << text;
  ASSERT_EQ(matcher.stopped(), !expected.matched.empty());
  if (!matcher.stopped()) matcher.finish(out);
  ASSERT_EQ(out, expected.text) << text;
  if (matcher.stopped()) {
    EXPECT_TRUE(matcher.feed("more", out));
    matcher.finish(out);
    ASSERT_EQ(out, expected.text) << "nothing comes after the end";
  }
}

TEST(StopMatcher, AgainstBruteForceOnRandomTexts) {
  std::mt19937 random(21);
  for (int round = 0; round < 20000; ++round) {
    const auto random_text = [&](size_t most) {
      std::string text(1 + random() % most, 'a');
      for (char& letter : text) letter = static_cast<char>('a' + random() % 2);
      return text;
    };
    std::vector<std::string> stops(random() % 4);
    for (std::string& stop : stops) stop = random_text(7);
    const std::string text = random_text(40);
    std::vector<size_t> cuts;
    for (size_t sum = 0; sum < text.size(); sum += cuts.back()) cuts.push_back(random() % 6);
    check(stops, text, cuts);
    if (HasFatalFailure()) FAIL() << "round " << round;
  }
}

TEST(StopMatcher, ByHand) {
  check({"</s>", "\nUser:"}, "Hello</sUser\nUser</s>x", {5, 3, 100});
  check({"abc", "bc"}, "xabc", {4});       // complete at the same byte: the longer
  check({"abcd", "bc"}, "xabcd", {1, 4});  // bc is complete first
  check({"aab"}, "aaaab", {1, 1, 1, 1, 1});
  check({}, "anything", {3, 5});
}

TEST(StopMatcher, WholeCharactersStayWhole) {
  StopMatcher matcher({"\xC3\xA4\xE2\x82\xAC", "\xC3\xA4x"});  // two beginnings with one character
  std::string out;
  for (const std::string_view character :
       {"\xC3\xA4", "\xC3\xA4", "\xE2\x82\xAF", "\xC3\xA4", "\xC3\xB6", "a"}) {
    EXPECT_FALSE(matcher.feed(character, out));
    EXPECT_EQ(find_broken_utf8(out), std::string::npos);
  }
  EXPECT_EQ(out,
            "\xC3\xA4\xC3\xA4\xE2\x82\xAF\xC3\xA4\xC3\xB6"
            "a");
}

TEST(StopMatcher, ACopyIsACheckpoint) {
  StopMatcher matcher({"stop"});
  std::string out, other;
  matcher.feed("a st", out);
  StopMatcher copy = matcher;
  EXPECT_TRUE(matcher.feed("op", out));
  EXPECT_EQ(out, "a ");
  EXPECT_FALSE(copy.feed("ate", other));
  EXPECT_EQ(other, "state");
}

TEST(StopMatcher, BadStopStrings) {
  EXPECT_THROW(StopMatcher({"ok", ""}), Error);
  EXPECT_THROW(StopMatcher({"\xE2\x82"}), Error);
}

}  // namespace
}  // namespace braid
