#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <string>
#include <vector>

#include "base/check.h"
#include "text/test_vocabulary.h"

namespace braid {
namespace {

using Ids = std::vector<int32_t>;

// The definition, without any cleverness: join the first pair of the lowest rank until none is
// left.
Ids merge_slowly(const TokenTables& tables, std::string_view piece) {
  Ids ids;
  for (const char c : piece) ids.push_back(tables.byte_ids[static_cast<unsigned char>(c)]);
  for (;;) {
    const Merge* best = nullptr;
    size_t at = 0;
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      const Merge* merge = tables.merges.find(ids[i], ids[i + 1]);
      if (merge && (!best || merge->rank < best->rank)) {
        best = merge;
        at = i;
      }
    }
    if (!best) return ids;
    ids[at] = best->result;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
}

std::string random_bytes(std::mt19937& random, size_t size) {
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

TEST(Tokenizer, MergesByRankAndLeftmost) {
  const Tokenizer tokenizer(test_vocabulary({"b c", "a b", "a bc", "a a"}));
  EXPECT_EQ(tokenizer.encode("abc"), (Ids{258}));  // "b c" comes first
  EXPECT_EQ(tokenizer.encode("ab"), (Ids{257}));
  EXPECT_EQ(tokenizer.encode("aaa"), (Ids{259, 'a'}));  // the left pair
  EXPECT_EQ(tokenizer.encode("abab"), (Ids{257, 257}));
  EXPECT_EQ(tokenizer.encode(""), Ids{});
}

TEST(Tokenizer, NothingMergesAcrossPieces) {
  const Tokenizer tokenizer(test_vocabulary({"a \u0120", "\u0120 b", "1 2"}));
  EXPECT_EQ(tokenizer.encode("a b"), (Ids{'a', 257}));
  EXPECT_EQ(tokenizer.encode("12"), (Ids{'1', '2'}));
}

TEST(Tokenizer, AWholePieceIsNoShortCut) {
  // "abc" is a token, but no merge leads to it from "ab" + "c".
  Vocabulary vocabulary = test_vocabulary({"a b"});
  add_token(vocabulary, "abc", TokenType::kNormal);
  EXPECT_EQ(Tokenizer(vocabulary).encode("abc"), (Ids{256, 'c'}));
}

TEST(Tokenizer, LongAndShortPiecesFollowTheDefinition) {
  const Vocabulary vocabulary = test_vocabulary(
      {"a b", "b a", "ab ab", "a a", "aa b", "b b", "abab a", "aa aa", "bb ba", "ba ab", "aaaa a"});
  const Tokenizer tokenizer(vocabulary);
  const TokenTables tables = build_token_tables(vocabulary);
  std::mt19937 random(2);
  for (size_t length = 1; length < 200; ++length) {
    std::string piece;
    const auto odds = 1 + random() % 5;
    while (piece.size() < length) piece += random() % 6 < odds ? 'a' : 'b';
    EXPECT_EQ(tokenizer.encode(piece), merge_slowly(tables, piece)) << piece;
  }
}

TEST(Tokenizer, ControlTokensWhenAskedUserDefinedAlways) {
  Vocabulary vocabulary = test_vocabulary({});
  const int32_t end = add_token(vocabulary, "<e>", TokenType::kControl);
  const int32_t think = add_token(vocabulary, "<t>", TokenType::kUserDefined);
  const Tokenizer tokenizer(vocabulary);
  EXPECT_EQ(tokenizer.encode("a<e><t>", {.parse_special = true}), (Ids{'a', end, think}));
  EXPECT_EQ(tokenizer.encode("a<e><t>"), (Ids{'a', '<', 'e', '>', think}));
  EXPECT_TRUE(tokenizer.is_control(end));
  EXPECT_FALSE(tokenizer.is_control(think));
  EXPECT_EQ(tokenizer.decode(Ids{'a', end, think}), "a<e><t>");
  EXPECT_EQ(tokenizer.decode(Ids{'a', end, think}, ControlTokens::kSkip), "a<t>");
}

TEST(Tokenizer, AddsBosAndEosWhereTheVocabularySaysSo) {
  Vocabulary vocabulary = test_vocabulary({});
  vocabulary.bos = add_token(vocabulary, "<s>", TokenType::kControl);
  vocabulary.eos = add_token(vocabulary, "</s>", TokenType::kControl);
  EXPECT_EQ(Tokenizer(vocabulary).encode("a", {.add_special = true}), (Ids{'a'}));
  vocabulary.add_bos = true;
  EXPECT_EQ(Tokenizer(vocabulary).encode("a", {.add_special = true}), (Ids{256, 'a'}));
  EXPECT_EQ(Tokenizer(vocabulary).encode("a"), (Ids{'a'}));
  vocabulary.add_eos = true;
  EXPECT_EQ(Tokenizer(vocabulary).encode("a", {.add_special = true}), (Ids{256, 'a', 257}));
}

TEST(Tokenizer, NormalisesOnlyWhenTheVocabularyWantsIt) {
  Vocabulary vocabulary = test_vocabulary({}, "qwen35");
  EXPECT_EQ(Tokenizer(vocabulary).encode("e\u0301"), (Ids{'e', 0xCC, 0x81}));
  vocabulary.normalize_nfc = true;
  EXPECT_EQ(Tokenizer(vocabulary).encode("e\u0301"), (Ids{0xC3, 0xA9}));
}

TEST(Tokenizer, AnyBytesComeBack) {
  Vocabulary vocabulary = test_vocabulary({"t h", "th e", "\u0120 the", "\u00e4 \u00b8", "a a"});
  add_token(vocabulary, "<e>", TokenType::kControl);
  add_token(vocabulary, "<t>", TokenType::kUserDefined);
  std::mt19937 random(3);
  const char* parts[] = {"<e>", "<t>", " the ", "\u4e2d", "e\u0301", "\xE4\xB8", "<", "\n", "  "};
  for (const std::string_view name : pretokenizer_names()) {
    vocabulary.pretokenizer = name;
    const Tokenizer tokenizer(vocabulary);
    for (int round = 0; round < 500; ++round) {
      std::string text;
      for (auto i = random() % 12; i > 0; --i) {
        text +=
            random() % 2 ? random_bytes(random, random() % 20) : parts[random() % std::size(parts)];
      }
      for (const bool parse_special : {false, true}) {
        EXPECT_EQ(tokenizer.decode(tokenizer.encode(text, {.parse_special = parse_special})), text);
      }
    }
  }
}

TEST(Tokenizer, FiveMegabytesOfOneLetterTakeSeconds) {
  const Tokenizer tokenizer(test_vocabulary({"a a", "aa aa", "aaaa aaaa", "aaaaaaaa aaaaaaaa"}));
  const std::string text(5'000'000, 'a');
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(tokenizer.encode(text).size(), text.size() / 16);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

TEST(Tokenizer, TellsTheFewestIdsOfAText) {
  Vocabulary vocabulary = test_vocabulary({"t h"});
  const int32_t special = add_token(vocabulary, "<|a|>", TokenType::kControl);
  const Tokenizer tokenizer(vocabulary);
  EXPECT_EQ(tokenizer.least_ids(0), 0u);
  EXPECT_EQ(tokenizer.least_ids(5), 1u);
  EXPECT_EQ(tokenizer.least_ids(6), 2u);
  vocabulary.normalize_nfc = true;
  EXPECT_EQ(Tokenizer(vocabulary).least_ids(21), 2u);
  vocabulary.matches[special].strip_right = true;
  EXPECT_EQ(Tokenizer(vocabulary).least_ids(1000), 0u);
}

TEST(Tokenizer, AnIdOutsideTheVocabularyIsAnError) {
  const Tokenizer tokenizer(test_vocabulary({"t h"}));
  EXPECT_EQ(tokenizer.n_tokens(), 257);
  EXPECT_EQ(tokenizer.bytes(256), "th");
  EXPECT_THROW(tokenizer.bytes(257), Error);
  EXPECT_THROW(tokenizer.decode(Ids{-1}), Error);
  EXPECT_THROW(tokenizer.is_control(1 << 30), Error);
}

TEST(Tokenizer, AnUnknownPretokenizerNamesTheFile) {
  Vocabulary vocabulary = test_vocabulary({});
  vocabulary.pretokenizer = "gpt-9";
  try {
    Tokenizer tokenizer(vocabulary);
    FAIL();
  } catch (const Error& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with("test.gguf: ")) << error.what();
  }
}

}  // namespace
}  // namespace braid
