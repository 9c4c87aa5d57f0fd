#include "text/vocabulary.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "base/check.h"
#include "format/metadata.h"

namespace braid {
namespace {

TEST(ByteLetters, AreTheAlphabetOfGpt2) {
  EXPECT_EQ(byte_letters()[' '], "\u0120");
  EXPECT_EQ(byte_letters()['\n'], "\u010a");
  EXPECT_EQ(byte_letters()[0], "\u0100");
  EXPECT_EQ(byte_letters()['!'], "!");
  EXPECT_EQ(byte_letters()[0x7f], "\u0121");
  EXPECT_EQ(byte_letters()[0xad], "\u0143");
  EXPECT_EQ(byte_letters()[0xff], "\u00ff");
  EXPECT_EQ(std::set<std::string>(byte_letters().begin(), byte_letters().end()).size(), 256u);
}

TEST(ByteLetters, GoBackToTheirBytes) {
  std::string letters;
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) {
    letters += byte_letters()[byte];
    bytes += static_cast<char>(byte);
  }
  EXPECT_EQ(letters_to_bytes(letters), bytes);
  EXPECT_EQ(letters_to_bytes(""), "");
}

TEST(ByteLetters, OthersAreNone) {
  for (const char* other : {" ", "a b", "\n", "\u0144", "\u00ad", "\u4e2d", "\xff", "\U0001f642"}) {
    EXPECT_FALSE(letters_to_bytes(other)) << other;
  }
}

// Metadata made by hand; the numbers lie in `storage`.
class ReadVocabulary : public testing::Test {
 protected:
  void add_string(std::string_view key, std::string_view value) {
    MetaEntry entry;
    entry.key = key;
    entry.type = MetaType::String;
    entry.strings = {value};
    entries_.push_back(entry);
  }
  void add_strings(std::string_view key, std::vector<std::string_view> values) {
    MetaEntry entry;
    entry.key = key;
    entry.type = MetaType::String;
    entry.is_array = true;
    entry.count = values.size();
    entry.strings = std::move(values);
    entries_.push_back(entry);
  }
  template <class T>
  void add_numbers(std::string_view key, MetaType type, const std::vector<T>& values, bool array) {
    storage_.emplace_back(values.size() * sizeof(T));
    std::memcpy(storage_.back().data(), values.data(), storage_.back().size());
    MetaEntry entry;
    entry.key = key;
    entry.type = type;
    entry.is_array = array;
    entry.count = values.size();
    entry.bytes = storage_.back();
    entries_.push_back(entry);
  }
  void add_required(std::string_view model = "gpt2") {
    add_string("tokenizer.ggml.model", model);
    add_string("tokenizer.ggml.pre", "qwen35");
    add_strings("tokenizer.ggml.tokens", {"a", "b", "ab", "<s>"});
    add_strings("tokenizer.ggml.merges", {"a b"});
  }
  Vocabulary read() { return read_vocabulary(Metadata("m.gguf", entries_), "m.gguf"); }

  std::vector<MetaEntry> entries_;
  std::vector<std::vector<std::byte>> storage_;
};

TEST_F(ReadVocabulary, TakesAllKeys) {
  add_required();
  add_numbers<int32_t>("tokenizer.ggml.token_type", MetaType::I32, {1, 1, 1, 3}, true);
  add_numbers<uint32_t>("tokenizer.ggml.bos_token_id", MetaType::U32, {3}, false);
  add_numbers<uint32_t>("tokenizer.ggml.eos_token_id", MetaType::U32, {2}, false);
  add_numbers<uint32_t>("tokenizer.ggml.padding_token_id", MetaType::U32, {1}, false);
  add_numbers<uint8_t>("tokenizer.ggml.add_bos_token", MetaType::Bool, {1}, false);
  const Vocabulary vocabulary = read();
  EXPECT_EQ(vocabulary.source, "m.gguf");
  EXPECT_EQ(vocabulary.pretokenizer, "qwen35");
  EXPECT_EQ(vocabulary.tokens, (std::vector<std::string>{"a", "b", "ab", "<s>"}));
  EXPECT_EQ(vocabulary.types[3], TokenType::kControl);
  EXPECT_EQ(vocabulary.merges, std::vector<std::string>{"a b"});
  EXPECT_EQ(vocabulary.bos, 3);
  EXPECT_EQ(vocabulary.eos, 2);
  EXPECT_EQ(vocabulary.eot, std::nullopt);
  EXPECT_EQ(vocabulary.padding, 1);
  EXPECT_TRUE(vocabulary.add_bos);
  EXPECT_FALSE(vocabulary.add_eos);
  EXPECT_FALSE(vocabulary.normalize_nfc);
}

TEST_F(ReadVocabulary, OnlyTokensMergesAndNamesAreRequired) {
  add_required();
  const Vocabulary vocabulary = read();
  EXPECT_TRUE(vocabulary.types.empty());
  EXPECT_FALSE(vocabulary.add_bos);
}

TEST_F(ReadVocabulary, AnotherKindOfTokenizerIsRefusedByName) {
  add_required("llama");
  try {
    read();
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("m.gguf: tokenizer.ggml.model is 'llama'"),
              std::string::npos)
        << error.what();
  }
}

TEST_F(ReadVocabulary, AFileWithoutOneIsAnError) { EXPECT_THROW(read(), Error); }

}  // namespace
}  // namespace braid
