// Chat completions and models on the demo model: what goes in, what comes out.
#include "server/api_test_support.h"

#include <thread>

namespace braid {
namespace {

using test::Json;
using test::ServedDemo;

constexpr const char* kChat = "/v1/chat/completions";

Json message(const char* role, const Json& content) {
  return {{"role", role}, {"content", content}};
}

// A question with a short answer, and `more` fields.
Json question(const Json& more = Json::object()) {
  Json body = {{"messages", Json::array({message("user", "What is 3 plus 4?")})},
               {"max_tokens", 24}};
  body.update(more);
  return body;
}

class ChatApi : public testing::Test {
 protected:
  // The same field by field: what a question with `more` is refused for.
  std::string refused(const Json& more, const std::string& param) {
    return demo_.refusal(kChat, question(more), param);
  }
  Json answer(const Json& more = Json::object()) { return demo_.ask(kChat, question(more)); }
  static std::string content(const Json& answer, size_t choice = 0) {
    return answer["choices"][choice]["message"]["content"];
  }
  ServedDemo demo_;
};

TEST_F(ChatApi, AnswersWhole) {
  const Json answer = this->answer({{"max_tokens", 200}, {"model", "demo"}});
  EXPECT_TRUE(answer["id"].get<std::string>().starts_with("chatcmpl-"));
  EXPECT_EQ(answer["object"], "chat.completion");
  EXPECT_EQ(answer["model"], "demo");
  EXPECT_TRUE(answer["system_fingerprint"].get<std::string>().starts_with("braid-"));
  EXPECT_GT(answer["created"], 1'700'000'000);
  ASSERT_EQ(answer["choices"].size(), 1u);
  const Json& choice = answer["choices"][0];
  EXPECT_EQ(choice["index"], 0);
  EXPECT_EQ(choice["finish_reason"], "stop");
  EXPECT_EQ(choice["logprobs"], nullptr);
  const Json& said = choice["message"];
  EXPECT_EQ(said["role"], "assistant");
  EXPECT_TRUE(said["content"].get<std::string>().starts_with("3 + 4 is ")) << said;
  EXPECT_FALSE(said["reasoning_content"].get<std::string>().empty());
  EXPECT_EQ(said["content"].get<std::string>().find("think>"), std::string::npos) << said;
  const Json& usage = answer["usage"];
  EXPECT_GT(usage["prompt_tokens"], 10);
  EXPECT_GT(usage["completion_tokens"], 3);
  EXPECT_EQ(usage["total_tokens"],
            usage["prompt_tokens"].get<int>() + usage["completion_tokens"].get<int>());
  EXPECT_GT(usage["completion_tokens_details"]["reasoning_tokens"], 1);
  EXPECT_LT(usage["completion_tokens_details"]["reasoning_tokens"], usage["completion_tokens"]);
  EXPECT_EQ(answer["braid"]["end"], "end");
  EXPECT_FALSE(choice.contains("braid"));
}

// The stream's events put together are the whole answer.
TEST_F(ChatApi, StreamsTheSame) {
  const Json whole = answer({{"max_tokens", 200}, {"logprobs", true}, {"top_logprobs", 2}});
  const auto exchange =
      demo_.post(kChat, question({{"max_tokens", 200},
                                  {"logprobs", true},
                                  {"top_logprobs", 2},
                                  {"stream", true},
                                  {"stream_options", {{"include_usage", true}}}}));
  EXPECT_EQ(exchange->status(), 200);
  EXPECT_EQ(exchange->type(), "text/event-stream");
  EXPECT_EQ(exchange->ping_piece(), ": ping\n\n");
  const std::vector<Json> events = exchange->events();
  ASSERT_GT(events.size(), 6u);
  EXPECT_EQ(events[0]["choices"][0]["delta"], Json({{"role", "assistant"}, {"content", ""}}));
  EXPECT_EQ(events.back(), "[DONE]");
  const Json &usage = events[events.size() - 2], &last = events[events.size() - 3];
  EXPECT_EQ(usage["choices"], Json::array());
  EXPECT_EQ(usage["usage"]["completion_tokens"], whole["usage"]["completion_tokens"]);
  EXPECT_EQ(last["choices"][0]["delta"], Json::object());
  EXPECT_EQ(last["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(last["braid"]["end"], "end");
  std::string thinking, content;
  Json notes = Json::array();
  int content_events = 0;
  for (size_t i = 1; i + 3 < events.size(); ++i) {
    EXPECT_EQ(events[i]["object"], "chat.completion.chunk");
    EXPECT_EQ(events[i]["id"], events[0]["id"]);
    EXPECT_EQ(events[i]["usage"], nullptr);
    const Json& choice = events[i]["choices"][0];
    EXPECT_EQ(choice["finish_reason"], nullptr);
    thinking += choice["delta"].value("reasoning_content", "");
    content += choice["delta"].value("content", "");
    content_events += choice["delta"].contains("content");
    if (!choice["logprobs"].is_null())
      for (const Json& note : choice["logprobs"]["content"]) notes.push_back(note);
  }
  EXPECT_GT(content_events, 2);
  EXPECT_EQ(content, this->content(whole));
  EXPECT_EQ(thinking, whole["choices"][0]["message"]["reasoning_content"]);
  EXPECT_EQ(notes, whole["choices"][0]["logprobs"]["content"]);
}

TEST_F(ChatApi, LogprobsAreOfTheContent) {
  const Json answer = this->answer({{"max_tokens", 200}, {"logprobs", true}, {"top_logprobs", 3}});
  std::string text;
  for (const Json& note : answer["choices"][0]["logprobs"]["content"]) {
    text += note["token"].get<std::string>();
    std::string bytes;
    for (const Json& byte : note["bytes"]) bytes += static_cast<char>(byte.get<int>());
    EXPECT_EQ(bytes, note["token"]);
    ASSERT_EQ(note["top_logprobs"].size(), 3u);
    EXPECT_EQ(note["top_logprobs"][0]["token"], note["token"]);  // temperature 0
    EXPECT_EQ(note["top_logprobs"][0]["logprob"], note["logprob"]);
    EXPECT_GE(note["top_logprobs"][1]["logprob"], note["top_logprobs"][2]["logprob"]);
    EXPECT_LE(note["logprob"], 0);
  }
  EXPECT_EQ(text, content(answer));
  EXPECT_EQ(
      this->answer({{"max_tokens", 200},
                    {"logprobs", true}})["choices"][0]["logprobs"]["content"][0]["top_logprobs"],
      Json::array());
  refused({{"top_logprobs", 3}}, "top_logprobs");
  refused({{"logprobs", true}, {"top_logprobs", 21}}, "top_logprobs");
  refused({{"logprobs", 3}}, "logprobs");
}

TEST_F(ChatApi, ModelsAreListedAndNamed) {
  const Json list = demo_.get("/v1/models")->json();
  EXPECT_EQ(list["object"], "list");
  ASSERT_EQ(list["data"].size(), 1u);
  EXPECT_EQ(list["data"][0]["id"], "demo");
  EXPECT_EQ(list["data"][0]["object"], "model");
  EXPECT_EQ(list["data"][0]["created"], 1'700'000'000);
  EXPECT_EQ(demo_.get("/models/demo")->json(), list["data"][0]);
  EXPECT_EQ(demo_.get("/v1/models/other")->status(), 404);
  EXPECT_EQ(demo_.get("/v1/models/other")->json()["error"]["code"], "model_not_found");
  EXPECT_NE(demo_.refusal(kChat, question({{"model", "gpt-4o"}}), "model", 404).find("\"demo\""),
            std::string::npos);
  EXPECT_EQ(demo_.post("/chat/completions", question())->status(), 200);
}

TEST_F(ChatApi, LengthsAreHeld) {
  const Json four = answer({{"max_tokens", 4}});
  EXPECT_EQ(four["usage"]["completion_tokens"], 4);
  EXPECT_EQ(four["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(four["braid"]["end"], "length");
  Json body = question({{"max_completion_tokens", 3}});
  body.erase("max_tokens");
  EXPECT_EQ(demo_.ask(kChat, body)["usage"]["completion_tokens"], 3);
  EXPECT_EQ(answer({{"max_completion_tokens", 24}})["usage"]["completion_tokens"],
            answer()["usage"]["completion_tokens"]);
  refused({{"max_completion_tokens", 25}}, "max_completion_tokens");
  refused({{"max_tokens", -2}}, "max_tokens");
  refused({{"max_tokens", "many"}}, "max_tokens");
  EXPECT_EQ(answer({{"max_tokens", 0}})["usage"]["completion_tokens"], 0);
}

TEST_F(ChatApi, APromptBeyondTheContextIsRefusedWithBothNumbers) {
  std::string long_text;
  for (int i = 0; i < 600; ++i) long_text += fmt::format("{} and ", i);
  const auto exchange =
      demo_.post(kChat, {{"messages", Json::array({message("user", long_text)})}});
  EXPECT_EQ(exchange->status(), 400);
  const Json error = exchange->json()["error"];
  EXPECT_EQ(error["code"], "context_length_exceeded");
  EXPECT_EQ(error["param"], "messages");
  const std::string text = error["message"];
  EXPECT_NE(text.find("the context of this server 1024"), std::string::npos) << text;
  EXPECT_TRUE(text.starts_with("the prompt has ")) << text;
}

TEST_F(ChatApi, StopStringsEndAnAnswer) {
  const std::string all = content(answer({{"max_tokens", 200}}));
  ASSERT_GT(all.size(), 8u);
  const std::string stop = all.substr(4, 3);
  for (const Json& stops : {Json(stop), Json::array({"\x01never", stop})}) {
    const Json cut = answer({{"max_tokens", 200}, {"stop", stops}});
    EXPECT_EQ(content(cut), all.substr(0, all.find(stop)));
    EXPECT_EQ(cut["choices"][0]["finish_reason"], "stop");
    EXPECT_EQ(cut["braid"]["end"], "stop");
  }
  refused({{"stop", Json::array({1})}}, "stop");
  refused({{"stop", ""}}, "stop");
  refused({{"stop", Json::array({"a", std::string(1001, 'x')})}}, "stop");
  refused({{"stop", Json::array({"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m",
                                 "n", "o", "p", "q"})}},
          "stop");
}

TEST_F(ChatApi, ChoicesHaveSeedsOfTheirOwn) {
  const Json more = {{"n", 3}, {"temperature", 1.5}, {"seed", 7}, {"max_tokens", 12}};
  const Json three = answer(more);
  ASSERT_EQ(three["choices"].size(), 3u);
  EXPECT_EQ(three["choices"][2]["index"], 2);
  EXPECT_EQ(three["choices"][2]["braid"]["seed"], 9);
  EXPECT_EQ(three["usage"]["completion_tokens"], 36);
  const auto thought = [](const Json& answer, size_t i) {
    return answer["choices"][i]["message"].value("reasoning_content", "") + content(answer, i);
  };
  EXPECT_NE(thought(three, 0), thought(three, 1));
  const Json alone = answer({{"temperature", 1.5}, {"seed", 9}, {"max_tokens", 12}});
  EXPECT_EQ(thought(alone, 0), thought(three, 2));
  EXPECT_EQ(alone["usage"]["prompt_tokens"], three["usage"]["prompt_tokens"]);
  // A seed that nobody chose is told, and makes the same answer.
  const Json any = answer({{"temperature", 1.5}, {"max_tokens", 12}});
  const Json again =
      answer({{"temperature", 1.5}, {"max_tokens", 12}, {"seed", any["braid"]["seed"]}});
  EXPECT_EQ(thought(any, 0), thought(again, 0));
  // Streamed, the choices are told apart by their index.
  const auto exchange =
      demo_.post(kChat, question(Json(more).patch(
                            Json::parse(R"([{"op": "add", "path": "/stream", "value": true}])"))));
  std::vector<std::string> streamed(3);
  for (const Json& event : exchange->events())
    if (event.is_object())
      for (const Json& choice : event["choices"]) {
        std::string& text = streamed[choice["index"].get<size_t>()];
        text += choice["delta"].value("reasoning_content", "");
        text += choice["delta"].value("content", "");
      }
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(streamed[i], thought(three, i));
  refused({{"n", 0}}, "n");
  refused({{"n", 129}}, "n");
}

TEST_F(ChatApi, ABiasBansATokenOrForcesIt) {
  const std::string all = answer()["choices"][0]["message"]["reasoning_content"];
  const auto first = demo_.tokenizer().encode(all.substr(0, 12))[0];
  const std::string id = std::to_string(first);
  for (const Json& bias : {Json({{id, -100}}), Json::array({Json::array({first, false})})}) {
    const std::string other =
        answer({{"logit_bias", bias}})["choices"][0]["message"]["reasoning_content"];
    EXPECT_NE(other.substr(0, 4), all.substr(0, 4));
  }
  const auto seven = demo_.tokenizer().encode("7")[0];
  const Json forced = answer({{"logit_bias", {{std::to_string(seven), 1000}}}, {"max_tokens", 5}});
  EXPECT_EQ(forced["choices"][0]["message"]["reasoning_content"], "77777");
  refused({{"logit_bias", {{"99999999", 1}}}}, "logit_bias");
  refused({{"logit_bias", {{"-1", 1}}}}, "logit_bias");
  refused({{"logit_bias", {{"12x", 1}}}}, "logit_bias");
  refused({{"logit_bias", {{"12", "much"}}}}, "logit_bias");
  refused({{"logit_bias", 5}}, "logit_bias");
  refused({{"logit_bias", std::vector<Json>(4097, Json::array({12, 1}))}}, "logit_bias");
  refused({{"logit_bias", Json::array({Json::array({12})})}}, "logit_bias");
}

// ---- Thinking

TEST_F(ChatApi, ThinkingCanBeSwitchedOff) {
  for (const Json& off : {Json({{"enable_thinking", false}}), Json({{"reasoning_effort", "none"}}),
                          Json({{"chat_template_kwargs", {{"enable_thinking", false}}}})}) {
    const Json said = answer(off)["choices"][0]["message"];
    EXPECT_FALSE(said.contains("reasoning_content")) << said;
    EXPECT_FALSE(said["content"].get<std::string>().empty());
  }
  EXPECT_EQ(answer({{"reasoning_effort", "high"}})["choices"][0], answer()["choices"][0]);
  refused({{"reasoning_effort", "enormous"}}, "reasoning_effort");
  refused({{"enable_thinking", "no"}}, "enable_thinking");
  refused({{"chat_template_kwargs", {{"loudness", 3}}}}, "chat_template_kwargs.loudness");
  refused({{"chat_template_kwargs", {{"messages", 3}}}}, "chat_template_kwargs.messages");
  // What stands in the template as a text is no name, and the vocabulary's tokens are not to be
  // set.
  refused({{"chat_template_kwargs", {{"im_start", 3}}}}, "chat_template_kwargs.im_start");
  refused({{"chat_template_kwargs", {{"eos_token", "x"}}}}, "chat_template_kwargs.eos_token");
  refused({{"chat_template_kwargs", true}}, "chat_template_kwargs");
}

TEST_F(ChatApi, ThoughtsEndWithTheirBudget) {
  const std::string all =
      answer({{"max_tokens", 200}})["choices"][0]["message"]["reasoning_content"];
  for (const char* name : {"thinking_budget_tokens", "thinking_budget", "reasoning_budget"}) {
    const Json cut = answer({{"max_tokens", 200}, {name, 3}});
    const Json& said = cut["choices"][0]["message"];
    const std::string thought = said["reasoning_content"];
    EXPECT_EQ(thought, all.substr(0, thought.size()));
    EXPECT_LT(thought.size(), all.size());
    EXPECT_FALSE(said["content"].get<std::string>().empty());
    EXPECT_EQ(said["content"].get<std::string>().find("think>"), std::string::npos);
    EXPECT_LE(cut["usage"]["completion_tokens_details"]["reasoning_tokens"], 3 + 3);
  }
  // Also where the model itself would never end them.
  const auto end = demo_.tokenizer().encode("</think>").at(0);
  const Json forced = answer(
      {{"max_tokens", 40}, {"thinking_budget", 3}, {"logit_bias", {{std::to_string(end), -1000}}}});
  EXPECT_FALSE(content(forced).empty());
  EXPECT_EQ(forced["usage"]["completion_tokens_details"]["reasoning_tokens"], 3 + 2);
  const Json none = answer({{"max_tokens", 200}, {"thinking_budget", 0}});
  EXPECT_FALSE(none["choices"][0]["message"].contains("reasoning_content"));
  EXPECT_EQ(content(none), content(answer({{"max_tokens", 200}, {"enable_thinking", false}})));
  EXPECT_EQ(answer({{"thinking_budget", -1}})["choices"], answer()["choices"]);
  refused({{"thinking_budget", -2}}, "thinking_budget");
  refused({{"thinking_budget", 5}, {"reasoning_budget", 6}}, "reasoning_budget");
}

// ---- Cache

TEST_F(ChatApi, AnAnswerTellsWhatWasReusedAndWhyNoMore) {
  Json body = {{"messages", Json::array({message("system", "You live in Tidewell."),
                                         message("user", "Who keeps the lamp?")})},
               {"max_tokens", 4}};
  const Json first = demo_.ask(kChat, body);
  EXPECT_EQ(first["usage"]["prompt_tokens_details"]["cached_tokens"], 0);
  EXPECT_EQ(first["braid"]["cache"]["missed"], "new");
  const Json again = demo_.ask(kChat, body);
  EXPECT_EQ(again["usage"]["prompt_tokens_details"]["cached_tokens"],
            again["usage"]["prompt_tokens"].get<int>() - 1);
  EXPECT_EQ(again["braid"]["cached_tokens"], again["usage"]["prompt_tokens"].get<int>() - 1);
  EXPECT_EQ(again["braid"]["cache"]["missed"], "nothing");
  EXPECT_EQ(again["braid"]["timings"]["prompt_n"], 1);
  body["messages"][1]["content"] = "Who bakes the bread?";
  const Json other = demo_.ask(kChat, body);
  const Json& cache = other["braid"]["cache"];
  EXPECT_GT(other["usage"]["prompt_tokens_details"]["cached_tokens"], 5);
  EXPECT_EQ(cache["first_new"]["text"], " bakes") << cache;
  EXPECT_EQ(cache["first_new"]["cached_text"], " keeps") << cache;
  EXPECT_EQ(cache["first_new"]["index"], cache["known_tokens"]);
}

// What one client wrote neither serves nor shows itself to another.
TEST(ChatApiKeys, EachKeyHasACacheOfItsOwn) {
  ServedDemo demo;
  Json body = question({{"max_tokens", 4}});
  const auto ask = [&](int key) {
    demo.set_key(key);
    return demo.ask(kChat, body)["braid"];
  };
  ask(0);
  for (const int other : {1, -1}) {
    const Json cache = ask(other);
    EXPECT_EQ(cache["cached_tokens"], 0) << cache;
    EXPECT_EQ(cache["cache"]["known_tokens"], 0) << cache;
    EXPECT_EQ(cache["cache"]["missed"], "new") << cache;
  }
  EXPECT_GT(ask(0)["cached_tokens"], 10);
  body["messages"][0]["content"] = "What is 3 times 5?";
  EXPECT_EQ(ask(0)["cache"]["first_new"]["cached_text"], " plus");
}

TEST_F(ChatApi, ProgressIsToldWhenAsked) {
  const auto exchange = demo_.post(kChat, question({{"stream", true}, {"return_progress", true}}));
  const std::vector<Json> events = exchange->events();
  const Json& progress = events[0]["prompt_progress"];
  EXPECT_EQ(progress["processed"], progress["total"]);
  EXPECT_EQ(progress["cache"], 0);
  EXPECT_EQ(events[0]["choices"], Json::array());
  refused({{"return_progress", true}}, "return_progress");
}

// ---- Ends

TEST_F(ChatApi, AClientThatGoesEndsItsRequest) {
  const auto exchange = demo_.start(
      "POST", kChat,
      question({{"stream", true}, {"max_tokens", 900}, {"ignore_eos", true}, {"n", 2}}).dump());
  exchange->wait_for_writes(8);
  exchange->go();
  while (demo_.scheduler().stats().ended < 2) std::this_thread::yield();
  EXPECT_LT(demo_.scheduler().stats().answer_tokens, 1600);
  EXPECT_EQ(demo_.scheduler().stats().failed, 0);
  // One that has gone before anything was sent.
  const auto whole =
      demo_.start("POST", kChat, question({{"max_tokens", 900}, {"ignore_eos", true}}).dump());
  whole->go();
  while (demo_.scheduler().stats().ended < 3) std::this_thread::yield();
  EXPECT_EQ(whole->status(), 0);
}

TEST_F(ChatApi, DeadlinesHold) {
  const Json cut = answer({{"timeout", 0.05}, {"max_tokens", 900}, {"ignore_eos", true}});
  EXPECT_EQ(cut["braid"]["end"], "deadline");
  EXPECT_EQ(cut["choices"][0]["finish_reason"], "length");
  const auto late = demo_.post(kChat, question({{"timeout", 0.001}, {"n", 8}}));
  if (late->status() != 200) {
    EXPECT_EQ(late->status(), 504);
    EXPECT_EQ(late->json()["error"]["code"], "deadline_exceeded");
  }
  demo_.set_waited(std::chrono::seconds(100));
  EXPECT_EQ(demo_.post(kChat, question({{"timeout", 99}}))->status(), 504);
  EXPECT_EQ(demo_.post(kChat, question({{"timeout", 1000}, {"max_tokens", 1}}))->status(), 200);
  demo_.set_waited(std::chrono::seconds(0));
  refused({{"timeout", 0}}, "timeout");
  refused({{"timeout", "soon"}}, "timeout");
}

TEST(ChatApiQueue, AFullQueueSaysWhenToComeAgain) {
  ServedDemo demo({.sequences = 1, .queue = 2});
  const std::string endless =
      question({{"max_tokens", 900}, {"ignore_eos", true}, {"stream", true}}).dump();
  std::vector<std::shared_ptr<test::FakeExchange>> exchanges;
  for (int i = 0; i < 8; ++i) exchanges.push_back(demo.start("POST", kChat, endless));
  int refused = 0;
  for (const auto& exchange : exchanges) {
    if (exchange->status() == 503) {
      ++refused;
      EXPECT_EQ(exchange->headers().at(0).first, "Retry-After");
      EXPECT_EQ(exchange->json()["error"]["code"], "queue_full");
      EXPECT_EQ(exchange->json()["error"]["type"], "unavailable_error");
    }
    exchange->go();
  }
  EXPECT_GE(refused, 3);
}

// Several choices, of which some found room: none of them runs on.
TEST(ChatApiQueue, AFullQueueEndsWhatWasBegun) {
  ServedDemo demo({.sequences = 1, .queue = 8});
  Json more = {{"n", 5}, {"max_tokens", 900}, {"ignore_eos", true}};
  const auto others = demo.start("POST", kChat, question(more).dump());
  more["n"] = 8;
  const auto many = demo.start("POST", kChat, question(more).dump());
  EXPECT_EQ(many->wait().status(), 503);
  others->go();
  demo.scheduler().shut_down(60);  // what still runs would run to its end
  EXPECT_LT(demo.scheduler().stats().answer_tokens, 800);
  EXPECT_EQ(demo.post(kChat, question())->status(), 503);
}

TEST_F(ChatApi, AShutdownEndsAStreamWithWhatThereIs) {
  const auto exchange =
      demo_.start("POST", kChat,
                  question({{"stream", true}, {"max_tokens", 900}, {"ignore_eos", true}}).dump());
  exchange->wait_for_writes(5);
  demo_.scheduler().shut_down(0);
  const auto events = exchange->wait().events();
  EXPECT_EQ(events.back(), "[DONE]");
  EXPECT_EQ(events[events.size() - 2]["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(events[events.size() - 2]["braid"]["end"], "shutdown");
}

// An expression that takes too many steps fails in the middle of its request.
TEST_F(ChatApi, AFailureInAStreamIsAnEvent) {
  const int32_t only = demo_.tokenizer().encode(" a")[0];
  const Json slow = {{"logit_bias", {{std::to_string(only), 1000}}},
                     {"banned_regex", "( a| a a)+[cd]"},
                     {"banbuffer_size", 64},
                     {"max_tokens", 100},
                     {"enable_thinking", false}};
  EXPECT_EQ(demo_.post(kChat, question(slow))->status(), 400);
  Json streamed = slow;
  streamed["stream"] = true;
  const auto exchange = demo_.post(kChat, question(streamed));
  EXPECT_EQ(exchange->status(), 200);
  EXPECT_EQ(exchange->events().back()["error"]["code"], "regex_too_slow");
  EXPECT_EQ(demo_.post(kChat, question())->status(), 200);
}

TEST_F(ChatApi, HeadersThatChangeEachTimeDoNot) {
  const auto asked = [&](const std::string& header, const Json& more = Json::object()) {
    std::string system = header + "\nYou are brief.";
    for (int i = 0; i < 40; ++i) system += " Be kind.";
    Json body = {{"messages", Json::array({message("system", system), message("user", "Hello")})},
                 {"max_tokens", 2}};
    body.update(more);
    return demo_.ask(kChat, body)["braid"]["cache"];
  };
  const std::string header = "x-anthropic-billing-header: cc_version=2.1; cch=";
  EXPECT_EQ(asked(header + "1a2;")["steadied"], "x-anthropic-billing-header");
  EXPECT_EQ(asked(header + "f37;")["missed"], "nothing");
  const Json kept = asked(header + "f37;", {{"keep_volatile", true}});
  EXPECT_NE(kept["missed"], "nothing");
  EXPECT_FALSE(kept.contains("steadied"));
}

// What stands before a date is used again when it is another.
TEST_F(ChatApi, ASnapshotStandsBeforeADate) {
  std::string before = "You are brief.";
  for (int i = 0; i < 40; ++i) before += " Be kind.";
  const auto asked = [&](const std::string& date) {
    const std::string system = before + " Today is " + date + ". Answer briefly.";
    return demo_
        .ask(kChat, {{"messages",
                      Json::array({message("system", system), message("user", "Hello there")})},
                     {"max_tokens", 1}})["braid"]["cached_tokens"]
        .get<int64_t>();
  };
  asked("2026-11-22");
  const auto known = static_cast<int64_t>(demo_.tokenizer().encode(before).size());
  EXPECT_GE(asked("2027-01-03"), known - 16);
  EXPECT_GE(asked("2025-10-04"), known);
}

}  // namespace
}  // namespace braid
