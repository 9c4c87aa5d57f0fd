#include "server/answer_reader.h"

#include "format/open.h"
#include "text/model_text.h"

#include <gtest/gtest.h>

#include <cmath>

namespace braid {
namespace {

// Tokens of the demo's vocabulary, among them ones that cut characters.
class AnswerReaderTest : public testing::Test {
 protected:
  AnswerReaderTest()
      : text_(read_model_text(*open_model_file(BRAID_TEST_DATA "/../../assets/braid-demo.gguf"))),
        tokenizer_(text_.vocabulary),
        logits_(static_cast<size_t>(tokenizer_.n_tokens()) + 3, 0.0f) {
    options_.n_tokens = tokenizer_.n_tokens();
  }

  // Reads the text and checks what does not depend on how it is cut.
  AnswerPiece read(const std::string& text) {
    AnswerReader reader(tokenizer_, options_);
    AnswerPiece all;
    pieces_ = 0;
    thinking_ = 0;
    bool goes_on = true;
    for (const int32_t id : tokenizer_.encode(text, {.parse_special = true})) {
      AnswerPiece piece;
      goes_on = reader.token(id, logits_, piece);
      pieces_ += !piece.empty();
      add(piece, all);
      if (!goes_on) break;
    }
    AnswerPiece piece;
    reader.finish(piece);
    add(piece, all);
    stopped_by_ = reader.stopped_by();
    thinking_ = reader.thinking_tokens();
    EXPECT_EQ(goes_on, stopped_by_.empty() && !reader.outdented());
    return all;
  }
  static void add(const AnswerPiece& piece, AnswerPiece& all) {
    all.thinking += piece.thinking;
    all.content += piece.content;
    all.notes.insert(all.notes.end(), piece.notes.begin(), piece.notes.end());
  }
  std::string noted(const AnswerPiece& piece) const {
    std::string text;
    for (const NotedToken& note : piece.notes) text += tokenizer_.bytes(note.id);
    return text;
  }

  ModelText text_;
  Tokenizer tokenizer_;
  std::vector<float> logits_;
  ReaderOptions options_;
  std::string stopped_by_;
  int pieces_ = 0;
  int64_t thinking_ = 0;
};

TEST_F(AnswerReaderTest, PartsThoughtsFromContent) {
  options_.begins_thinking = true;
  options_.logprobs = 2;
  const AnswerPiece piece = read("I wonder.\n</think>\n\nIt is Tuesday.");
  EXPECT_EQ(piece.thinking, "I wonder.");
  EXPECT_EQ(piece.content, "It is Tuesday.");
  EXPECT_EQ(noted(piece), "It is Tuesday.");
  EXPECT_GT(pieces_, 3);
  EXPECT_EQ(thinking_,
            static_cast<int64_t>(
                tokenizer_.encode("I wonder.\n</think>", {.parse_special = true}).size()));
  EXPECT_EQ(read("cut short").thinking, "cut short");
  options_.begins_thinking = false;
  EXPECT_EQ(read("<think>\nyes\n</think>\nno").thinking, "yes");
  EXPECT_EQ(read("no <think>thoughts").content, "no <think>thoughts");
  EXPECT_EQ(thinking_, 0);
  options_.splits_thinking = false;
  EXPECT_EQ(read("<think>\nyes").content, "<think>\nyes");
}

TEST_F(AnswerReaderTest, NotesHaveTheTokensOfTheContentAndWhereTheyBegin) {
  options_.logprobs = 0;
  const AnswerPiece piece = read("Grüße 😀 end");
  EXPECT_EQ(piece.content, "Grüße 😀 end");
  EXPECT_EQ(noted(piece), piece.content);
  for (const NotedToken& note : piece.notes) {
    EXPECT_NEAR(note.logprob, -std::log(tokenizer_.n_tokens()), 1e-9);
    EXPECT_EQ(note.characters_before, characters_of(piece.content.substr(0, note.begins)));
  }
  EXPECT_EQ(piece.notes.back().characters_before + 4, characters_of(piece.content));
  // A character of several tokens begins where the first of them does.
  const auto smiley = tokenizer_.encode("😀");
  ASSERT_GT(smiley.size(), 1u);
  EXPECT_EQ(piece.notes[piece.notes.size() - 2].begins, piece.notes[piece.notes.size() - 3].begins);
}

TEST_F(AnswerReaderTest, CharactersAreWholeAndControlTokensHaveNoText) {
  const auto smiley = tokenizer_.encode("a😀");
  AnswerReader reader(tokenizer_, options_);
  AnswerPiece piece;
  for (size_t i = 0; i + 1 < smiley.size(); ++i) reader.token(smiley[i], {}, piece);
  EXPECT_EQ(piece.content, "a");
  reader.finish(piece);
  EXPECT_EQ(piece.content, "a\xEF\xBF\xBD");
  EXPECT_EQ(read("a<|im_end|>b").content, "ab");
}

TEST_F(AnswerReaderTest, StopStringsEndTheContentAndAreNeverSeen) {
  options_.stops = {"STOP now", "never"};
  options_.logprobs = 1;
  const AnswerPiece piece = read("go on, STOP it, STOP now please");
  EXPECT_EQ(piece.content, "go on, STOP it, ");
  EXPECT_EQ(stopped_by_, "STOP now");
  ASSERT_FALSE(piece.notes.empty());
  EXPECT_LT(piece.notes.back().begins, piece.content.size());
  EXPECT_TRUE(noted(piece).starts_with(piece.content)) << noted(piece);
  options_.stops = {","};
  EXPECT_EQ(noted(read("So, then")), "So");
  options_.stops = {"STOP now", "never"};
  EXPECT_EQ(read("it is nev").content, "it is nev");
  EXPECT_EQ(noted(read("it is nev")), "it is nev");
  // Thoughts are not the answer.
  options_.begins_thinking = true;
  EXPECT_EQ(read("STOP now\n</think>\n\nneverland").thinking, "STOP now");
  EXPECT_EQ(stopped_by_, "never");
}

TEST_F(AnswerReaderTest, ALineThatStandsTooFarLeftEndsTheContent) {
  options_.splits_thinking = false;
  options_.indent = 2;
  options_.stops = {"wharf", "be"};
  EXPECT_EQ(read("if a:\n  go\n\n   wh\nend").content, "if a:\n  go\n\n   wh");
  EXPECT_EQ(stopped_by_, "");
  EXPECT_EQ(read("if a:\n  wharf\nend").content, "if a:\n  ");
  EXPECT_EQ(stopped_by_, "wharf");
  EXPECT_EQ(read("if a:\n  go\n ").content, "if a:\n  go\n ");
}

}  // namespace
}  // namespace braid
