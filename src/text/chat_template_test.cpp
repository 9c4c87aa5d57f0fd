// Templates against what jinja2 made of them (scripts/make_jinja_vectors.py), and what is ours
// alone: messages, limits, the context from messages.
#include "text/chat_template.h"
#include "text/test_clock.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "base/check.h"

namespace braid {
namespace {

using Json = nlohmann::ordered_json;

std::string read(const std::string& name) {
  std::ifstream file(std::string(BRAID_TEST_DATA) + "/jinja/" + name, std::ios::binary);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

ChatTemplate parse(std::string source, const jinja::Limits& limits = {}) {
  ChatTemplateOptions options;
  options.limits = limits;
  options.now = fixed_time;
  return ChatTemplate(std::move(source), std::move(options));
}

std::string message_of(const std::string& source, const Json& context = Json::object(),
                       const jinja::Limits& limits = {}) {
  try {
    parse(source, limits).render(context);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// As jinja2: the same text, or an error.
void expect_same(const std::string& source, const Json& context, const Json& wanted) {
  std::string output, error;
  try {
    output = parse(source).render(context);
  } catch (const Error& met) {
    error = met.what();
  }
  if (wanted.contains("output")) {
    EXPECT_EQ(error, "") << source;
    EXPECT_EQ(output, wanted["output"].get<std::string>()) << source;
  } else {
    EXPECT_NE(error, "") << source << "\nrendered: " << output;
  }
}

TEST(ChatTemplate, RendersSnippetsAsJinja2) {
  const Json file = Json::parse(read("snippets.json"));
  EXPECT_GT(file["cases"].size(), 300u);
  for (const Json& test : file["cases"]) {
    expect_same(test["template"].get<std::string>(), file["context"], test);
  }
}

TEST(ChatTemplate, RendersTheFeatureTemplateAsJinja2) {
  const Json file = Json::parse(read("features.json"));
  expect_same(read("features.jinja"), file["context"], file["cases"][0]);
}

TEST(ChatTemplate, RendersChatsAsJinja2) {
  const Json file = Json::parse(read("chats.json"));
  EXPECT_GE(file["cases"].size(), 110u);
  for (const Json& test : file["cases"]) {
    SCOPED_TRACE(test["template"].get<std::string>() + ", chat " + test["chat"].dump());
    expect_same(read("templates/" + test["template"].get<std::string>()),
                file["chats"][test["chat"].get<size_t>()], test);
  }
}

TEST(ChatTemplate, ErrorsNameTitleLineAndCause) {
  EXPECT_EQ(message_of("a\n{{ foo.bar }}"), "chat template, line 2: 'foo' is undefined");
  EXPECT_EQ(message_of("{{ d.x.y }}", {{"d", Json::object()}}),
            "chat template, line 1: 'dict object' has no attribute 'x'");
  EXPECT_EQ(message_of("\n\n{{ raise_exception('No user query.') }}"),
            "chat template, line 3: No user query.");
  EXPECT_EQ(message_of("{% for x in [1] %}\n{{ x + 'a' }}\n{% endfor %}"),
            "chat template, line 2: cannot add values of the types 'int' and 'str'");
  EXPECT_EQ(message_of("{% macro m() %}\n{{ 1 / 0 }}{% endmacro %}\n\n{{ m() }}"),
            "chat template, line 2: division by zero");
  EXPECT_EQ(message_of("{% if x %}"), "chat template, line 1: the template ends before 'endif'");
  EXPECT_EQ(message_of("x\n{% foo %}"), "chat template, line 2: unknown tag 'foo'");
  EXPECT_EQ(message_of("{{ l.append(1) }}", {{"l", Json::array()}}),
            "chat template, line 1: access to attribute 'append' of 'list' object is unsafe");
  EXPECT_EQ(
      message_of("\n{% include 'x' %}"),
      "chat template, line 2: 'include' is refused: a chat template cannot load other templates");
  EXPECT_EQ(message_of("{{ x | pprint }}"),
            "chat template, line 1: the filter 'pprint' is not supported in chat templates");
  EXPECT_EQ(message_of("\xff"), "chat template: the text is not valid UTF-8");
  EXPECT_EQ(message_of("{{ s }}", {{"s", "\xff"}}),
            "chat template, line 1: a text of the context is not valid UTF-8");
  EXPECT_EQ(message_of("{{ raise_exception('a\\nb\\x1b[2J') }}"),
            "chat template, line 1: a\\x0ab\\x1b[2J");
}

TEST(ChatTemplate, IntegersBeyondTheRangeAreErrors) {
  for (const std::string source :
       {"{{ 9223372036854775807 + 1 }}", "{{ 2 ** 63 }}", "{{ 9223372036854775808 }}",
        "{{ big + 1 }}", "{{ '9223372036854775808' | int }}", "{{ 1e300 | int }}"}) {
    EXPECT_NE(message_of(source, {{"big", UINT64_MAX}}).find("64 bits"), std::string::npos)
        << source;
  }
}

std::string repeated(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

// Each of these would take the process's time, memory or stack.
TEST(ChatTemplate, HostileTemplatesMeetALimit) {
  jinja::Limits limits;
  limits.steps = 2'000'000;
  limits.output_bytes = 4 << 20;
  limits.live_bytes = 16 << 20;
  const std::string loop = "{% for i in range(100000) %}";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{{ 'x' * 1000000000 }}", "a text of more than"},
      {"{{ [1] * 1000000000 }}", "too many items"},
      {"{{ 'x' | center(1000000000) }}", "a text of more than"},
      {"{{ '%1000000000d' % 1 }}", "a text of more than"},
      {"{{ '{:1000000000}'.format(1) }}", "a text of more than"},
      {"{{ 'x'.ljust(1000000000) }}", "a text of more than"},
      {"{{ [1] | tojson(indent=1000000000) }}", "a text of more than"},
      {"{{ range(1000000000) }}", "range() of more than"},
      {"{{ [1] | batch(1000000000, 1) | list }}", "batch: too many items"},
      {"{{ [1] | slice(1000000000) | list }}", "slice: more than"},
      {repeated(loop, 4) + "x" + repeated("{% endfor %}", 4), "more than"},
      {loop + repeated("x", 1000) + "{% endfor %}", "a text of more than"},
      {"{% set ns = namespace(x='ab') %}" + loop + "{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
       "a text of more than"},
      {"{% set ns = namespace(x=[1, 2]) %}" + loop + "{% set ns.x = ns.x + ns.x %}{% endfor %}",
       "bytes of values"},
      {"{% set ns = namespace(x=[1]) %}" + loop + "{% set ns.x = [ns.x, ns.x] %}{% endfor %}",
       "nested more than"},
      {"{% set ns = namespace(x=[1]) %}{% for i in range(100) %}{% set ns.x = [ns.x, ns.x] %}"
       "{% endfor %}{{ ns.x }}",
       "more than"},
      {"{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(100) %}{% set ns.x = [ns.x, ns.x] "
       "%}"
       "{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
       "steps"},
      {"{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}", "inside one another"},
      {"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "inside one another"},
      {"{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "inside one another"},
      {"{{ " + repeated("(", 5000) + "1" + repeated(")", 5000) + " }}", "nested more than"},
      {"{{ " + repeated("[", 5000) + repeated("]", 5000) + " }}", "nested more than"},
      {"{{ " + repeated("not ", 5000) + "1 }}", "nested more than"},
      {"{{ 1" + repeated(" if 1 else 1", 5000) + " }}", "nested more than"},
      {"{{ 1" + repeated(" + 1", 5000) + " }}", "too long"},
      {"{{ x" + repeated(".a", 5000) + " }}", "too long"},
      {"{{ x" + repeated("|list", 5000) + " }}", "too long"},
      {repeated("{% if 1 %}", 5000) + repeated("{% endif %}", 5000), "nested more than"},
      {repeated("x", 2 << 20), "bytes, at most"},
  };
  for (const auto& [source, wanted] : cases) {
    const std::string message = message_of(source, Json::object(), limits);
    EXPECT_NE(message.find(wanted), std::string::npos) << source.substr(0, 200) << "\n" << message;
  }
}

// Chains of values that only a deep recursion would free, and cycles that nobody would.
TEST(ChatTemplate, LongChainsOfValuesAreFreed) {
  for (const std::string body :
       {"{% set ns.x = namespace(old=ns.x) %}",
        "{% macro wrap(old) %}{% macro new() %}{{ old }}{% endmacro %}{% set ns.x = new %}{% "
        "endmacro %}"
        "{{ wrap(ns.x) }}",
        "{% macro put() %}{% set ns.x = caller %}{% endmacro %}"
        "{% macro wrap(old) %}{% call put() %}{{ old }}{% endcall %}{% endmacro %}{{ wrap(ns.x) }}",
        "{% macro wrap(old) %}{% for y in [1] %}{% set ns.x = loop %}{% endfor %}{% endmacro %}"
        "{{ wrap(ns.x) }}",
        "{% for y in [1] %}{% set _ = loop.changed(loop) %}{% set ns.x = loop %}{% endfor %}"}) {
    const std::string source =
        "{% set ns = namespace(x=1) %}{% for i in range(30000) %}" + body + "{% endfor %}done";
    EXPECT_EQ(parse(source).render(Json::object()), "done") << body;
  }
}

TEST(ChatTemplate, TheContextMayNotBeNestedTooDeep) {
  Json deep = 1;
  for (int i = 0; i < 300; ++i) deep = Json::array({deep});
  EXPECT_NE(message_of("{{ x }}", {{"x", deep}}).find("nested more than"), std::string::npos);
}

TEST(ChatTemplate, RendersOnSeveralThreadsAtOnce) {
  const ChatTemplate chat = parse(read("templates/qwen3.5.jinja"));
  const Json file = Json::parse(read("chats.json"));
  const std::string wanted = chat.render(file["chats"][10]);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) EXPECT_EQ(chat.render(file["chats"][10]), wanted);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(ChatTemplate, TheClockIsLocalTimeUnlessGiven) {
  const std::string year = ChatTemplate("{{ strftime_now('%Y') }}").render(Json::object());
  EXPECT_EQ(year.size(), 4u);
  EXPECT_GE(year, "2024");
}

TEST(ChatContext, HasTheNamesOfApplyChatTemplate) {
  const Json messages = Json::parse(R"([{"role": "user", "content": "x"}])");
  const Json extra = {{"enable_thinking", false}, {"messages", "not these"}};
  ChatInput input;
  input.messages = &messages;
  input.bos_token = "<s>";
  input.extra = &extra;
  EXPECT_EQ(
      make_chat_context(input).dump(),
      R"({"bos_token":"<s>","enable_thinking":false,"messages":[{"role":"user","content":"x"}],)"
      R"("tools":null,"documents":null,"add_generation_prompt":true})");
}

TEST(ChatContext, ReasoningHasBothItsNames) {
  const Json messages = Json::parse(
      R"([{"role":"assistant","reasoning":"r"},{"role":"assistant","thinking":"t"},
          {"role":"assistant","thinking":null,"reasoning_content":"c"},{"role":"user"}])");
  ChatInput input;
  input.messages = &messages;
  EXPECT_EQ(make_chat_context(input)["messages"].dump(),
            R"([{"thinking":"r","role":"assistant","reasoning":"r","reasoning_content":"r"},)"
            R"({"thinking":"t","role":"assistant","reasoning_content":"t"},)"
            R"({"thinking":null,"role":"assistant","reasoning_content":"c"},{"role":"user"}])");
}

// Servers get the arguments of calls as texts: conversation 30 is 25 with texts.
TEST(ChatContext, CallsWithTextsRenderAsThoseWithObjects) {
  const Json chats = Json::parse(read("chats.json"))["chats"];
  ASSERT_NE(chats[25]["messages"], chats[30]["messages"]);
  for (const std::string name : {"qwen3", "qwen3-coder", "qwen3.5"}) {
    const ChatTemplate chat = parse(read("templates/" + name + ".jinja"));
    EXPECT_EQ(wanted_call_arguments(chat), CallArguments::kObjects) << name;
    ChatInput input;
    input.messages = &chats[30]["messages"];
    input.tools = &chats[30]["tools"];
    input.call_arguments = CallArguments::kObjects;
    EXPECT_EQ(chat.render(make_chat_context(input)), chat.render(chats[25])) << name;
  }
}

TEST(ChatContext, MessagesAreObjects) {
  const Json messages = Json::parse(R"(["hello"])");
  ChatInput input;
  input.messages = &messages;
  EXPECT_THROW(make_chat_context(input), Error);
}

TEST(ChatTemplate, KnowsItsVariables) {
  const ChatTemplate t(
      "{# loud #}{% if thinking %}quiet{{ messages[0].role ~ 'soft' }}{% endif %}{{ x.attribute "
      "}}");
  for (const char* name : {"thinking", "messages", "x"}) EXPECT_TRUE(t.knows(name)) << name;
  for (const char* name : {"loud", "quiet", "soft", "role", "attribute", "if", "", "think"})
    EXPECT_FALSE(t.knows(name)) << name;
}

}  // namespace
}  // namespace braid
