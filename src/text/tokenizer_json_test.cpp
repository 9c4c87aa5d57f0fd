#include "text/tokenizer_json.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "text/test_tokenizer_json.h"
#include "text/tokenizer.h"

namespace braid {
namespace {

using nlohmann::json;
using Ids = std::vector<int32_t>;

Ids encode(const json& file, std::string_view text, bool special = true) {
  return Tokenizer(parse_tokenizer_json("tokenizer.json", file))
      .encode(text, {.add_special = true, .parse_special = special});
}

TEST(TokenizerJson, IsReadWhole) {
  const Vocabulary read = parse_tokenizer_json("tokenizer.json", test::small_tokenizer_json());
  EXPECT_EQ(read.source, "tokenizer.json");
  EXPECT_EQ(read.pretokenizer, "qwen2");
  EXPECT_TRUE(read.normalize_nfc);
  EXPECT_EQ(read.tokens.size(), 260u);
  EXPECT_EQ(read.tokens[257], "the");
  EXPECT_EQ(read.types[257], TokenType::kNormal);
  EXPECT_EQ(read.types[258], TokenType::kControl);
  EXPECT_EQ(read.types[259], TokenType::kUserDefined);
  EXPECT_EQ(read.merges, (std::vector<std::string>{"h e", "t he"}));
  EXPECT_TRUE(read.matches.empty());
  EXPECT_FALSE(read.add_bos || read.add_eos || read.bos || read.eos || read.padding);
}

TEST(TokenizerJson, Encodes) {
  const json file = test::small_tokenizer_json();
  EXPECT_EQ(encode(file, "the<|im_end|><think>he"), (Ids{257, 258, 259, 256}));
  EXPECT_EQ(encode(file, "<|im_end|>", false).size(), 10u);
  EXPECT_EQ(encode(file, "<think>", false), Ids{259});
  EXPECT_EQ(encode(file, "e\u0301"), encode(file, "\u00e9"));
}

TEST(TokenizerJson, MergesAreStringsOrPairs) {
  json file = test::small_tokenizer_json();
  file["model"]["merges"] = json::array({{"h", "e"}, {"t", "he"}});
  EXPECT_EQ(encode(file, "the"), Ids{257});
  file["model"]["merges"] = {"#version: 0.2", "h e"};
  EXPECT_EQ(encode(file, "the"), (Ids{'t', 256}));
}

TEST(TokenizerJson, NormalizerIsNfcOrNone) {
  json file = test::small_tokenizer_json();
  for (const json& none :
       {json(nullptr), json{{"type", "Sequence"}, {"normalizers", json::array()}}}) {
    file["normalizer"] = none;
    EXPECT_FALSE(parse_tokenizer_json("f", file).normalize_nfc);
  }
  file["normalizer"] = {{"type", "Sequence"}, {"normalizers", {{{"type", "NFC"}}}}};
  EXPECT_TRUE(parse_tokenizer_json("f", file).normalize_nfc);
  file.erase("normalizer");
  EXPECT_FALSE(parse_tokenizer_json("f", file).normalize_nfc);
}

TEST(TokenizerJson, AnAddedTokenMayBeInTheVocabularyToo) {
  json file = test::small_tokenizer_json();
  file["model"]["vocab"]["<|im_end|>"] = 258;
  EXPECT_EQ(encode(file, "<|im_end|>"), Ids{258});
  EXPECT_EQ(parse_tokenizer_json("f", file).types[258], TokenType::kControl);
}

TEST(TokenizerJson, IdsWithoutATokenAreUnused) {
  json file = test::small_tokenizer_json();
  file["added_tokens"][1]["id"] = 300;
  const Vocabulary read = parse_tokenizer_json("f", file);
  EXPECT_EQ(read.tokens.size(), 301u);
  EXPECT_EQ(read.types[259], TokenType::kUnused);
  EXPECT_EQ(encode(file, "<think>"), Ids{300});
}

TEST(TokenizerJson, AddedTokensMayTakeWhiteSpaceAlong) {
  json file = test::small_tokenizer_json();
  file["added_tokens"][0]["lstrip"] = true;
  file["added_tokens"][1]["rstrip"] = true;
  EXPECT_EQ(encode(file, "t \n<|im_end|> he"), encode(file, "t<|im_end|> he"));
  EXPECT_EQ(encode(file, "a<think> \n\u00a0he"), encode(file, "a<think>he"));
  EXPECT_NE(encode(file, "a <think>he"), encode(file, "a<think>he"));
}

TEST(TokenizerJson, AddedTokensMayBeFoundInTheNormalisedText) {
  json file = test::small_tokenizer_json();
  file["added_tokens"][1]["content"] = "<\u00e9>";
  EXPECT_NE(encode(file, "<e\u0301>"), Ids{259});
  file["added_tokens"][1]["normalized"] = true;
  EXPECT_EQ(encode(file, "<e\u0301>"), Ids{259});
  EXPECT_EQ(encode(file, "<\u00e9>"), Ids{259});
  file["added_tokens"][1]["content"] = "<e\u0301>";
  EXPECT_EQ(encode(file, "<\u00e9>he"), (Ids{259, 256}));
  // What is found in the text as it is comes first, wherever it begins.
  file["added_tokens"][1]["content"] = "x<|im_";
  EXPECT_EQ(encode(file, "x<|im_end|>"), (Ids{'x', 258}));
  EXPECT_EQ(encode(file, "x<|im_"), Ids{259});
}

TEST(TokenizerJson, PostProcessorsAddAFirstAndALastToken) {
  json file = test::small_tokenizer_json();
  const auto special = [](const char* id) {
    return json{{"SpecialToken", {{"id", id}, {"type_id", 0}}}};
  };
  const json sequence = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  json post = {{"type", "TemplateProcessing"},
               {"single", {special("<|im_end|>"), sequence}},
               {"special_tokens", {{"<|im_end|>", {{"id", "<|im_end|>"}, {"ids", {258}}}}}}};
  file["post_processor"] = post;
  EXPECT_EQ(encode(file, "he"), (Ids{258, 256}));
  post["single"] = json::array({sequence, special("<|im_end|>")});
  file["post_processor"] = {{"type", "Sequence"}, {"processors", {{{"type", "ByteLevel"}}, post}}};
  EXPECT_EQ(encode(file, "he"), (Ids{256, 258}));
  post["single"] = json::array({sequence});
  file["post_processor"] = post;
  EXPECT_EQ(encode(file, "he"), Ids{256});
}

}  // namespace
}  // namespace braid
