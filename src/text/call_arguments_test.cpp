#include "text/call_arguments.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "text/chat_template.h"

namespace braid {
namespace {

using Json = nlohmann::ordered_json;

CallArguments wanted(const std::string& of_a_call, const std::string& before = "") {
  return wanted_call_arguments(ChatTemplate(
      "{% for m in messages %}" + before + "{% for call in m.tool_calls or [] %}" + of_a_call +
      "{% endfor %}{% if not m.tool_calls %}{{ m.content }}{% endif %}{% endfor %}"));
}

TEST(CallArguments, TheTemplateSaysWhichFormItWants) {
  const std::string arguments = "call.function.arguments";
  // Fails on texts; prints a text of a text; takes both.
  EXPECT_EQ(wanted("{% for k, v in " + arguments + " | items %}{{ k }}{{ v }}{% endfor %}"),
            CallArguments::kObjects);
  EXPECT_EQ(wanted("{{ " + arguments + " | tojson }}"), CallArguments::kObjects);
  EXPECT_EQ(wanted("{{ " + arguments + " if " + arguments + " is string else " + arguments +
                   " | tojson }}"),
            CallArguments::kObjects);
  // Fails on objects; prints them as Python does.
  EXPECT_EQ(wanted("{{ '(' + " + arguments + " + ')' }}"), CallArguments::kTexts);
  EXPECT_EQ(wanted("{{ " + arguments + " }}"), CallArguments::kTexts);
}

TEST(CallArguments, CallsMayNeedATextBesideThemOrNone) {
  const std::string call = "{{ call.function.arguments + '.' }}";
  EXPECT_EQ(
      wanted(call, "{% if m.tool_calls and m.content is not none %}{% continue %}{% endif %}"),
      CallArguments::kTexts);
  EXPECT_EQ(wanted(call, "{% if m.tool_calls and not m.content %}{% continue %}{% endif %}"),
            CallArguments::kTexts);
  EXPECT_EQ(wanted(call, "{{ m.content + '.' }}"), CallArguments::kTexts);
}

TEST(CallArguments, ATemplateWithoutCallsGetsObjects) {
  EXPECT_EQ(wanted_call_arguments(ChatTemplate("{{ messages[0].content }}")),
            CallArguments::kObjects);
  EXPECT_EQ(wanted_call_arguments(ChatTemplate("{{ raise_exception('never') }}")),
            CallArguments::kObjects);
}

Json converted(const std::string& message, CallArguments form) {
  return with_call_arguments(Json::parse(message), form);
}

TEST(CallArguments, TextsBecomeObjects) {
  const std::string message =
      R"({"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{\"b\":[1.0,\"ü\"],\"a\":null}"}},)"
      R"({"name":"g","arguments":""},{"name":"h","arguments":{"x":1}}]})";
  EXPECT_EQ(
      converted(message, CallArguments::kObjects).dump(),
      R"({"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":{"b":[1.0,"ü"],"a":null}}},)"
      R"({"name":"g","arguments":{}},{"name":"h","arguments":{"x":1}}]})");
  EXPECT_EQ(converted(message, CallArguments::kAsGiven), Json::parse(message));
}

TEST(CallArguments, ObjectsBecomeTextsAsPythonHasThem) {
  const Json message = converted(
      R"({"tool_calls":[{"function":{"arguments":{"b":[1.0,"ü\n"],"a":null,"n":1e16}}},{"arguments":"{}"}]})",
      CallArguments::kTexts);
  EXPECT_EQ(message["tool_calls"][0]["function"]["arguments"],
            R"({"b": [1.0, "ü\n"], "a": null, "n": 1e+16})");
  EXPECT_EQ(message["tool_calls"][1]["arguments"], "{}");
}

TEST(CallArguments, WhatIsNoObjectStays) {
  for (const std::string message :
       {R"({"tool_calls":[{"arguments":"{\"open"},{"arguments":"[1]"},{"arguments":"1e999"}]})",
        R"({"tool_calls":[{"arguments":null},{"arguments":[1]},{"name":"f"},"call",null]})",
        R"({"tool_calls":null})", R"({"tool_calls":{"arguments":"{}"}})", R"({"content":"x"})",
        R"({"tool_calls":[{"function":"f","arguments":3}]})"}) {
    EXPECT_EQ(converted(message, CallArguments::kObjects), Json::parse(message));
    EXPECT_EQ(converted(message, CallArguments::kTexts), Json::parse(message));
  }
}

TEST(CallArguments, TheContextHasTheChosenForm) {
  const Json messages = Json::parse(
      R"([{"role":"assistant","reasoning":"r","tool_calls":[{"name":"f","arguments":"{\"a\":1}"}]}])");
  ChatInput input;
  input.messages = &messages;
  const auto arguments = [&] {
    return make_chat_context(input)["messages"][0]["tool_calls"][0]["arguments"];
  };
  EXPECT_EQ(arguments(), R"({"a":1})");
  input.call_arguments = CallArguments::kObjects;
  EXPECT_EQ(arguments(), Json::parse(R"({"a":1})"));
}

}  // namespace
}  // namespace braid
