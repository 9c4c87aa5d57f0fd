#include "tools/completion.h"

#include "format/test_files.h"
#include "tools/cli.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>

namespace braid {
namespace {

using Strings = std::vector<std::string>;

std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen((command + " 2>&1").c_str(), "r"), pclose);
  std::string text;
  std::array<char, 4096> buffer{};
  while (const size_t n = fread(buffer.data(), 1, buffer.size(), pipe.get()))
    text.append(buffer.data(), n);
  return text;
}

class Completion : public testing::Test {
 protected:
  Completion() {
    perplexity_command(app_);
    inspect_command(app_);
    completion_command(app_);
    script_ = folder_.write("braid.bash", bash_completion(completed_commands(app_)));
    folder_.write("model.gguf", "");
    folder_.write("my text.txt", "");
  }

  // What bash offers for the last of the words, sorted.
  Strings bash(const Strings& words) {
    std::string list;
    for (const std::string& word : words) list += " '" + word + "'";
    const std::string program = "cd " + folder_.path() + " && . ./braid.bash && COMP_WORDS=(" +
                                list + ") COMP_CWORD=" + std::to_string(words.size() - 1) +
                                "; _braid; printf \"%s\\n\" \"${COMPREPLY[@]}\"";
    const std::string run = folder_.write("run.sh", program);
    const std::string out = output_of("bash --norc " + run);
    Strings offered;
    for (size_t begin = 0; begin < out.size();) {
      const size_t end = out.find('\n', begin);
      if (end > begin) offered.push_back(out.substr(begin, end - begin));
      begin = end + 1;
    }
    std::sort(offered.begin(), offered.end());
    return offered;
  }

  test::TemporaryFolder folder_;
  CLI::App app_{"", "braid"};
  std::string script_;
};

TEST_F(Completion, BashCommands) {
  EXPECT_EQ(bash({"braid", ""}),
            (Strings{"--help", "--version", "completion", "inspect", "perplexity"}));
  EXPECT_EQ(bash({"braid", "ins"}), Strings{"inspect"});
  EXPECT_EQ(bash({"braid", "zzz"}), Strings{});
}

TEST_F(Completion, BashOptions) {
  EXPECT_EQ(bash({"braid", "perplexity", "--ch"}), Strings{"--chunks"});
  EXPECT_EQ(bash({"braid", "inspect", "--ch"}), Strings{});
  EXPECT_EQ(bash({"braid", "inspect", "--cache-type-"}),
            (Strings{"--cache-type-k", "--cache-type-v"}));
  EXPECT_EQ(bash({"braid", "inspect", "-m", "model.gguf", "--su"}), Strings{"--summary"});
}

TEST_F(Completion, BashValues) {
  EXPECT_EQ(bash({"braid", "inspect", "--device", ""}), (Strings{"cpu", "ref"}));
  EXPECT_EQ(bash({"braid", "inspect", "--device", "=", "r"}), Strings{"ref"});
  EXPECT_EQ(bash({"braid", "inspect", "--device", "="}), (Strings{"cpu", "ref"}));
  EXPECT_EQ(bash({"braid", "perplexity", "--cache-type-k", "b"}), Strings{"bf16"});
  EXPECT_EQ(bash({"braid", "completion", ""}), (Strings{"bash", "fish", "zsh"}));
  EXPECT_EQ(bash({"braid", "inspect", "--threads", ""}), Strings{});
}

TEST_F(Completion, BashFiles) {
  EXPECT_EQ(bash({"braid", "perplexity", "-f", "my"}), Strings{"my text.txt"});
  EXPECT_EQ(bash({"braid", "inspect", "--model", "mo"}), Strings{"model.gguf"});
  EXPECT_EQ(bash({"braid", "inspect", "mo"}), Strings{"model.gguf"});
}

TEST_F(Completion, BashFindsNoMistake) { EXPECT_EQ(output_of("bash -n " + script_), ""); }

// Whether zsh and fish like their scripts is looked at by hand; here, what is in them.
TEST_F(Completion, ZshAndFish) {
  CLI::App& odd = *app_.add_subcommand("odd", "It's [odd]: really");
  std::vector<std::string> list;
  std::string text;
  odd.add_option("--list", list, "Don't")->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  odd.add_option("--to", text, "a[1]: b")->type_name("FOLDER");
  odd.add_option("--hidden", text)->group("");
  const auto commands = completed_commands(app_);
  const std::string zsh = zsh_completion(commands), fish = fish_completion(commands);
  const auto has = [](const std::string& script, const std::string& part) {
    EXPECT_NE(script.find(part), std::string::npos) << part << "\nin\n" << script;
  };
  has(zsh, "'(-t --threads)--threads[Threads (default\\: one per core but slow ones)]:value: '");
  has(zsh, ":value:(cpu ref)'");
  has(zsh, "'*--list[Don'\\''t]:value: '");
  has(zsh, "[a\\[1\\]\\: b]:folder:_files -/'");
  has(zsh, "'odd:It'\\''s [odd]: really'");
  has(fish, "-n '__fish_seen_subcommand_from inspect' -s t -l threads -x -d 'Threads");
  has(fish, "-l device -x -a 'cpu ref'");
  has(fish, "from perplexity' -s f -l file -r -F -d");
  has(fish, "from inspect' -F\n");
  has(fish, "-d 'Don'\\''t'");
  EXPECT_EQ((zsh + fish).find("hidden"), std::string::npos);
}

}  // namespace
}  // namespace braid
