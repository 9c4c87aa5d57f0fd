#include "tools/cli.h"

#include "base/check.h"
#include "tools/options.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <array>
#include <fstream>

namespace braid {
namespace {

struct Outcome {
  int code = 0;
  std::string out, err;
};

Outcome braid(const std::vector<std::string>& arguments, std::span<const MakeCommand> commands) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Outcome outcome;
  outcome.code = run_command_line(arguments, commands);
  std::fflush(stdout);
  outcome.out = testing::internal::GetCapturedStdout();
  outcome.err = testing::internal::GetCapturedStderr();
  return outcome;
}

Outcome braid(const std::vector<std::string>& arguments) {
  static constexpr std::array<MakeCommand, 2> kCommands = {inspect_command, perplexity_command};
  return braid(arguments, kCommands);
}

void expect_one_line(const Outcome& outcome, int code, const std::string& part) {
  EXPECT_EQ(outcome.code, code);
  EXPECT_EQ(outcome.out, "");
  EXPECT_TRUE(outcome.err.starts_with("braid: ")) << outcome.err;
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
}

std::string golden(const std::string& name) {
  return std::string(BRAID_TEST_DATA) + "/../golden/data/" + name;
}

TEST(CommandLine, HelpAndVersion) {
  EXPECT_NE(braid({"--help"}).out.find("perplexity"), std::string::npos);
  EXPECT_EQ(braid({"--help"}).code, kDone);
  EXPECT_TRUE(braid({"--version"}).out.starts_with("braid "));
  EXPECT_EQ(braid({}).out, braid({"--help"}).out);
  for (const char* command : {"inspect", "perplexity"}) {
    const Outcome help = braid({command, "--help"});
    EXPECT_EQ(help.code, kDone);
    EXPECT_NE(help.out.find("Usage: braid " + std::string(command)), std::string::npos);
    EXPECT_NE(help.out.find("Examples:"), std::string::npos);
  }
}

TEST(CommandLine, WhatIsNotUnderstoodIsOneLine) {
  expect_one_line(braid({"perplex"}), kUsage, "no command \"perplex\": did you mean perplexity?");
  expect_one_line(braid({"perplexity", "-f", "x"}), kUsage, "perplexity: --model is required");
  expect_one_line(braid({"perplexity", "-m", "x", "-f", "y", "--hellaswag"}), kUsage,
                  "--hellaswag");
  expect_one_line(braid({"perplexity", "-m", "x", "-f", "y", "--thread", "3"}), kUsage,
                  "no option --thread: did you mean --threads or --threads-batch?");
  expect_one_line(braid({"perplexity", "-m", "x", "-fx", "y"}), kUsage, "no option -fx");
  expect_one_line(braid({"perplexity", "-m", "x", "--mirostat", "2"}), kUsage, "--adaptive-target");
  expect_one_line(braid({"inspect", "x", "y"}), kUsage, "not expected: y");
  expect_one_line(braid({"inspect", "x", "-t", "many"}), kUsage, "--threads");
  expect_one_line(braid({"inspect", "x", "-c", "-5"}), kUsage, "--ctx-size");
  expect_one_line(braid({"inspect", "x", "-ctk", "q4_0"}), kUsage, "f16, bf16, f32, q8_0");
}

TEST(CommandLine, ErrorsAreOneLine) {
  expect_one_line(braid({"inspect", "no-such-file.gguf"}), kFailed, "no-such-file.gguf");
  expect_one_line(braid({"inspect", golden("qwen3next/split.gguf"), "--device", "gpu"}), kFailed,
                  "gpu");
  expect_one_line(braid({"perplexity", "-m", golden("qwen3next/hf"), "-f", "no-such-text"}),
                  kFailed, "tokenizer.json");
}

TEST(CommandLine, AMistakeOfOursIsToldFromAnError) {
  static constexpr auto kWrong = [](CLI::App& app) {
    return Command{app.add_subcommand("wrong", ""), []() -> int {
                     CHECK(1 + 1 == 3);
                     return kDone;
                   }};
  };
  static constexpr std::array<MakeCommand, 1> kCommands = {kWrong};
  expect_one_line(braid({"wrong"}, kCommands), kInternal, "1 + 1 == 3");
}

TEST(CommandLine, InspectShowsTheModelAndItsMemory) {
  for (const char* name : {"qwen3next/split.gguf", "qwen3next/hf", "qwen35moe/hf-experts"}) {
    const Outcome all = braid({"inspect", golden(name), "-fa", "1"});
    EXPECT_EQ(all.code, kDone) << all.err;
    for (const char* part : {"Tensors (", "Types", "architecture", "Memory on cpu", "total"})
      EXPECT_NE(all.out.find(part), std::string::npos) << part;
    EXPECT_EQ(all.out.find("cannot run"), std::string::npos) << all.out;
  }
}

TEST(CommandLine, InspectAsJson) {
  const auto report = [](std::vector<std::string> more) {
    more.insert(more.begin(), {"inspect", golden("qwen3next/split.gguf"), "--json"});
    return nlohmann::json::parse(braid(more).out);
  };
  const auto one = report({"-c", "256"});
  EXPECT_EQ(one["architecture"], "qwen3next");
  EXPECT_EQ(one["problem"], nullptr);
  EXPECT_EQ(one["metadata"]["general.architecture"]["value"], "qwen3next");
  size_t bytes = 0;
  for (const auto& tensor : one["tensors"]) bytes += tensor["bytes"].get<size_t>();
  EXPECT_EQ(one["bytes"], bytes);

  // What one more sequence takes is one slot and its pages, and what the plan says in between.
  const auto two = report({"-c", "256", "-np", "2", "--summary"});
  EXPECT_FALSE(two.contains("tensors"));
  const auto &m = one["memory"], &n = two["memory"];
  EXPECT_EQ(n["state"].get<size_t>() - m["state"].get<size_t>(),
            m["state_per_sequence"].get<size_t>() + 256 * m["kv_per_token"].get<size_t>());
  EXPECT_GE(m["weights"].get<size_t>() * 2, bytes);  // experts are counted
}

TEST(CommandLine, InspectSaysWhyAModelDoesNotRun) {
  const Outcome outcome =
      braid({"inspect", golden("qwen3next/split.gguf"), "-c", "1073741824", "-np", "4096"});
  EXPECT_EQ(outcome.code, kDone);
  EXPECT_NE(outcome.out.find("Braid cannot run it: 4096 sequences"), std::string::npos);
}

TEST(Options, CacheTypes) {
  EXPECT_EQ(cache_type("f16"), DType::F16);
  EXPECT_EQ(cache_type("bf16"), DType::BF16);
  EXPECT_EQ(cache_type("f32"), DType::F32);
  EXPECT_EQ(cache_type("q8_0"), DType::Q8_0);
  EXPECT_THROW(cache_type("q4_0"), Error);
  EXPECT_EQ(cache_type_name(DType::BF16), "bf16");
}

}  // namespace
}  // namespace braid
