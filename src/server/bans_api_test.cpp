// Banned texts and the guard against loops on the demo model.
#include "server/api_test_support.h"

namespace braid {
namespace {

using test::Json;
using test::ServedDemo;

constexpr const char* kPath = "/v1/completions";
constexpr const char* kStory = "One winter night, a restless man came to";

class BansApi : public testing::Test {
 protected:
  static Json body(const Json& more) {
    Json body = {{"prompt", kStory}, {"max_tokens", 48}};
    body.update(more);
    return body;
  }
  Json answer(const Json& more) { return demo_.ask(kPath, body(more)); }
  std::string text(const Json& more = Json::object()) { return answer(more)["choices"][0]["text"]; }
  std::string refused(const Json& more, const std::string& param) {
    return demo_.refusal(kPath, body(more), param);
  }
  // Some words of a text, from the n-th on.
  static std::string words(const std::string& text, int from, int n) {
    size_t at = 0;
    for (int i = 0; i < from; ++i) at = text.find(' ', at + 1);
    size_t end = at;
    for (int i = 0; i < n; ++i) end = text.find(' ', end + 1);
    return text.substr(at, end - at);
  }

  ServedDemo demo_;
};

TEST_F(BansApi, ABannedTextIsNotWrittenAndWhatStandsBeforeItIs) {
  const std::string free = text();
  for (const int from : {0, 3, 8}) {
    const std::string banned = words(free, from, 2);
    const Json json = answer({{"banned_strings", Json::array({banned})}});
    const std::string other = json["choices"][0]["text"];
    EXPECT_EQ(other.find(banned), std::string::npos) << other;
    EXPECT_EQ(other.substr(0, free.find(banned)), free.substr(0, free.find(banned)));
    EXPECT_GE(json["braid"]["rewinds"]["count"], 1) << banned;
    EXPECT_EQ(json["usage"]["completion_tokens"], 48);
    EXPECT_EQ(json["choices"][0]["finish_reason"], "length");
    // The same again, from the cache, and as a stream.
    EXPECT_EQ(text({{"banned_strings", banned}}), other);
    std::string streamed;
    const auto exchange = demo_.post(kPath, body({{"banned_strings", banned}, {"stream", true}}));
    for (const Json& event : exchange->events())
      if (event.is_object()) streamed += event["choices"][0]["text"].get<std::string>();
    EXPECT_EQ(streamed, other);
  }
  EXPECT_FALSE(answer({{"banned_strings", "zebra!"}})["braid"].contains("rewinds"));
  EXPECT_EQ(text({{"banned_strings", "zebra!"}}), free);
}

// Longer than what the state can step back without a snapshot.
TEST_F(BansApi, LongTextsToo) {
  const std::string free = text();
  const std::string banned = words(free, 2, 22);
  EXPECT_GT(demo_.tokenizer().encode(banned).size(), 20u);
  const Json json = answer({{"banned_strings", banned}});
  const std::string other = json["choices"][0]["text"];
  EXPECT_EQ(json["braid"]["rewinds"]["count"], 1);
  EXPECT_EQ(other.substr(0, free.find(banned)), free.substr(0, free.find(banned)));
  EXPECT_EQ(other.find(banned), std::string::npos);
}

TEST_F(BansApi, ExpressionsAndSampledAnswersOfSeveral) {
  const Json fields = {{"banned_regex", "\\bt\\w*"},
                       {"banned_regex_case_insensitive", Json::array({"[mn]a"})},
                       {"temperature", 1.1},
                       {"seed", 11},
                       {"n", 4},
                       {"rewind_count_max", 0}};
  const Json first = answer(fields), second = answer(fields);
  for (size_t i = 0; i < 4; ++i) {
    const std::string text = first["choices"][i]["text"];
    EXPECT_EQ(text.find("ma"), std::string::npos) << text;
    EXPECT_EQ(text.find("Ma"), std::string::npos) << text;
    EXPECT_EQ(text.find("na"), std::string::npos) << text;
    EXPECT_EQ(text.find(" t"), std::string::npos) << text;
    EXPECT_EQ(second["choices"][i]["text"], text);
  }
  // Alone as in company.
  Json alone = fields;
  alone["n"] = 1;
  alone["seed"] = 13;
  EXPECT_EQ(answer(alone)["choices"][0]["text"], first["choices"][2]["text"]);
}

TEST_F(BansApi, LogprobsAreOfTheTokensThatStay) {
  const std::string free = text();
  const Json json = answer({{"banned_strings", words(free, 4, 2)}, {"logprobs", 1}});
  const Json& told = json["choices"][0]["logprobs"];
  std::string joined;
  for (const Json& token : told["tokens"]) joined += token.get<std::string>();
  EXPECT_EQ(joined, json["choices"][0]["text"]);
  EXPECT_EQ(told["tokens"].size(), 48u);
}

TEST_F(BansApi, WhoeverCanSayNothingElseIsCutOff) {
  const Json json = answer({{"banned_regex", "[a-z]|\\s"}, {"rewind_count_max", 3}});
  EXPECT_EQ(json["braid"]["end"], "banned");
  EXPECT_EQ(json["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(json["braid"]["rewinds"]["count"], 4);
  EXPECT_EQ(json["choices"][0]["text"], "");
}

// What is known before is refused; what comes out on the way ends the answer.
TEST_F(BansApi, WhereBansLeaveNothingTheAnswerEnds) {
  Json biases = Json::array();
  const int32_t x = demo_.tokenizer().encode("x").at(0), y = demo_.tokenizer().encode("y").at(0);
  for (int32_t id = 0; id < demo_.tokenizer().n_tokens(); ++id)
    if (id != x && id != y) biases.push_back(Json::array({id, false}));
  Json fields = {{"logit_bias", biases}, {"banned_regex", "[xy]"}};
  const Json nothing = answer(fields);
  EXPECT_EQ(nothing["choices"][0]["text"], "");
  EXPECT_EQ(nothing["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(nothing["braid"]["end"], "banned");
  EXPECT_EQ(nothing["usage"]["completion_tokens"], 0);
  fields["banned_regex"] = "(?<=[xy])[xy]";
  fields["logit_bias"].push_back(Json::array({y, -100}));
  const Json one = answer(fields);
  EXPECT_EQ(one["choices"][0]["text"], "x");
  EXPECT_EQ(one["braid"]["end"], "banned");
  EXPECT_EQ(one["braid"]["rewinds"]["count"], 2);
  fields["stream"] = true;
  const auto events = demo_.post(kPath, body(fields))->events();
  EXPECT_EQ(events.back(), "[DONE]");
  EXPECT_EQ(events.at(events.size() - 2)["braid"]["end"], "banned");
  fields["logit_bias"].push_back(Json::array({x, false}));
  fields["logit_bias"].push_back(Json::array({y, false}));
  refused(fields, "logit_bias");
}

// What is held until the end may hold a stop string.
TEST_F(BansApi, AStopStringCountsInWhatWasHeldToTheEnd) {
  const std::string free = text();
  const size_t held = free.rfind(' '), stop = free.size() - 1;
  ASSERT_LT(held, stop);
  const std::string last = free.substr(held);
  const Json fields = {{"banned_strings", last + " and never this"}, {"stop", last.substr(1)}};
  const Json json = answer(fields);
  EXPECT_EQ(json["choices"][0]["text"], free.substr(0, held + 1));
  EXPECT_EQ(json["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(json["braid"]["end"], "stop");
}

TEST_F(BansApi, AnExpressionThatTakesTooLongIsAnErrorAndCountsAsOne) {
  Json fields = body({{"ignore_eos", true}, {"banned_regex", "( a| a a)+[cd]"}});
  fields["max_tokens"] = 300;
  fields["logit_bias"] = {{std::to_string(demo_.tokenizer().encode(" a")[0]), 1000}};
  const std::string message = demo_.refusal(kPath, fields, "banned_regex");
  EXPECT_NE(message.find("make it simpler"), std::string::npos) << message;
  const std::string metrics = demo_.model().metrics.text(nullptr);
  EXPECT_NE(metrics.find("ended_total{reason=\"error\"} 1\n"), std::string::npos) << metrics;
  EXPECT_NE(metrics.find("ended_total{reason=\"stop\"} 0\n"), std::string::npos);
}

TEST_F(BansApi, ASmallBiasAddsUp) {
  const std::string free = text(), banned = words(free, 3, 1);
  const Json json = answer({{"banned_strings", banned},
                            {"banned_bias", -0.25},
                            {"banned_n", -1},
                            {"rewind_count_max", 0}});
  EXPECT_EQ(json["choices"][0]["text"].get<std::string>().find(banned), std::string::npos);
  EXPECT_GT(json["braid"]["rewinds"]["count"], 1);
}

TEST_F(BansApi, ThoughtsAreFree) {
  Json chat = {{"messages", Json::array({{{"role", "user"}, {"content", "What is 3 plus 4?"}}})},
               {"max_tokens", 200}};
  const Json free = demo_.ask("/v1/chat/completions", chat)["choices"][0]["message"];
  chat["banned_strings"] = Json::array({"think", "3 + 4"});
  const Json banned = demo_.ask("/v1/chat/completions", chat)["choices"][0]["message"];
  EXPECT_EQ(banned["reasoning_content"], free["reasoning_content"]);
  EXPECT_NE(banned["content"], free["content"]);
  EXPECT_EQ(banned["content"].get<std::string>().find("3 + 4"), std::string::npos);
}

// The model writes "x", which may become a banned text, then a tag, which might open thoughts.
TEST_F(BansApi, WhatIsHeldComesBeforeATag) {
  const auto id = [&](const char* text) {
    return std::to_string(demo_.tokenizer().encode(text).at(0));
  };
  Json chat = {{"messages", Json::array({{{"role", "user"}, {"content", "What is 3 plus 4?"}}})},
               {"logit_bias", {{id("x"), 1000}, {id("<think>"), 900}}},
               {"repeat_penalty", 2},
               {"repeat_last_n", 1},
               {"enable_thinking", false},
               {"max_tokens", 4}};
  const Json free = demo_.ask("/v1/chat/completions", chat)["choices"][0]["message"];
  EXPECT_EQ(free["content"], "x<think>x<think>");
  chat["banned_strings"] = "xq";
  EXPECT_EQ(demo_.ask("/v1/chat/completions", chat)["choices"][0]["message"], free);
}

TEST_F(BansApi, BadFieldsAreRefused) {
  EXPECT_EQ(refused({{"banned_regex", Json::array({"a", "b("})}}, "banned_regex[1]"),
            "banned_regex[1]: \"b(\", at byte 2: missing closing parenthesis");
  refused({{"banned_regex_case_insensitive", "x*"}}, "banned_regex_case_insensitive");
  refused({{"banned_strings", Json::array({""})}}, "banned_strings[0]");
  refused({{"banned_strings", 7}}, "banned_strings");
  refused({{"banned_n", 0}}, "banned_n");
  refused({{"banned_bias", 1}}, "banned_bias");
  refused({{"banned_bias", 0}}, "banned_bias");
  refused({{"rewind_count_max", -2}}, "rewind_count_max");
  refused({{"banbuffer_size", 100'000}}, "banbuffer_size");
  refused({{"loop_guard", 5}}, "loop_guard");
  refused({{"loop_guard", "yes"}}, "loop_guard");
}

TEST_F(BansApi, AnAnswerThatOnlyRepeatsItselfEnds) {
  const Json loop = {{"prompt", "a a a a"},
                     {"max_tokens", 300},
                     {"ignore_eos", true},
                     {"logit_bias", {{std::to_string(demo_.tokenizer().encode(" a")[0]), 1000}}}};
  Json guarded = loop;
  guarded["loop_guard"] = 100;
  const Json json = demo_.ask(kPath, guarded);
  EXPECT_EQ(json["usage"]["completion_tokens"], 100);
  EXPECT_EQ(json["braid"]["end"], "loop");
  EXPECT_EQ(json["choices"][0]["finish_reason"], "length");
  for (const Json& off : {Json(nullptr), Json(true), Json(false)}) {
    guarded["loop_guard"] = off;
    EXPECT_EQ(demo_.ask(kPath, guarded)["usage"]["completion_tokens"], 300);
  }
}

// Thoughts end as by a budget, with two tokens more, and the answer follows.
TEST_F(BansApi, ThoughtsThatTurnInCirclesEnd) {
  const int32_t a = demo_.tokenizer().encode(" a")[0];
  const Json chat = {
      {"messages", Json::array({{{"role", "user"}, {"content", "What is 3 plus 4?"}}})},
      {"max_tokens", 900},
      {"ignore_eos", true},
      {"logit_bias", {{std::to_string(a), 1000}}}};
  const Json json = demo_.ask("/v1/chat/completions", chat);
  EXPECT_EQ(json["braid"]["thoughts_ended"], "loop") << json;
  EXPECT_EQ(json["usage"]["completion_tokens_details"]["reasoning_tokens"], 514);
  EXPECT_EQ(json["usage"]["completion_tokens"], 900);
  EXPECT_GT(json["choices"][0]["message"]["content"].get<std::string>().size(), 300u);
}

}  // namespace
}  // namespace braid
