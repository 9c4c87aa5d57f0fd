// Equality with Hugging Face `tokenizers`, by the vectors of scripts/make_tokenizer_vectors.py.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace braid {
namespace {

using Ids = std::vector<int32_t>;

class TokenizerVectors : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string path = std::string(BRAID_TEST_DATA "/tokenizer/") + GetParam() + ".json";
    std::ifstream in(path);
    ASSERT_TRUE(in) << path;
    data_ = nlohmann::json::parse(in);
    vocabulary_.source = path;
    vocabulary_.pretokenizer = data_.at("pre");
    vocabulary_.tokens = data_.at("tokens").get<std::vector<std::string>>();
    for (const int32_t type : data_.at("types")) vocabulary_.types.push_back(TokenType{type});
    vocabulary_.merges = data_.at("merges").get<std::vector<std::string>>();
    ASSERT_GE(data_.at("cases").size(), 300u);
  }

  nlohmann::json data_;
  Vocabulary vocabulary_;
};

TEST_P(TokenizerVectors, SameIds) {
  const Tokenizer tokenizer(vocabulary_);
  for (const auto& one : data_.at("cases")) {
    const std::string text = one.at("text");
    const Ids expected = one.at("ids");
    EXPECT_EQ(tokenizer.encode(text, {.parse_special = true}), expected) << text;
    EXPECT_EQ(tokenizer.encode(text), one.value("plain", expected)) << text;
    EXPECT_EQ(tokenizer.decode(expected), text);
  }
}

TEST_P(TokenizerVectors, SameIdsWithNfc) {
  vocabulary_.normalize_nfc = true;
  const Tokenizer tokenizer(vocabulary_);
  size_t changed = 0;
  for (const auto& one : data_.at("cases")) {
    const std::string text = one.at("text");
    const Ids expected = one.at("ids");
    EXPECT_EQ(tokenizer.encode(text, {.parse_special = true}), one.value("nfc", expected)) << text;
    changed += one.contains("nfc");
  }
  EXPECT_GE(changed, 20u);
}

INSTANTIATE_TEST_SUITE_P(Pretokenizers, TokenizerVectors, testing::Values("qwen2", "qwen35"),
                         [](const auto& one) { return std::string(one.param); });

}  // namespace
}  // namespace braid
