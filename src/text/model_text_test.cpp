#include "text/model_text.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "format/gguf_writer.h"
#include "format/open.h"
#include "text/test_tokenizer_json.h"
#include "text/tokenizer.h"

namespace braid {
namespace {

using nlohmann::json;
using Ids = std::vector<int32_t>;

// A folder with the small tokenizer.json, <|endoftext|> as 260 beside it, and more files.
class ModelTextOfAFolder : public testing::Test {
 protected:
  void SetUp() override {
    json tokenizer = test::small_tokenizer_json();
    tokenizer["added_tokens"].push_back(test::added_token(260, "<|endoftext|>", true));
    test::write_model_folder(folder_, tokenizer.dump());
  }
  ModelText read() const { return read_model_text(*open_model_file(folder_.path())); }

  test::TemporaryFolder folder_;
};

TEST_F(ModelTextOfAFolder, TokenizerAlone) {
  const ModelText text = read();
  EXPECT_EQ(Tokenizer(text.vocabulary).encode("the", {}), Ids{257});
  EXPECT_EQ(text.chat_template + text.bos_token + text.eos_token, "");
  EXPECT_FALSE(text.vocabulary.eos);
  EXPECT_EQ(text.end_ids, (Ids{258, 260}));
}

TEST_F(ModelTextOfAFolder, TokensAndTemplate) {
  folder_.write("tokenizer_config.json",
                R"({"bos_token": null, "eos_token": "<|im_end|>", "pad_token":
    {"content": "<|endoftext|>", "special": true}, "add_bos_token": false, "chat_template": "{{ x }}"})");
  folder_.write("generation_config.json", R"({"eos_token_id": [260, 258], "temperature": 0.7})");
  const ModelText text = read();
  EXPECT_EQ(text.bos_token, "");
  EXPECT_EQ(text.eos_token, "<|im_end|>");
  EXPECT_EQ(text.vocabulary.eos, 258);
  EXPECT_EQ(text.vocabulary.padding, 260);
  EXPECT_FALSE(text.vocabulary.bos || text.vocabulary.add_bos);
  EXPECT_EQ(text.end_ids, (Ids{258, 260}));
  EXPECT_EQ(text.template_named(""), "{{ x }}");
}

TEST_F(ModelTextOfAFolder, BosIsAddedWhereTheConfigSaysSo) {
  folder_.write("tokenizer_config.json",
                R"({"bos_token": "<|endoftext|>", "add_bos_token": true})");
  const ModelText text = read();
  EXPECT_EQ(text.bos_token, "<|endoftext|>");
  EXPECT_EQ(Tokenizer(text.vocabulary).encode("he", {.add_special = true}), (Ids{260, 256}));
}

TEST_F(ModelTextOfAFolder, EndsComeFromTheModelsConfigWhereThereIsNoOther) {
  folder_.write("config.json", R"({"model_type": "qwen3_next", "eos_token_id": 259})");
  ModelText text = read();
  EXPECT_EQ(text.end_ids, (Ids{259, 258, 260}));
  EXPECT_EQ(text.vocabulary.eos, 259);
  EXPECT_EQ(text.eos_token, "<think>");
  folder_.write("generation_config.json", R"({"eos_token_id": 260})");
  text = read();
  EXPECT_EQ(text.end_ids, (Ids{260, 258}));
}

TEST_F(ModelTextOfAFolder, TemplatesOfSeveralNames) {
  folder_.write("tokenizer_config.json", R"({"chat_template": [{"name": "rag", "template": "r"},
    {"name": "default", "template": "d"}, {"name": "tool_use", "template": "t"}]})");
  ModelText text = read();
  EXPECT_EQ(text.template_named("default"), "d");
  EXPECT_EQ(text.template_named("tool_use"), "t");
  EXPECT_EQ(text.template_named("rag"), "r");
  EXPECT_NE(test::error_of([&] {
              text.template_named("none\n");
            }).find("no chat template is named 'none\\x0a'; the model has default, rag, tool_use"),
            std::string::npos);
  folder_.write("chat_template.jinja", "newer\n");
  text = read();
  EXPECT_EQ(text.chat_template, "newer\n");
  EXPECT_EQ(text.other_templates.size(), 2u);
}

TEST_F(ModelTextOfAFolder, AFileOfTheFolderStandsForIt) {
  const auto file = open_model_file(folder_ / "model.safetensors");
  EXPECT_EQ(read_model_text(*file).vocabulary.tokens.size(), 261u);
}

// The keys of a GGUF, all strings as they are.
class ModelTextOfAGguf : public testing::Test {
 protected:
  ModelText read() {
    const Vocabulary small = test_vocabulary({"h e"});
    std::vector<std::string> tokens = small.tokens;
    tokens.insert(tokens.end(), {"<|im_end|>", "<|endoftext|>", "<s>"});
    std::string list, types;
    for (size_t i = 0; i < tokens.size(); ++i) {
      list += test::gguf_string(tokens[i]);
      types += test::le(int32_t{i < 257 ? 1 : 3});
    }
    file_.key("tokenizer.ggml.model", 8, test::gguf_string("gpt2"));
    file_.key("tokenizer.ggml.pre", 8, test::gguf_string("qwen35"));
    file_.array("tokenizer.ggml.tokens", 8, tokens.size(), list);
    file_.array("tokenizer.ggml.token_type", 5, tokens.size(), types);
    file_.array("tokenizer.ggml.merges", 8, 1, test::gguf_string("h e"));
    const std::string path = folder_.write("m.gguf", file_.build());
    return read_model_text(*open_model_file(path));
  }

  test::TemporaryFolder folder_;
  test::RawGguf file_;
};

TEST_F(ModelTextOfAGguf, TokensAndTemplates) {
  file_.key("tokenizer.ggml.bos_token_id", 4, test::le(uint32_t{259}));
  file_.key("tokenizer.ggml.eos_token_id", 4, test::le(uint32_t{257}));
  file_.key("tokenizer.chat_template", 8, test::gguf_string("main"));
  file_.key("tokenizer.chat_template.tool_use", 8, test::gguf_string("tools"));
  file_.array("tokenizer.chat_templates", 8, 1, test::gguf_string("tool_use"));
  file_.key("tokenizer.chat_template_of_old", 8, test::gguf_string("old"));
  const ModelText text = read();
  EXPECT_EQ(text.bos_token, "<s>");
  EXPECT_EQ(text.eos_token, "<|im_end|>");
  EXPECT_EQ(text.end_ids, (Ids{257, 258}));
  EXPECT_EQ(text.chat_template, "main");
  ASSERT_EQ(text.other_templates.size(), 1u);
  EXPECT_EQ(text.template_named("tool_use"), "tools");
  EXPECT_EQ(Tokenizer(text.vocabulary).encode("he", {}), Ids{256});
}

TEST_F(ModelTextOfAGguf, NothingButTokens) {
  const ModelText text = read();
  EXPECT_EQ(text.bos_token + text.eos_token + text.chat_template, "");
  EXPECT_EQ(text.end_ids, (Ids{257, 258}));
}

}  // namespace
}  // namespace braid
