#include "tools/cli.h"

#include "text/test_tokenizer_json.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <array>
#include <string>
#include <vector>

namespace braid {
namespace {

using nlohmann::json;

class Tokenize : public testing::Test {
 protected:
  void SetUp() override {
    json file = test::small_tokenizer_json();
    file["normalizer"] = nullptr;
    test::write_model_folder(folder_, file.dump());
  }

  // Standard output, or the exit code and the error.
  std::string run(std::vector<std::string> arguments, std::string model = "") const {
    if (model.empty()) model = folder_ / "tokenizer.json";
    arguments.insert(arguments.begin(), {"tokenize", "-m", model});
    static constexpr std::array<MakeCommand, 1> kCommands = {tokenize_command};
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int code = run_command_line(arguments, kCommands);
    std::fflush(stdout);
    const std::string out = testing::internal::GetCapturedStdout(),
                      err = testing::internal::GetCapturedStderr();
    return code == kDone ? out : std::to_string(code) + " " + err;
  }
  std::string text(std::string_view content) const { return folder_.write("text", content); }

  test::TemporaryFolder folder_;
};

TEST_F(Tokenize, ShowsIdsAndTexts) {
  EXPECT_EQ(run({"-p", "the\n<|im_end|>"}),
            "   257 -> 'the'\n    10 -> '\\x0a'\n   258 -> '<|im_end|>'\n");
  EXPECT_EQ(run({"-f", text("he\xff\n"), "--ids"}), "[256, 255, 10]\n");
  EXPECT_EQ(run({"-p", "the", "--ids", "--show-count"}), "[257]\nTotal number of tokens: 1\n");
  EXPECT_EQ(run({"-p", "", "--ids"}), "[]\n");
}

TEST_F(Tokenize, AFolderAndAGgufDoAsWell) {
  EXPECT_EQ(run({"-p", "the", "--ids"}, folder_.path()), "[257]\n");
  const std::string gguf = std::string(BRAID_TEST_DATA) + "/../golden/data/qwen3next/split.gguf";
  EXPECT_EQ(run({"--decode", "-p", run({"-p", "any text", "--ids"}, gguf)}, gguf), "any text");
}

TEST_F(Tokenize, ControlTokensStayTextWhenAskedTo) {
  EXPECT_EQ(run({"-p", "<|im_end|>", "--ids"}), "[258]\n");
  EXPECT_EQ(run({"-p", "<|im_end|>", "--ids", "--parse-special"}), "[258]\n");
  const std::string plain = run({"-p", "<|im_end|>", "--ids", "--no-parse-special"});
  EXPECT_EQ(std::count(plain.begin(), plain.end(), ','), 9);
  EXPECT_EQ(run({"-p", "<think>", "--ids", "--no-parse-special"}), "[259]\n");
}

TEST_F(Tokenize, BosIsAddedWhereTheModelAsksForIt) {
  folder_.write("tokenizer_config.json", R"({"bos_token": "<|im_end|>", "add_bos_token": true})");
  EXPECT_EQ(run({"-p", "he", "--ids"}, folder_.path()), "[258, 256]\n");
  EXPECT_EQ(run({"-p", "he", "--ids", "--no-bos"}, folder_.path()), "[256]\n");
}

TEST_F(Tokenize, DecodesWhateverFormTheIdsHave) {
  for (const char* ids : {"[257, 255, 258]", "257 255 258", "257\n255\n258\n", " 257,255,258"}) {
    EXPECT_EQ(run({"--decode", "-p", ids}), "the\xff<|im_end|>") << ids;
  }
  EXPECT_EQ(run({"--decode", "--skip-special", "-p", "257 258"}), "the");
  EXPECT_EQ(json::parse(run({"--decode", "--json", "-p", "257 255"})),
            json({{"text", "the\ufffd"}}));
  EXPECT_EQ(run({"--decode", "-p", "1 x"}),
            "1 braid: 'x' is no token id; expected numbers like 1 2 3 or [1, 2, 3]\n");
  EXPECT_TRUE(run({"--decode", "-p", "260"}).starts_with("1 braid: token id 260"));
  EXPECT_TRUE(run({"--decode", "-p", "99999999999"}).starts_with("1 braid: '99999999999'"));
}

TEST_F(Tokenize, AsJson) {
  const json out = json::parse(run({"-f", text("the\xff<think>"), "--json"}));
  EXPECT_EQ(out["count"], 3);
  EXPECT_EQ(out["tokens"][0], json({{"id", 257}, {"text", "the"}, {"type", "normal"}}));
  EXPECT_EQ(out["tokens"][1]["bytes"], json({255}));
  EXPECT_EQ(out["tokens"][2]["type"], "user-defined");
}

TEST_F(Tokenize, ManyTexts) {
  EXPECT_EQ(run({"-f", text("\"the\"\n\"\"\n\"\\u0000he\"\n"), "--jsonl"}),
            "[257]\n[]\n[0, 256]\n");
  EXPECT_EQ(run({"-f", text("[257]\n[]\n[256, 255]"), "--jsonl", "--decode"}),
            "\"the\"\n\"\"\n\"he\ufffd\"\n");
  EXPECT_EQ(run({"-f", text(std::string("the\0\xff\n\0he", 9)), "--null"}),
            "[257]\n[255, 10]\n[256]\n");
  EXPECT_EQ(run({"-f", text("257\n[]\n256 255\n"), "--null", "--decode"}),
            std::string("the\0\0he\xff\0", 9));
  EXPECT_TRUE(
      run({"-f", text("\"a\"\n7\n"), "--jsonl"}).starts_with("1 braid: line 2: 7, expected"));
  EXPECT_TRUE(
      run({"-f", text("1\n300\n"), "--jsonl", "--decode"}).starts_with("1 braid: line 2: "));
}

TEST_F(Tokenize, SaysWhatIsWrong) {
  EXPECT_TRUE(run({"-p", "a", "-f", "b"}).starts_with("2 braid: "));
  EXPECT_TRUE(
      run({"-f", folder_ / "none"}).starts_with("1 braid: " + folder_.path() + "/none: cannot"));
  EXPECT_TRUE(
      run({"-f", folder_.path()}).starts_with("1 braid: " + folder_.path() + ": is a folder"));
  EXPECT_TRUE(run({"-p", "a"}, folder_ / "none").starts_with("1 braid: "));
}

}  // namespace
}  // namespace braid
