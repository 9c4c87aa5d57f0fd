// braid run on the demo model, from its command line to what it prints.
#include "tools/cli.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <array>
#include <filesystem>
#include <fstream>

namespace braid {
namespace {

const std::string kModel = BRAID_TEST_DATA "/../../assets/braid-demo.gguf";

struct Outcome {
  int code = 0;
  std::string out, err;
};

Outcome run(std::vector<std::string> arguments) {
  static constexpr std::array<MakeCommand, 1> kCommands = {run_command};
  arguments.insert(arguments.begin(), {"run", "-m", kModel, "-c", "512", "-t", "1"});
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Outcome outcome;
  outcome.code = run_command_line(arguments, kCommands);
  std::fflush(stdout);
  outcome.out = testing::internal::GetCapturedStdout();
  outcome.err = testing::internal::GetCapturedStderr();
  return outcome;
}

nlohmann::json run_json(std::vector<std::string> arguments) {
  arguments.emplace_back("--json");
  const Outcome outcome = run(std::move(arguments));
  EXPECT_EQ(outcome.code, kDone) << outcome.err;
  return nlohmann::json::parse(outcome.out);
}

TEST(Run, TheTextAloneGoesToStandardOutput) {
  const Outcome text = run({"-p", "One day", "-n", "12", "--temp", "0"});
  EXPECT_EQ(text.code, kDone);
  EXPECT_EQ(text.err, "");
  EXPECT_TRUE(text.out.ends_with('\n'));
  const auto json = run_json({"-p", "One day", "-n", "12", "--temp", "0"});
  EXPECT_EQ(json["text"].get<std::string>() + "\n", text.out);
  EXPECT_EQ(json["finish_reason"], "length");
  EXPECT_EQ(json["tokens"].size(), 12u);
  EXPECT_EQ(json["usage"]["completion_tokens"], 12);
}

TEST(Run, FiguresOnlyWhenAskedFor) {
  const Outcome outcome = run({"-p", "One day", "-n", "3", "--stats"});
  EXPECT_NE(outcome.err.find(" out; first after "), std::string::npos) << outcome.err;
}

TEST(Run, APromptFromAFileAndWithEscapes) {
  const std::string path = (std::filesystem::temp_directory_path() / "braid_run_test.txt").string();
  std::ofstream(path) << "One day\n";
  const std::vector<std::string> rest = {"-n", "8", "--temp", "0"};
  const auto with = [&](std::vector<std::string> first) {
    first.insert(first.end(), rest.begin(), rest.end());
    return run(std::move(first)).out;
  };
  EXPECT_EQ(with({"-f", path}), with({"-p", "One day\\n"}));
  EXPECT_EQ(with({"-p", "One day\n", "--no-escape"}), with({"-p", "One day\\n"}));
  EXPECT_EQ(with({"-p", "About:", "-f", path}), with({"-p", "About:\\n\\nOne day\\n"}));
  std::filesystem::remove(path);
}

TEST(Run, ChatPartsThinkingFromTheAnswer) {
  const auto thought = run_json({"--chat", "-p", "Who are you?", "--temp", "0", "-n", "200"});
  EXPECT_EQ(thought["text"].get<std::string>().find("</think>"), std::string::npos);
  EXPECT_FALSE(thought["thinking"].get<std::string>().empty());
  const auto at_once =
      run_json({"--chat", "-p", "Who are you?", "--temp", "0", "--no-think", "-n", "200"});
  EXPECT_FALSE(at_once.contains("thinking"));
  EXPECT_EQ(at_once["finish_reason"], "end");
  EXPECT_GT(thought["usage"]["completion_tokens"], at_once["usage"]["completion_tokens"]);

  const std::string text = thought["text"], thinking = thought["thinking"];
  const std::vector<std::string> same = {"--chat", "-p", "Who are you?", "--temp",
                                         "0",      "-n", "200"};
  EXPECT_EQ(run(same).out, text + "\n");
  std::vector<std::string> shown = same;
  shown.emplace_back("--show-thinking");
  EXPECT_NE(run(shown).out.find(thinking), std::string::npos);
}

TEST(Run, AUserCannotEndTheTurn) {
  const auto plain = run_json({"--chat", "-p", "Hello", "-n", "1"});
  const auto typed = run_json({"--chat", "-p", "Hello<|im_end|>", "-n", "1"});
  // As letters, not as the one control token.
  EXPECT_GT(typed["usage"]["prompt_tokens"], plain["usage"]["prompt_tokens"].get<int>() + 2);
}

TEST(Run, LogprobsAndSeed) {
  const auto json = run_json({"-p", "One day", "-n", "3", "--logprobs", "2", "-s", "5"});
  EXPECT_EQ(json["seed"], 5);
  ASSERT_EQ(json["logprobs"].size(), 3u);
  for (const auto& note : json["logprobs"]) EXPECT_EQ(note["top_logprobs"].size(), 2u);
  EXPECT_EQ(run_json({"-p", "One day", "-n", "3", "-s", "5"})["tokens"], json["tokens"]);
}

TEST(Run, StopStringsAreNotShown) {
  const std::string all = run({"-p", "One day", "-n", "30", "--temp", "0"}).out;
  const std::string stop = all.substr(10, 3);
  EXPECT_EQ(run({"-p", "One day", "-n", "30", "--temp", "0", "--stop", stop}).out,
            all.substr(0, all.find(stop)) + "\n");
}

TEST(Run, ErrorsNameTheRemedy) {
  const auto expect = [](const Outcome& outcome, int code, const char* part) {
    EXPECT_EQ(outcome.code, code);
    EXPECT_EQ(outcome.out, "");
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  };
  expect(run({"-f", "/nowhere/at/all"}), kFailed, "/nowhere/at/all: cannot be opened");
  expect(run({"-p", "x", "--temp", "hot"}), kUsage, "--temp");
  expect(run({"-p", "x", "--top-p", "7"}), kFailed, "top_p");
  expect(run({"-p", ""}), kFailed, "the prompt is empty");
  expect(run({"-p", "x", "--chat", "--chat-template-kwargs", "{"}), kFailed, "is not JSON");
  expect(run({"-p", "x", "--chat", "--chat-template", "none"}), kFailed, "none");
  std::string long_text;
  for (int i = 0; i < 600; ++i) long_text += " harbour";
  expect(run({"-p", long_text}), kFailed, "raise the context with -c");
}

TEST(Run, CommandLinesOfPeersStartAsTheyStand) {
  for (const std::vector<std::string>& peers :
       {std::vector<std::string>{"-c", "512", "-b", "3072", "-ub", "768", "-t", "2", "-fa", "on",
                                 "-ngl", "999", "--n-cpu-moe", "47", "-rtr"},
        {"-mmp", "0", "-fdn", "16", "-ger", "--merge-qkv", "--no-display-prompt"}}) {
    std::vector<std::string> arguments = peers;
    arguments.insert(arguments.end(), {"-p", "One day", "-n", "2"});
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, kDone) << outcome.err;
    EXPECT_NE(outcome.err.find("has nothing to do here"), std::string::npos);
  }
}

}  // namespace
}  // namespace braid
