// The command from end to end on a small checkpoint, against a plain computation of what it claims.
#include "base/check.h"
#include "device/registry.h"
#include "engine/engine.h"
#include "format/open.h"
#include "text/test_tokenizer_json.h"
#include "text/tokenizer.h"
#include "text/vocabulary.h"
#include "tools/cli.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>

namespace braid {
namespace {

constexpr int64_t kChunk = 33, kChunks = 3;

class Perplexity : public testing::Test {
 protected:
  Perplexity() {
    text_path_ = testing::TempDir() + "braid_perplexity_" +
                 testing::UnitTest::GetInstance()->current_test_info()->name();
    for (int i = 0; text_.size() < kChunk * kChunks + 20; ++i) text_ += fmt::format("{} ", i * i);
    write(text_ + "\n");
  }
  ~Perplexity() override { std::filesystem::remove(text_path_); }

  void write(const std::string& text) const { std::ofstream(text_path_) << text; }

  // Standard output, or the error with its exit code in front.
  std::string run(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {
        "perplexity", "-m", model_, "-f", text_path_, "-c", std::to_string(kChunk), "-t", "2"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    static constexpr std::array<MakeCommand, 1> kCommands = {perplexity_command};
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int code = run_command_line(arguments, kCommands);
    std::fflush(stdout);
    const std::string out = testing::internal::GetCapturedStdout(),
                      err = testing::internal::GetCapturedStderr();
    return code == kDone ? out : fmt::format("{} {}", code, err);
  }

  static double exact(const std::string& out) {
    const std::string name = "Exact: PPL = ";
    const size_t at = out.find(name);
    return at == std::string::npos ? -1 : std::stod(out.substr(at + name.size()));
  }

  std::string model_ = std::string(BRAID_TEST_DATA) + "/../golden/data/qwen3next/split.gguf";
  std::string text_, text_path_;
};

TEST_F(Perplexity, IsWhatAPlainLoopFinds) {
  const auto file = open_model_file(model_);
  const auto device = open_device("cpu", {1, ""});
  const Tokenizer tokenizer(read_vocabulary(*file->metadata(), model_));
  const std::vector<int32_t> ids = tokenizer.encode(text_, {.add_special = true});
  ASSERT_GE(ids.size(), static_cast<size_t>(kChunk * 3));
  ASSERT_FALSE(tokenizer.adds_bos());

  Engine engine(*file, *device, {.context = kChunk});
  double sum = 0;
  for (size_t chunk = 0; chunk < 3; ++chunk) {
    Sequence sequence = engine.new_sequence();
    for (size_t p = 0; p + 1 < kChunk; ++p) {
      const size_t at = chunk * kChunk + p;
      const Feed feed{&sequence, std::span(ids).subspan(at, 1), 1};
      engine.step({&feed, 1});
      double all = 0;
      for (const float logit : engine.logits(0)) all += std::exp(static_cast<double>(logit));
      const double own = engine.logits(0)[static_cast<size_t>(ids[at + 1])];
      if (p >= kChunk / 2) sum += std::log(all) - own;
    }
  }
  const double expected = std::exp(sum / (3 * (kChunk - 1 - kChunk / 2)));
  const std::string out = run({"--chunks", "3"});
  EXPECT_NEAR(exact(out) / expected, 1, 1e-12) << out;
  EXPECT_NE(out.find(fmt::format("[3]{:.4f},\n", expected)), std::string::npos) << out;
  EXPECT_NE(out.find(fmt::format("\nFinal estimate: PPL = {:.4f} +/- ", expected)),
            std::string::npos)
      << out;
}

TEST_F(Perplexity, StepsChunksTogetherAndThreadsChangeNoBit) {
  const std::string alone = run({"-b", "33"});
  ASSERT_GT(exact(alone), 1) << alone;
  EXPECT_EQ(run({}), alone);  // all chunks together
  EXPECT_EQ(run({"-b", "1"}), alone);
  EXPECT_EQ(run({"-b", "99", "-ub", "7"}), alone);
  EXPECT_EQ(run({"-ub", "16", "-t", "1"}), alone);
  EXPECT_EQ(run({"-ub", "2", "-t", "3"}), alone);
  EXPECT_EQ(run({"-fa", "off", "-ngl", "0"}), alone);
}

TEST_F(Perplexity, DevicesAndCacheTypesAgreeAsFarAsTheyShould) {
  const double cpu = exact(run({})), exact_cache = exact(run({"-ctk", "f32", "-ctv", "f32"}));
  EXPECT_NEAR(exact(run({"--device", "ref"})) / cpu, 1, 1e-5);
  EXPECT_NEAR(exact_cache / cpu, 1, 1e-3);
  EXPECT_NE(exact_cache, cpu);
  EXPECT_NEAR(exact(run({"-ctk", "bf16", "-ctv", "bf16"})) / cpu, 1, 1e-2);
}

// The checkpoint as Hugging Face has it, with the GGUF's vocabulary as a tokenizer.json.
TEST_F(Perplexity, AFolderGivesTheSame) {
  const Vocabulary vocabulary = read_vocabulary(*open_model_file(model_)->metadata(), model_);
  nlohmann::json tokenizer = test::small_tokenizer_json();
  tokenizer["normalizer"] = nullptr;
  tokenizer["added_tokens"] = nlohmann::json::array();
  tokenizer["model"]["merges"] = vocabulary.merges;
  tokenizer["model"]["vocab"].clear();
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    tokenizer["model"]["vocab"][vocabulary.tokens[id]] = id;
  }
  const test::TemporaryFolder folder;
  for (const char* name : {"config.json", "model.safetensors"}) {
    std::filesystem::copy_file(
        std::string(BRAID_TEST_DATA) + "/../golden/data/qwen3next/hf/" + name, folder / name);
  }
  const double gguf = exact(run({}));
  EXPECT_TRUE(run({"-m", folder.path()}).ends_with("download it into the same folder\n"));
  folder.write("tokenizer.json", tokenizer.dump());
  EXPECT_NEAR(exact(run({"-m", folder.path()})) / gguf, 1, 1e-4);
}

TEST_F(Perplexity, ATextThatIsNoFileIsAnError) {
  EXPECT_TRUE(run({"-f", "no-such-text"}).starts_with("1 braid: no-such-text: "));
  EXPECT_TRUE(run({"-f", testing::TempDir()}).starts_with("1 braid: " + testing::TempDir()));
}

TEST_F(Perplexity, ATextTooShortIsAnError) {
  const std::string outcome = run({"-c", "512"});
  EXPECT_TRUE(outcome.starts_with("1 braid: ")) << outcome;
  EXPECT_NE(outcome.find("at least 1024 (2 chunks)"), std::string::npos) << outcome;
  write("");
  EXPECT_TRUE(run({}).starts_with("1 braid: ")) << outcome;
}

}  // namespace
}  // namespace braid
