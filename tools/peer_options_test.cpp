#include "tools/peer_options.h"

#include <gtest/gtest.h>

#include <set>

namespace braid {
namespace {

using Strings = std::vector<std::string>;

class PeerOptions : public testing::Test {
 protected:
  PeerOptions() {
    app_.add_option("-m,--model", model_);
    app_.add_option("-t,--threads", threads_);
    app_.add_option("--ubatch-size", ubatch_);
    app_.add_option("--cache-type-k", type_);
    app_.add_flag("--json", json_);
  }
  PeerSpelling translate(const Strings& arguments) {
    return translate_peer_options(app_, arguments);
  }

  CLI::App app_;
  std::string model_, type_;
  int threads_ = 0, ubatch_ = 0;
  bool json_ = false;
};

TEST_F(PeerOptions, NamesOfSeveralLettersBecomeLongNames) {
  EXPECT_EQ(translate({"-ub", "512", "-ctk", "f16", "-m", "x"}).arguments,
            (Strings{"--ubatch-size", "512", "--cache-type-k", "f16", "-m", "x"}));
  EXPECT_EQ(translate({"-ub=512"}).arguments, (Strings{"--ubatch-size=512"}));
}

TEST_F(PeerOptions, WhatHasNothingToDoHereIsTakenOutWithItsValue) {
  const PeerSpelling out = translate({"-ngl", "99", "-m", "x", "-rtr", "--numa=isolate", "-t2"});
  EXPECT_EQ(out.arguments, (Strings{"-m", "x", "-t2"}));
  ASSERT_EQ(out.notes.size(), 3u);
  EXPECT_TRUE(out.notes[0].starts_with("-ngl 99: has nothing to do here: ")) << out.notes[0];
  EXPECT_TRUE(out.notes[1].starts_with("-rtr: has nothing to do here: ")) << out.notes[1];
  EXPECT_TRUE(out.notes[2].starts_with("--numa=isolate: ")) << out.notes[2];
}

TEST_F(PeerOptions, ASwitchTakesAWordOnlyIfOneFollows) {
  EXPECT_EQ(translate({"-fa", "off", "--json"}).arguments, Strings{"--json"});
  EXPECT_EQ(translate({"-fa", "model.gguf"}).arguments, Strings{"model.gguf"});
  EXPECT_EQ(translate({"--json", "-fa"}).arguments, Strings{"--json"});
}

TEST_F(PeerOptions, ValuesOfOwnOptionsAreLeftAlone) {
  EXPECT_EQ(translate({"-m", "-ngl", "-rtr"}).arguments, (Strings{"-m", "-ngl"}));
  EXPECT_EQ(translate({"--json", "-ngl", "3"}).arguments, Strings{"--json"});  // a flag has none
  EXPECT_EQ(translate({"-rtr", "--", "-rtr"}).arguments, (Strings{"--", "-rtr"}));
}

TEST_F(PeerOptions, WhatIsUnknownOrChangesResultsStays) {
  const Strings arguments = {"-ser", "4,1", "--lora", "x", "-x"};
  EXPECT_EQ(translate(arguments).arguments, arguments);
  EXPECT_TRUE(translate(arguments).notes.empty());
}

TEST_F(PeerOptions, AnOptionThatTheCommandHasIsItsOwn) {
  int seed = 0;
  app_.add_option("-s,--seed", seed);
  EXPECT_EQ(translate({"-s", "1"}).arguments, (Strings{"-s", "1"}));
}

TEST_F(PeerOptions, WhatWouldChangeResultsIsRefusedWithAdvice) {
  EXPECT_EQ(
      wrong_option(app_, Strings{"-ser", "4,1"}),
      "-ser would change the result and is not there: every expert that the router chooses is "
      "used; leave it out");
  EXPECT_NE(wrong_option(app_, Strings{"-m", "x", "--lora=y"}).find("merge them"),
            std::string::npos);
  EXPECT_EQ(wrong_option(app_, Strings{"-m", "--lora", "-t8", "--json", "-", "x"}), "");
}

TEST_F(PeerOptions, WhatIsSwitchedOffIsTakenOut) {
  for (const Strings& off : {Strings{"--mirostat", "0"},
                             {"--mirostat=0.0"},
                             {"--tfs", "1.0"},
                             {"-ser", "-1,0"},
                             {"--context-shift", "off"}}) {
    EXPECT_TRUE(translate(off).arguments.empty()) << off[0];
    EXPECT_EQ(translate(off).notes.size(), 1u) << off[0];
  }
  for (const Strings& on : {Strings{"--mirostat", "2"},
                            {"--tfs", "0.9"},
                            {"--mirostat"},
                            {"--lora", ""},
                            {"--context-shift", "on"}})
    EXPECT_EQ(translate(on).arguments, on) << on[0];
}

TEST_F(PeerOptions, UnknownNamesHaveNearOnes) {
  EXPECT_EQ(wrong_option(app_, Strings{"--thread", "8"}),
            "there is no option --thread: did you mean --threads?");
  EXPECT_EQ(wrong_option(app_, Strings{"-tx"}), "there is no option -tx: did you mean -t?");
  EXPECT_EQ(wrong_option(app_, Strings{"--nonsense"}), "there is no option --nonsense");
}

TEST_F(PeerOptions, SomeBelongToOneCommand) {
  CLI::App run("", "run");
  EXPECT_EQ(translate_peer_options(run, Strings{"-no-cnv"}).notes.size(), 1u);
  EXPECT_EQ(translate({"-no-cnv"}).arguments, Strings{"-no-cnv"});
}

TEST(PeerOptionTable, NamesAreThereOnce) {
  std::set<std::string_view> refused, of_all;
  for (const RefusedOption& option : refused_options()) {
    EXPECT_TRUE(refused.insert(option.name).second) << option.name;
    EXPECT_FALSE(option.advice.empty()) << option.name;
  }
  std::set<std::pair<std::string_view, std::string_view>> names;
  for (const PeerOption& option : peer_options()) {
    EXPECT_TRUE(names.insert({option.name, option.only_command}).second) << option.name;
    EXPECT_FALSE(refused.contains(option.name)) << option.name;
    EXPECT_TRUE(option.name.starts_with('-')) << option.name;
    EXPECT_FALSE(option.why.empty()) << option.name;
    // What is said of one command stands first, or it is never found.
    EXPECT_FALSE(of_all.contains(option.name)) << option.name;
    if (option.only_command.empty()) of_all.insert(option.name);
  }
}

}  // namespace
}  // namespace braid
