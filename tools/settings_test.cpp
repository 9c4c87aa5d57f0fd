#include "tools/settings.h"

#include "format/test_files.h"
#include "tools/cli.h"

#include <gtest/gtest.h>

#include <array>

namespace braid {
namespace {

using Strings = std::vector<std::string>;

// What the commands below were given.
struct Seen {
  std::string model = "-";
  int threads = 0;
  bool json = false, escape = true;
  Strings words;
  std::string key, key_file;
  std::string positional = "-";
} seen;

Command one_command(CLI::App& app) {
  CLI::App& command = *app.add_subcommand("one", "");
  command.add_option("MODEL,-m,--model", seen.model)
      ->multi_option_policy(CLI::MultiOptionPolicy::Throw);
  command.add_option("-t,--threads", seen.threads)->check(CLI::Range(0, 1024));
  command.add_flag("--json", seen.json);
  command.add_flag("--escape,!--no-escape", seen.escape);
  command.add_option("--word,--stop-word", seen.words)
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  return {&command, [] { return kDone; }};
}
Command two_command(CLI::App& app) {
  CLI::App& command = *app.add_subcommand("two", "");
  static int predict;
  command.add_option("-n,--predict", predict)->required();
  CLI::Option* file = command.add_option("--key-file", seen.key_file);
  command.add_option("--key", seen.key)->excludes(file);
  command.add_option("--batch-size", predict);
  return {&command, [] { return kDone; }};
}

class Settings : public testing::Test {
 protected:
  // The outcome as "CODE stderr"; stdout goes to out_.
  std::string run(const Strings& arguments) {
    static constexpr std::array<MakeCommand, 2> kCommands = {one_command, two_command};
    seen = {};
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int code = run_command_line(arguments, kCommands, environment_);
    std::fflush(stdout);
    out_ = testing::internal::GetCapturedStdout();
    return std::to_string(code) + " " + testing::internal::GetCapturedStderr();
  }
  void config(const std::string& text) {
    environment_["BRAID_CONFIG"] = folder_.write("config", text);
  }

  test::TemporaryFolder folder_;
  Environment environment_;
  std::string out_;
};

TEST_F(Settings, OfOptionsThatExcludeEachOtherTheNearerCounts) {
  const Strings two = {"two", "-n", "1"};
  config("key = global\n");
  environment_["BRAID_KEY_FILE"] = "variable";
  EXPECT_EQ(run(two), "0 ");
  EXPECT_EQ(seen.key + "|" + seen.key_file, "|variable");
  EXPECT_EQ(run({"two", "-n", "1", "--key", "typed"}), "0 ");
  EXPECT_EQ(seen.key + "|" + seen.key_file, "typed|");
  environment_["BRAID_KEY"] = "variable";
  EXPECT_EQ(run(two),
            "1 braid: BRAID_KEY_FILE and BRAID_KEY: --key-file and --key exclude each other: leave "
            "one out\n");
  environment_.clear();
  config("key-file = global\n[two]\nkey = section\n");
  EXPECT_EQ(run(two), "0 ");
  EXPECT_EQ(seen.key + "|" + seen.key_file, "section|");
  EXPECT_EQ(run({"two", "-n", "1", "--key", "a", "--key-file", "b"}),
            "2 braid: two: --key-file excludes --key (see braid two --help)\n");
}

TEST_F(Settings, EachStepOfThePrecedence) {
  EXPECT_EQ(run({"one"}), "0 ");
  EXPECT_EQ(seen.threads, 0);
  config("threads = 1\n");
  EXPECT_EQ(run({"one"}), "0 ");
  EXPECT_EQ(seen.threads, 1);
  config("threads = 1\n[two]\nbatch-size = 9\n[one]\nthreads = 2\n");
  EXPECT_EQ(run({"one"}), "0 ");
  EXPECT_EQ(seen.threads, 2);
  environment_["LLAMA_ARG_THREADS"] = "3";
  EXPECT_EQ(run({"one"}), "0 ");
  EXPECT_EQ(seen.threads, 3);
  environment_["BRAID_THREADS"] = "4";
  EXPECT_EQ(run({"one"}), "0 ");
  EXPECT_EQ(seen.threads, 4);
  for (const Strings& given : {Strings{"-t", "5"}, {"-t5"}, {"--threads=5"}, {"--threads", "5"}}) {
    Strings arguments = {"one"};
    arguments.insert(arguments.end(), given.begin(), given.end());
    EXPECT_EQ(run(arguments), "0 ");
    EXPECT_EQ(seen.threads, 5);
  }
}

TEST_F(Settings, ConfigByName) {
  const std::string file = folder_.write("other", "threads = 6\n");
  config("threads = 1\n");
  EXPECT_EQ(run({"one", "--config", file}), "0 ");
  EXPECT_EQ(seen.threads, 6);
  EXPECT_EQ(run({"one", "--config=" + file}), "0 ");
  EXPECT_EQ(seen.threads, 6);
  EXPECT_EQ(run({"one", "--config", "none"}), "0 ");
  EXPECT_EQ(seen.threads, 0);
}

TEST_F(Settings, APositionIsGivenToo) {
  environment_["BRAID_MODEL"] = "from-variable";
  EXPECT_EQ(run({"one"}), "0 ");
  EXPECT_EQ(seen.model, "from-variable");
  EXPECT_EQ(run({"one", "typed"}), "0 ");
  EXPECT_EQ(seen.model, "typed");
  EXPECT_EQ(run({"one", "-t", "1", "--", "typed"}), "0 ");
  EXPECT_EQ(seen.model, "typed");
}

TEST_F(Settings, FlagsAndLists) {
  for (const char* yes : {"1", "on", "TRUE", "yes"}) {
    environment_["BRAID_JSON"] = yes;
    EXPECT_EQ(run({"one"}), "0 ");
    EXPECT_TRUE(seen.json) << yes;
  }
  for (const char* no : {"0", "off", "False", "no", ""}) {
    environment_["BRAID_JSON"] = no;
    EXPECT_EQ(run({"one"}), "0 ");
    EXPECT_FALSE(seen.json) << no;
  }
  environment_["BRAID_JSON"] = "maybe";
  EXPECT_EQ(run({"one"}), "1 braid: BRAID_JSON: json is \"maybe\"; it can be on or off\n");
  environment_.clear();

  environment_["BRAID_NO_ESCAPE"] = "1";
  EXPECT_EQ(run({"one"}), "0 ");
  EXPECT_FALSE(seen.escape);
  environment_ = {{"BRAID_ESCAPE", "off"}};
  EXPECT_EQ(run({"one"}), "0 ");
  EXPECT_FALSE(seen.escape);
  EXPECT_EQ(run({"one", "--escape"}), "0 ");
  EXPECT_TRUE(seen.escape);
  environment_ = {{"BRAID_NO_ESCAPE", "off"}};
  EXPECT_EQ(run({"one"}), "0 ");
  EXPECT_TRUE(seen.escape);
  environment_.clear();

  config("word = a\nword = -b\nstop-word = \"\"\n");
  EXPECT_EQ(run({"one"}), "0 ");
  EXPECT_EQ(seen.words, (Strings{"a", "-b", ""}));
  EXPECT_EQ(run({"one", "--stop-word", "c"}), "0 ");
  EXPECT_EQ(seen.words, Strings{"c"});
}

TEST_F(Settings, RequiredOptionsMayComeFromThere) {
  EXPECT_TRUE(run({"two"}).starts_with("2 braid: two: --predict is required"));
  config("[two]\npredict = 3\n");
  EXPECT_EQ(run({"two"}), "0 ");
}

TEST_F(Settings, NamesThatNoCommandHas) {
  const std::string path = folder_ / "config";
  config("\nthread = 1\n");
  EXPECT_EQ(run({"one"}), "1 braid: " + path +
                              ":2: no command has an option \"thread\": did you mean threads?\n");
  config("[one]\npredict = 1\n");
  EXPECT_EQ(run({"one"}), "1 braid: " + path + ":2: one has no option \"predict\"\n");
  config("[tow]\n");
  EXPECT_EQ(run({"one"}),
            "1 braid: " + path + ":1: there is no command \"tow\": did you mean two?\n");
  config("threads = 1\nthreads = 2\n");
  EXPECT_EQ(run({"one"}), "1 braid: " + path + ":2: threads was already set in line 1\n");
  config("help = 1\n");
  EXPECT_TRUE(
      run({"one"}).starts_with("1 braid: " + path + ":1: no command has an option \"help\""));
  // An option of another command is none of this one's business.
  config("predict = 1\n");
  EXPECT_EQ(run({"one"}), "0 ");
  // Help does not need the file.
  config("nonsense\n");
  EXPECT_EQ(run({"one", "--help"}), "0 ");
  EXPECT_NE(out_.find("BRAID_THREADS"), std::string::npos);
  EXPECT_TRUE(run({"one"}).starts_with("1 braid: " + path + ":1: expected"));
}

TEST_F(Settings, ABadValueIsNamedWithItsSource) {
  environment_["BRAID_THREADS"] = "many";
  EXPECT_NE(run({"one"}).find("set by BRAID_THREADS"), std::string::npos) << run({"one"});
  environment_.clear();
  config("\nthreads = 5000\n");
  EXPECT_NE(run({"one"}).find("set by " + (folder_ / "config") + ":2"), std::string::npos)
      << run({"one"});
  EXPECT_EQ(run({"one", "-t", "many"}).find("set by"), std::string::npos);
}

TEST_F(Settings, MisspeltVariables) {
  environment_ = {{"BRAID_THREAD", "1"}, {"BRAID_HOUSE", "1"}, {"BRAID_CONFIG", "none"}};
  EXPECT_EQ(run({"one"}), "0 braid: BRAID_THREAD sets no option: did you mean BRAID_THREADS?\n");
}

TEST_F(Settings, PrintOptionsShowsWhereAValueComesFrom) {
  config("threads = 7\nword = a\nword = b\n");
  environment_["BRAID_JSON"] = "1";
  EXPECT_EQ(run({"one", "x.gguf", "--print-options"}), "0 ");
  const auto line = [&](const std::string& name) {
    const size_t at = out_.find(name);
    return at == std::string::npos ? "" : out_.substr(at, out_.find('\n', at) - at);
  };
  EXPECT_EQ(line("--model"), "--model    x.gguf  command line");
  EXPECT_EQ(line("--threads"), "--threads  7       " + (folder_ / "config") + ":1");
  EXPECT_EQ(line("--word"), "--word     a b     " + (folder_ / "config") + ":3");
  EXPECT_EQ(line("--json"), "--json     true    BRAID_JSON");
  EXPECT_EQ(run({"two", "--print-options"}), "0 ");  // although --predict is missing
  EXPECT_EQ(line("--predict"), "--predict       default");
}

}  // namespace
}  // namespace braid
