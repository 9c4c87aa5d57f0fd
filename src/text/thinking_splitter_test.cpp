#include "text/thinking_splitter.h"

#include <gtest/gtest.h>

#include <vector>

namespace braid {
namespace {

AnswerText split(const std::vector<std::string>& pieces, bool begins_inside = false) {
  ThinkingSplitter splitter(begins_inside);
  AnswerText out;
  for (const std::string& piece : pieces) splitter.feed(piece, out);
  splitter.finish(out);
  EXPECT_EQ(splitter.held_bytes(), 0u);
  return out;
}

struct Case {
  std::string answer;
  bool begins_inside;
  AnswerText expected;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> kCases = {
      {"Hello.", false, {"", "Hello."}},
      {"\n Hello.\n", false, {"", "\n Hello.\n"}},
      {"<think>\nA\n\nB\n</think>\n\nC\n", false, {"A\n\nB", "C\n"}},
      {" \n<think>A</think>C", false, {"A", "C"}},
      {"A\r\n</think>\r\nC", true, {"A", "C"}},
      {"\n\n</think>\n\nC", true, {"", "C"}},
      {"\n\n  A  \n</think>  C", true, {"  A  ", "  C"}},
      {"A <think> B </th </think>C</think>D<think>",
       true,
       {"A <think> B </th ", "C</think>D<think>"}},
      {"A</think></think>", true, {"A", "</think>"}},
      {"A</thin", true, {"A</thin", ""}},
      {"A\n\n", true, {"A", ""}},
      {"\n\n", true, {"", ""}},
      {"A</think>\n\n", true, {"A", ""}},
      {"<thin", false, {"", "<thin"}},
      {"<thinking>", false, {"", "<thinking>"}},
      {"see <think>x</think>", false, {"", "see <think>x</think>"}},
      {"<</think>", true, {"<", ""}},
      {"<think>", false, {"", ""}},
      {"", false, {"", ""}},
      {"\n ", false, {"", "\n "}},
  };
  return kCases;
}

TEST(ThinkingSplitter, PartsAnAnswer) {
  for (const Case& c : cases())
    EXPECT_EQ(split({c.answer}, c.begins_inside), c.expected) << c.answer;
}

TEST(ThinkingSplitter, CutsMakeNoDifference) {
  for (const Case& c : cases()) {
    for (size_t i = 0; i <= c.answer.size(); ++i) {
      for (size_t j = i; j <= c.answer.size(); ++j) {
        EXPECT_EQ(split({c.answer.substr(0, i), c.answer.substr(i, j - i), c.answer.substr(j)},
                        c.begins_inside),
                  c.expected)
            << c.answer << " cut at " << i << " and " << j;
      }
    }
    std::vector<std::string> bytes;
    for (const char byte : c.answer) bytes.emplace_back(1, byte);
    EXPECT_EQ(split(bytes, c.begins_inside), c.expected) << c.answer;
  }
}

TEST(ThinkingSplitter, HoldsBackOnlyWhatMayBeATag) {
  ThinkingSplitter splitter(true);
  AnswerText out;
  splitter.feed("The\n", out);
  EXPECT_EQ(out, (AnswerText{"The", ""}));
  splitter.feed("fox <", out);
  EXPECT_EQ(out, (AnswerText{"The\nfox ", ""}));
  splitter.feed("b></think", out);
  EXPECT_EQ(out, (AnswerText{"The\nfox <b>", ""}));
  EXPECT_TRUE(splitter.thinking());
  splitter.feed(">\n\nHi", out);
  EXPECT_EQ(out, (AnswerText{"The\nfox <b>", "Hi"}));
  EXPECT_FALSE(splitter.thinking());
  splitter.feed(" </thin", out);
  EXPECT_EQ(out.content, "Hi </thin");
}

TEST(ThinkingSplitter, SeesWhetherAPromptOpensIt) {
  EXPECT_TRUE(prompt_opens_thinking("<|im_start|>assistant\n<think>\n"));
  EXPECT_TRUE(prompt_opens_thinking("<|im_start|>assistant\n<think>"));
  EXPECT_FALSE(prompt_opens_thinking("<|im_start|>assistant\n<think>\n\n</think>\n\n"));
  EXPECT_FALSE(prompt_opens_thinking("<|im_start|>assistant\n"));
  EXPECT_FALSE(prompt_opens_thinking("\n"));
  EXPECT_FALSE(prompt_opens_thinking(""));
}

}  // namespace
}  // namespace braid
