#include "text/token_tables.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>

#include "base/check.h"
#include "text/test_vocabulary.h"

namespace braid {
namespace {

std::string error_of(const Vocabulary& vocabulary) {
  try {
    build_token_tables(vocabulary);
    return "no error";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(TokenTables, BytesOfEachType) {
  Vocabulary vocabulary = test_vocabulary({"\u0120 a"});
  const int32_t control = add_token(vocabulary, "\u0120x", TokenType::kControl);
  const int32_t user = add_token(vocabulary, "a b\n", TokenType::kUserDefined);
  const int32_t byte = add_token(vocabulary, "<0x0A>", TokenType::kByte);
  const int32_t plain = add_token(vocabulary, "no letters: \u4e2d", TokenType::kNormal);
  const int32_t unused = add_token(vocabulary, "[PAD7]", TokenType::kUnused);
  const TokenTables tables = build_token_tables(vocabulary);
  EXPECT_EQ(tables.bytes_of(0xE4), "\xE4");
  EXPECT_EQ(tables.bytes_of(256), " a");
  EXPECT_EQ(tables.bytes_of(control), "\u0120x");
  EXPECT_EQ(tables.bytes_of(user), "a b\n");
  EXPECT_EQ(tables.bytes_of(byte), "\n");
  EXPECT_EQ(tables.bytes_of(plain), "no letters: \u4e2d");
  EXPECT_EQ(tables.bytes_of(unused), "[PAD7]");
}

TEST(TokenTables, MergesByIds) {
  const TokenTables tables = build_token_tables(test_vocabulary({"t h", "th e", "h e"}));
  ASSERT_NE(tables.merges.find('t', 'h'), nullptr);
  EXPECT_EQ(tables.merges.find(256, 'e')->result, 257);
  EXPECT_EQ(tables.merges.find(256, 'e')->rank, 1u);
  EXPECT_EQ(tables.merges.find('h', 't'), nullptr);
}

TEST(TokenTables, TheFirstPlaceOfAMergeCounts) {
  Vocabulary vocabulary = test_vocabulary({"t h", "h e"});
  vocabulary.merges.push_back("t h");
  EXPECT_EQ(build_token_tables(vocabulary).merges.find('t', 'h')->rank, 0u);
}

TEST(TokenTables, AByteTokenStandsInForAMissingLetter) {
  Vocabulary vocabulary = test_vocabulary({});
  vocabulary.tokens['\n'] = std::string("<0x0A>");
  vocabulary.types['\n'] = TokenType::kByte;
  EXPECT_EQ(build_token_tables(vocabulary).byte_ids['\n'], '\n');
}

TEST(TokenTables, EmptyTokensAreHarmless) {
  Vocabulary vocabulary = test_vocabulary({});
  add_token(vocabulary, "", TokenType::kNormal);
  add_token(vocabulary, "", TokenType::kControl);
  EXPECT_EQ(error_of(vocabulary), "no error");
}

TEST(TokenTables, ContradictionsAreNamed) {
  struct Case {
    const char* expected;
    std::function<void(Vocabulary&)> spoil;
  };
  const Case cases[] = {
      {"has no tokens", [](Vocabulary& v) { v.tokens.clear(); }},
      {"256 token types for 257 tokens", [](Vocabulary& v) { v.types.pop_back(); }},
      {"token 5 has the type 99", [](Vocabulary& v) { v.types[5] = TokenType{99}; }},
      {"token 5 has the type 0", [](Vocabulary& v) { v.types[5] = TokenType{0}; }},
      {"tokens 65 and 66 have the same text 'A'",
       [](Vocabulary& v) { v.tokens[66] = v.tokens[65]; }},
      {"no token stands for the byte 0x41", [](Vocabulary& v) { v.tokens[65].append("AA"); }},
      {"no token stands for the byte 0x20",
       [](Vocabulary& v) { v.types[' '] = TokenType::kControl; }},
      {"merge 1 is 'x', expected two", [](Vocabulary& v) { v.merges.push_back("x"); }},
      {"merge 1 is 'x ', expected two", [](Vocabulary& v) { v.merges.push_back("x "); }},
      {"merge 1 is ' x', expected two", [](Vocabulary& v) { v.merges.push_back(" x"); }},
      {"merge 1 is '', expected two", [](Vocabulary& v) { v.merges.push_back(""); }},
      {"merge 1 is 'q zz', but 'zz' is not", [](Vocabulary& v) { v.merges.push_back("q zz"); }},
      {"merge 1 is 'q z', but 'qz' is not", [](Vocabulary& v) { v.merges.push_back("q z"); }},
      {"which stands for '\u0120a'",
       [](Vocabulary& v) {
         add_token(v, "\u0120a", TokenType::kControl);
         v.merges.push_back("\u0120 a");
       }},
      {"the eos token is 257, but the 257 tokens are 0 to 256", [](Vocabulary& v) { v.eos = 257; }},
      {"the bos token is -1", [](Vocabulary& v) { v.bos = -1; }},
      {"a bos token is to be added", [](Vocabulary& v) { v.add_bos = true; }},
      {"an eos token is to be added", [](Vocabulary& v) { v.add_eos = true; }},
      {"has the type of a byte and the text '<0x0G>'",
       [](Vocabulary& v) { add_token(v, "<0x0G>", TokenType::kByte); }},
      {"has 513 bytes, at most 512",
       [](Vocabulary& v) { add_token(v, std::string(513, '<'), TokenType::kControl); }},
  };
  for (const Case& c : cases) {
    Vocabulary vocabulary = test_vocabulary({"t h"});
    c.spoil(vocabulary);
    const std::string error = error_of(vocabulary);
    EXPECT_NE(error.find(c.expected), std::string::npos) << "wanted " << c.expected << "\n"
                                                         << error;
    EXPECT_TRUE(error.starts_with("test.gguf: ")) << error;
  }
}

}  // namespace
}  // namespace braid
