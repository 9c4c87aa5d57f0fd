// Completions and infills on the demo model.
#include "server/api_test_support.h"

namespace braid {
namespace {

using test::Json;
using test::ServedDemo;

constexpr const char* kPath = "/v1/completions";
constexpr const char* kStory = "One winter night, a restless man came to";

Json completion(const Json& more = Json::object()) {
  Json body = {{"prompt", kStory}, {"max_tokens", 8}};
  body.update(more);
  return body;
}

class CompletionApi : public testing::Test {
 protected:
  Json answer(const Json& more = Json::object()) { return demo_.ask(kPath, completion(more)); }
  std::string text(const Json& more = Json::object()) { return answer(more)["choices"][0]["text"]; }
  std::string refused(const Json& more, const std::string& param) {
    return demo_.refusal(kPath, completion(more), param);
  }

  ServedDemo demo_;
};

TEST_F(CompletionApi, GoesOnWithAText) {
  const Json answer = this->answer();
  EXPECT_TRUE(answer["id"].get<std::string>().starts_with("cmpl-"));
  EXPECT_EQ(answer["object"], "text_completion");
  ASSERT_EQ(answer["choices"].size(), 1u);
  EXPECT_EQ(answer["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(answer["choices"][0]["logprobs"], nullptr);
  EXPECT_FALSE(answer["choices"][0].contains("message"));
  EXPECT_EQ(answer["usage"]["completion_tokens"], 8);
  EXPECT_EQ(answer["choices"][0]["text"].get<std::string>()[0], ' ');
  EXPECT_EQ(demo_.post("/completions", completion())->json()["choices"], answer["choices"]);
}

TEST_F(CompletionApi, PromptsMayBeIdsAndSeveral) {
  const Json ids = demo_.tokenizer().encode(kStory);
  EXPECT_EQ(text({{"prompt", ids}}), text());
  const Json other = demo_.tokenizer().encode("The harbour of Tidewell is");
  const Json both = answer({{"prompt", Json::array({ids, other})}, {"n", 2}, {"seed", 5}});
  ASSERT_EQ(both["choices"].size(), 4u);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(both["choices"][i]["index"], i);
  EXPECT_EQ(both["choices"][1]["text"], text());
  EXPECT_EQ(both["choices"][2]["text"], text({{"prompt", "The harbour of Tidewell is"}}));
  EXPECT_EQ(both["choices"][3]["braid"]["seed"], 6);
  EXPECT_EQ(both["usage"]["prompt_tokens"], ids.size() + other.size());
  EXPECT_GT(both["usage"]["completion_tokens"], 8 + 8);
  EXPECT_LE(both["usage"]["completion_tokens"], 32);
  EXPECT_EQ(text({{"prompt", Json::array({kStory})}}), text());
}

TEST_F(CompletionApi, BadPromptsAreRefused) {
  EXPECT_EQ(refused({{"prompt", nullptr}}, "prompt"),
            "prompt is missing: send a text or a list of ids");
  refused({{"prompt", ""}}, "prompt");
  refused({{"prompt", Json::array()}}, "prompt");
  refused({{"prompt", Json::array({Json::array()})}}, "prompt");
  refused({{"prompt", 7}}, "prompt");
  refused({{"prompt", Json::array({kStory, 7})}}, "prompt");
  refused({{"prompt", Json::array({1, "text"})}}, "prompt");
  refused({{"prompt", Json::array({1, 1.5})}}, "prompt");
  EXPECT_EQ(refused({{"prompt", Json::array({1, 4096})}}, "prompt"),
            "prompt: token 4096 is outside of the vocabulary: ids are from 0 to 4095");
  refused({{"prompt", Json::array({-1})}}, "prompt");
  refused({{"prompt", Json::array({kStory, kStory})}, {"n", 65}}, "n");
  EXPECT_EQ(demo_.post(kPath, completion({{"prompt", std::vector<int>(1025, 5)}}))
                ->json()["error"]["code"],
            "context_length_exceeded");
  // Nobody takes a text apart that cannot fit.
  const std::string message = refused({{"prompt", std::string(5'000'000, 'x')}}, "prompt");
  EXPECT_TRUE(message.starts_with("the prompt has 5000000 bytes, which are at least")) << message;
  EXPECT_EQ(answer({{"prompt", std::vector<int>(1024, 5)}})["usage"]["completion_tokens"], 1);
}

TEST_F(CompletionApi, EchoStandsInFront) {
  EXPECT_EQ(text({{"echo", true}}), kStory + text());
  const auto exchange = demo_.post(kPath, completion({{"echo", true}, {"stream", true}}));
  std::string streamed;
  for (const Json& event : exchange->events())
    if (event.is_object()) streamed += event["choices"][0]["text"].get<std::string>();
  EXPECT_EQ(streamed, kStory + text());
  refused({{"echo", true}, {"logprobs", 0}}, "echo");
  refused({{"echo", 1}}, "echo");
}

TEST_F(CompletionApi, LogprobsHaveTheOldForm) {
  const Json answer = this->answer({{"logprobs", 2}});
  const Json& logprobs = answer["choices"][0]["logprobs"];
  ASSERT_EQ(logprobs["tokens"].size(), 8u);
  std::string text;
  for (size_t i = 0; i < 8; ++i) {
    const std::string token = logprobs["tokens"][i];
    EXPECT_EQ(logprobs["text_offset"][i], text.size());  // ASCII
    text += token;
    EXPECT_EQ(logprobs["top_logprobs"][i].size(), 2u);
    EXPECT_EQ(logprobs["top_logprobs"][i][token], logprobs["token_logprobs"][i]);
  }
  EXPECT_EQ(text, answer["choices"][0]["text"]);
  refused({{"logprobs", true}}, "logprobs");
  refused({{"logprobs", 21}}, "logprobs");
}

TEST_F(CompletionApi, TokensStandBesideTheirTexts) {
  const Json answer = this->answer({{"return_tokens", true}});
  const std::vector<int32_t> ids = answer["choices"][0]["tokens"];
  EXPECT_EQ(ids.size(), 8u);
  EXPECT_EQ(demo_.tokenizer().decode(ids), answer["choices"][0]["text"]);
  EXPECT_FALSE(this->answer()["choices"][0].contains("tokens"));
  const Json wanted = {{"return_tokens", true}, {"stream", true}, {"echo", true}};
  std::vector<int32_t> streamed;
  for (const Json& event : demo_.post(kPath, completion(wanted))->events())
    if (event.is_object())
      for (const Json& id : event["choices"][0]["tokens"]) streamed.push_back(id);
  EXPECT_EQ(streamed, ids);
  refused({{"return_tokens", 1}}, "return_tokens");
}

TEST_F(CompletionApi, TheBestAreChosen) {
  const Json more = {{"temperature", 1.5}, {"seed", 3}, {"logprobs", 0}};
  Json all = more, best = more;
  all["n"] = 5;
  best["best_of"] = 5;
  best["n"] = 2;
  std::vector<std::pair<double, std::string>> ranked;
  const Json five = answer(all);
  for (const Json& choice : five["choices"]) {
    double sum = 0;
    for (const Json& p : choice["logprobs"]["token_logprobs"]) sum += p.get<double>();
    const auto n = static_cast<double>(choice["logprobs"]["token_logprobs"].size());
    ranked.emplace_back(-sum / n, choice["text"]);
  }
  std::sort(ranked.begin(), ranked.end());
  const Json two = answer(best);
  ASSERT_EQ(two["choices"].size(), 2u);
  EXPECT_EQ(two["choices"][0]["text"], ranked[0].second);
  EXPECT_EQ(two["choices"][1]["text"], ranked[1].second);
  EXPECT_EQ(two["choices"][1]["index"], 1);
  EXPECT_EQ(two["usage"]["completion_tokens"], five["usage"]["completion_tokens"]);
  refused({{"best_of", 1}, {"n", 2}}, "best_of");
  refused({{"best_of", 2}, {"stream", true}}, "best_of");
  refused({{"best_of", 129}}, "best_of");
}

TEST_F(CompletionApi, FillingInNeedsItsTokens) {
  EXPECT_NE(refused({{"suffix", "the end"}}, "suffix").find("<|fim_prefix|>"), std::string::npos);
  EXPECT_EQ(text({{"suffix", ""}}), text());
  demo_.refusal("/infill", {{"input_prefix", "a"}, {"input_suffix", "b"}}, "input_prefix");
}

TEST_F(CompletionApi, WhatFailsByNoFaultOfItsClientsGoesToTheLog) {
  EXPECT_EQ(demo_.post(kPath, {{"prompt", 7}})->status(), 400);
  EXPECT_TRUE(demo_.problems().empty());
  const Json body =
      completion({{"max_tokens", 400}, {"ignore_eos", true}, {"stream", true}, {"n", 2}});
  const auto exchange = demo_.start("POST", kPath, body.dump());
  exchange->wait_for_writes(4);
  exchange->throw_once();
  EXPECT_EQ(exchange->wait().events().back()["error"]["code"], "request_failed");
  EXPECT_EQ(demo_.problems(), std::vector<std::string>{" POST /v1/completions: planted"});
  demo_.api().later(exchange, [] { throw std::runtime_error("later"); });
  while (demo_.problems().size() < 2) std::this_thread::yield();
  EXPECT_EQ(demo_.problems()[1], " POST /v1/completions: later");
}

TEST_F(CompletionApi, FieldsOfChatsAreUnknown) {
  refused({{"messages", Json::array()}}, "messages");
  refused({{"max_completion_tokens", 5}}, "max_completion_tokens");
  refused({{"top_logprobs", 5}}, "top_logprobs");
  refused({{"thinking_budget", 5}}, "thinking_budget");
  refused({{"enable_thinking", true}}, "enable_thinking");
}

// The same tokens as a prompt of ids that is put together here.
TEST(InfillApi, PutsPrefixAndSuffixAroundTheGap) {
  ServedDemo demo({.fills_in = true});
  const Tokenizer& tokenizer = demo.tokenizer();
  const auto id = [&](const char* text) {
    return tokenizer.encode(text, {.parse_special = true}).at(0);
  };
  std::vector<int32_t> ids;
  const auto add = [&](std::initializer_list<int32_t> tokens, const char* text) {
    ids.insert(ids.end(), tokens);
    const auto more = tokenizer.encode(text);
    ids.insert(ids.end(), more.begin(), more.end());
  };
  add({id("<|fim_prefix|>")}, "The lamp of the");
  add({id("<|fim_suffix|>")}, "is lit at dusk.");
  add({id("<|fim_middle|>")}, "");
  const Json gap = {
      {"prompt", "The lamp of the"}, {"suffix", "is lit at dusk."}, {"max_tokens", 8}};
  const Json wanted = demo.ask(kPath, {{"prompt", ids}, {"max_tokens", 8}});
  const Json filled = demo.ask(kPath, gap);
  EXPECT_EQ(filled["usage"]["prompt_tokens"], ids.size());
  EXPECT_EQ(filled["choices"][0]["text"], wanted["choices"][0]["text"]);
  demo.refusal(kPath, {{"prompt", "a"}, {"suffix", "b"}, {"echo", true}}, "echo");

  const Json body = {{"input_prefix", "The lamp"},
                     {"prompt", " of the"},
                     {"input_suffix", "is lit at dusk."},
                     {"n_predict", 8}};
  const Json infill = demo.ask("/infill", body);
  EXPECT_EQ(infill["content"], wanted["choices"][0]["text"]);
  EXPECT_EQ(infill["tokens_evaluated"], ids.size());
  EXPECT_EQ(infill["tokens_predicted"], 8);
  EXPECT_EQ(infill["stop"], true);
  EXPECT_EQ(infill["stop_type"], "limit");
  EXPECT_EQ(infill["tokens_cached"], ids.size() - 1);
  EXPECT_GT(infill["timings"]["predicted_per_second"], 0);
  Json with_tokens = body;
  with_tokens["return_tokens"] = true;
  const std::vector<int32_t> told = demo.ask("/infill", with_tokens)["tokens"];
  EXPECT_EQ(tokenizer.decode(told), infill["content"]);

  Json streamed = body;
  streamed["stream"] = true;
  const auto exchange = demo.start("POST", "/infill", streamed.dump());
  std::string text;
  for (const Json& event : exchange->wait().events()) text += event["content"].get<std::string>();
  EXPECT_EQ(text, infill["content"]);
  EXPECT_EQ(exchange->events().back()["stop"], true);
  EXPECT_EQ(exchange->events().front()["stop"], false);
}

TEST(InfillApi, OtherFilesStandInFront) {
  ServedDemo demo({.fills_in = true});
  Json body = {{"input_prefix", "int a = "}, {"input_suffix", ";"}, {"n_predict", 1}};
  const int64_t alone = demo.ask("/infill", body)["tokens_evaluated"];
  body["input_extra"] = Json::array({{{"filename", "b.c"}, {"text", "int b;"}}});
  const Tokenizer& t = demo.tokenizer();
  const size_t more =
      2 + t.encode("b.c\n").size() + t.encode("int b;").size() + t.encode("file\n").size();
  EXPECT_EQ(demo.ask("/infill", body)["tokens_evaluated"], alone + static_cast<int64_t>(more));
  const auto refused = [&](const Json& extra, const std::string& param) {
    body["input_extra"] = extra;
    demo.refusal("/infill", body, param);
  };
  refused(Json::array({{{"filename", "b.c"}}}), "input_extra[0].text");
  refused(Json::array({{{"text", "b"}, {"path", "b.c"}}}), "input_extra[0].path");
  body["input_extra"] =
      Json::array({{{"filename", "b.c"}, {"text", "int b;"}, {"time", Json::array({1, 2})}}});
  EXPECT_EQ(demo.ask("/infill", body)["tokens_evaluated"], alone + static_cast<int64_t>(more));
  refused("b.c", "input_extra");
  demo.refusal("/infill", {{"input_prefix", "a"}}, "input_suffix");
  demo.refusal("/infill", {{"input_suffix", "a"}}, "input_prefix");
  demo.refusal("/infill", {{"input_prefix", "a"}, {"input_suffix", "b"}, {"n", 2}}, "n");
}

// A model that begins another gap has ended its answer.
TEST(InfillApi, TheTokensOfTheGapEndAnAnswer) {
  ServedDemo demo({.fills_in = true});
  const auto separator = demo.tokenizer().encode("<|file_sep|>", {.parse_special = true}).at(0);
  const Json body = {{"input_prefix", "a"},
                     {"input_suffix", "b"},
                     {"n_predict", 8},
                     {"logit_bias", {{std::to_string(separator), 1000}}}};
  const Json answer = demo.ask("/infill", body);
  EXPECT_EQ(answer["content"], "");
  EXPECT_EQ(answer["stop_type"], "eos");
}

// What plugins of editors send, as they are set up: for an answer, and to warm the cache.
TEST(InfillApi, EditorsGetWhatTheyAskFor) {
  ServedDemo demo({.fills_in = true});
  Json body = Json::parse(R"({"input_prefix": "def f(a):\n", "input_suffix": "\n\nprint(f(1))\n",
      "input_extra": [{"text": "x = 1", "time": [1, 5], "filename": "a.py"}], "prompt": "    ",
      "n_predict": 8, "stop": [], "n_indent": 4, "top_k": 40, "top_p": 0.9, "stream": false,
      "samplers": ["top_k", "top_p", "infill"], "cache_prompt": true, "t_max_prompt_ms": 500,
      "t_max_predict_ms": 1000, "response_fields": ["content", "timings/prompt_n",
      "timings/prompt_per_token_ms", "timings/predicted_per_token_ms", "tokens_cached", "truncated",
      "timings", "nothing/of_this", "content/x"]})");
  const Json answer = demo.ask("/infill", body);
  std::vector<std::string> names;
  for (const auto& [name, value] : answer.items()) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{
                       "content", "timings/prompt_n", "timings/prompt_per_token_ms",
                       "timings/predicted_per_token_ms", "tokens_cached", "truncated", "timings"}));
  EXPECT_GT(answer["timings/prompt_n"], 0);
  EXPECT_GT(answer["timings/prompt_per_token_ms"], 0);
  EXPECT_EQ(answer["timings"]["prompt_n"], answer["timings/prompt_n"]);
  const Json warm = Json::parse(R"({"input_prefix": "", "input_suffix": "", "prompt": "",
      "input_extra": [{"text": "x = 1", "time": 5, "filename": "a.py"}], "n_predict": 0,
      "temperature": 0.0, "stream": false, "samplers": [], "cache_prompt": true,
      "t_max_prompt_ms": 1, "t_max_predict_ms": 1, "response_fields": [""]})");
  EXPECT_EQ(demo.ask("/infill", warm), Json::object());
  EXPECT_GT(demo.ask("/infill", body)["tokens_cached"], answer["tokens_cached"]);
  body["response_fields"] = Json::array();
  EXPECT_EQ(demo.ask("/infill", body)["stop"], true);
  const auto refused = [&](const char* name, const Json& value) {
    Json changed = body;
    changed[name] = value;
    demo.refusal("/infill", changed, name);
  };
  refused("response_fields", "content");
  refused("response_fields", Json::array({5}));
  refused("n_indent", -1);
  refused("n_indent", "4");
  refused("t_max_predict_ms", 1.5);
  refused("t_max_prompt_ms", "long");
  demo.refusal(kPath, completion({{"n_indent", 4}}), "n_indent");
}

class InfillLines : public testing::Test {
 protected:
  int32_t id(const char* text) { return demo_.tokenizer().encode(text).at(0); }
  // An answer of these tokens alone, each about as likely as the others.
  Json body(const std::vector<const char*>& tokens, const Json& more) {
    Json biases = Json::object();
    for (const char* text : tokens) biases[std::to_string(id(text))] = 10'000;
    Json body = {{"input_prefix", "a"},    {"input_suffix", "b"},
                 {"n_predict", 40},        {"samplers", Json::array({"top_k", "temperature"})},
                 {"temperature", 100'000}, {"seed", 3},
                 {"logit_bias", biases},   {"top_k", static_cast<int64_t>(tokens.size())}};
    body.update(more);
    return body;
  }

  ServedDemo demo_{test::ServedOptions{.fills_in = true}};
};

TEST_F(InfillLines, EndWhereOneStandsTooFarLeft) {
  const std::string free = demo_.ask("/infill", body({"\n", "x"}, Json::object()))["content"];
  const size_t line = free.find('\n');
  ASSERT_NE(free.find('x', line), std::string::npos) << free;
  Json wanted = body({"\n", "x"}, {{"n_indent", 1}});
  const Json answer = demo_.ask("/infill", wanted);
  EXPECT_EQ(answer["content"], free.substr(0, line));
  EXPECT_EQ(answer["stop_type"], "limit");
  EXPECT_EQ(answer["braid"]["end"], "indent");
  EXPECT_LT(answer["tokens_predicted"], 40);
  wanted["stream"] = true;
  std::string text;
  for (const Json& event : demo_.post("/infill", wanted)->events())
    text += event["content"].get<std::string>();
  EXPECT_EQ(text, answer["content"]);
}

TEST_F(InfillLines, EndInTimeOnceThereIsOne) {
  const Json fields = {{"n_predict", 60}, {"t_max_predict_ms", 1}};
  const Json answer = demo_.ask("/infill", body({"\n"}, fields));
  EXPECT_EQ(answer["braid"]["end"], "deadline");
  EXPECT_EQ(answer["stop_type"], "limit");
  EXPECT_LT(answer["tokens_predicted"], 60);
  EXPECT_NE(answer["content"], "");
  EXPECT_EQ(demo_.ask("/infill", body({"x"}, fields))["tokens_predicted"], 60);
  const Json never = {{"n_predict", 20}, {"t_max_predict_ms", -1}};
  EXPECT_EQ(demo_.ask("/infill", body({"\n"}, never))["tokens_predicted"], 20);
}

// Behind top_k, where nothing is likely: the tokens that end a gap are known to the sampler.
TEST_F(InfillLines, EndWhereTheModelIsUnsure) {
  Json unsure = body({"x", "y", "z", "u", "v", "w"}, {{"temperature", 1}});
  Json sure = unsure;
  unsure["samplers"] = Json::array({"temperature", "top_k", "infill"});
  unsure["temperature"] = 100'000;
  EXPECT_EQ(demo_.ask("/infill", unsure)["stop_type"], "eos");
  EXPECT_EQ(demo_.ask("/infill", unsure)["content"], "");
  sure["samplers"] = Json::array({"top_k", "infill"});
  sure["top_k"] = 1;
  EXPECT_EQ(demo_.ask("/infill", sure)["tokens_predicted"], 40);
}

}  // namespace
}  // namespace braid
