// The routes of llama-server beside its answers.
#include "server/api_test_support.h"

namespace braid {
namespace {

using test::Json;
using test::ServedDemo;

class LlamaApi : public testing::Test {
 protected:
  ServedDemo demo_;
};

TEST_F(LlamaApi, TextsBecomeTokensAndBack) {
  const std::string text = "Tidewell 😀 <|im_end|>";
  const Json tokens = demo_.ask("/tokenize", {{"content", text}})["tokens"];
  EXPECT_EQ(tokens, Json(demo_.tokenizer().encode(text, {.parse_special = true})));
  EXPECT_EQ(demo_.ask("/detokenize", {{"tokens", tokens}})["content"], text);
  const Json plain =
      demo_.ask("/tokenize", {{"content", text}, {"parse_special", false}})["tokens"];
  EXPECT_GT(plain.size(), tokens.size());
  const Json pieces = demo_.ask("/tokenize", {{"content", text}, {"with_pieces", true}})["tokens"];
  ASSERT_EQ(pieces.size(), tokens.size());
  bool bytes = false;
  for (size_t i = 0; i < pieces.size(); ++i) {
    EXPECT_EQ(pieces[i]["id"], tokens[i]);
    bytes |= pieces[i]["piece"].is_array();
  }
  EXPECT_TRUE(bytes);  // of the smiley
  EXPECT_EQ(pieces.back()["piece"], "<|im_end|>");
  EXPECT_EQ(demo_.ask("/detokenize", {{"tokens", Json::array()}})["content"], "");
  demo_.refusal("/tokenize", {{"content", 5}}, "content");
  demo_.refusal("/tokenize", Json::object(), "content");
  demo_.refusal("/tokenize", {{"content", std::string(2'000'001, 'a')}}, "content");
  demo_.refusal("/tokenize", {{"content", "a"}, {"add_bos", true}}, "add_bos");
  demo_.refusal("/detokenize", Json::object(), "tokens");
  demo_.refusal("/detokenize", {{"tokens", "abc"}}, "tokens");
  demo_.refusal("/detokenize", {{"tokens", Json::array({1, "a"})}}, "tokens");
  demo_.refusal("/detokenize", {{"tokens", Json::array({4096})}}, "tokens");
  // A long token again and again: its text would be many times the request.
  int32_t longest = 0;
  for (int32_t id = 0; id < demo_.tokenizer().n_tokens(); ++id)
    if (demo_.tokenizer().bytes(id).size() > demo_.tokenizer().bytes(longest).size()) longest = id;
  const size_t each = demo_.tokenizer().bytes(longest).size();
  const Json many = std::vector<int32_t>((16 << 20) / each + 1, longest);
  EXPECT_EQ(demo_.refusal("/detokenize", {{"tokens", many}}, "tokens"),
            "the text of these tokens has more than 16777216 bytes");
}

TEST_F(LlamaApi, TheTemplateIsApplied) {
  Json body = {{"messages", Json::array({{{"role", "user"}, {"content", "Hi"}}})}};
  EXPECT_EQ(demo_.ask("/apply-template", body)["prompt"],
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n");
  body["enable_thinking"] = false;
  EXPECT_EQ(demo_.ask("/apply-template", body)["prompt"],
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n");
  body["temperature"] = 1;
  demo_.refusal("/apply-template", body, "temperature");
}

TEST_F(LlamaApi, PropsAndSlotsTellOfTheServer) {
  const Json props = demo_.get("/props")->json();
  EXPECT_EQ(props["total_slots"], 4);
  EXPECT_EQ(props["default_generation_settings"]["n_ctx"], 1024);
  EXPECT_EQ(props["default_generation_settings"]["params"]["temperature"], 0);
  EXPECT_EQ(props["default_generation_settings"]["params"]["samplers"][0], "penalties");
  EXPECT_EQ(props["model_alias"], "demo");
  EXPECT_NE(props["chat_template"].get<std::string>().find("<think>"), std::string::npos);
  const Json slots = demo_.get("/slots")->json();
  ASSERT_EQ(slots.size(), 4u);
  for (const Json& slot : slots) EXPECT_EQ(slot["is_processing"], false);
  const auto exchange = demo_.start("POST", "/v1/completions",
                                    R"({"prompt": "a", "stream": true, "ignore_eos": true})");
  exchange->wait_for_writes(3);
  EXPECT_EQ(demo_.get("/slots")->json()[0]["is_processing"], true);
  EXPECT_EQ(demo_.get("/slots")->json()[1]["is_processing"], false);
  exchange->go();
}

}  // namespace
}  // namespace braid
