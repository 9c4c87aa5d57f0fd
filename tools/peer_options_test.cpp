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

TEST(PeerOptionTable, NamesAreThereOnce) {
  std::set<std::string_view> names;
  for (const PeerOption& option : peer_options()) {
    EXPECT_TRUE(names.insert(option.name).second) << option.name;
    EXPECT_TRUE(option.name.starts_with('-')) << option.name;
    EXPECT_FALSE(option.why.empty()) << option.name;
  }
}

}  // namespace
}  // namespace braid
