#include "server/chat_messages.h"

#include "server/api_error.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace braid {
namespace {

using Json = nlohmann::ordered_json;

Json read(const char* messages) { return read_messages(Json::parse(messages)); }

std::string refused(const char* messages) {
  try {
    read(messages);
  } catch (const ApiError& error) {
    return error.body().param;
  }
  return "taken";
}

TEST(ReadMessages, TakesAllRoles) {
  EXPECT_EQ(read(R"([{"role": "developer", "content": "Be brief."},
                     {"role": "user", "content": "Hi", "name": "Ada"},
                     {"role": "assistant", "content": "Hello", "reasoning_content": "A greeting."},
                     {"role": "user", "content": ""}])"),
            Json::parse(R"([{"role": "system", "content": "Be brief."},
                     {"role": "user", "content": "Hi", "name": "Ada"},
                     {"role": "assistant", "content": "Hello", "reasoning_content": "A greeting."},
                     {"role": "user", "content": ""}])"));
}

TEST(ReadMessages, PutsPartsTogether) {
  EXPECT_EQ(read(R"([{"role": "user", "content": [{"type": "text", "text": "a"},
                                                  {"type": "text", "text": "b"}]}])")[0]["content"],
            "a\nb");
  EXPECT_EQ(read(R"([{"role": "user", "content": []}])")[0]["content"], "");
  EXPECT_EQ(refused(R"([{"role": "user", "content": [{"type": "text", "text": "a"},
            {"type": "image_url", "image_url": {"url": "data:"}}]}])"),
            "messages[0].content[1]");
  EXPECT_EQ(refused(R"([{"role": "user", "content": [{"type": "text"}]}])"),
            "messages[0].content[0].text");
  EXPECT_EQ(refused(R"([{"role": "user", "content": [{"text": "a"}]}])"),
            "messages[0].content[0].type");
  EXPECT_EQ(refused(R"([{"role": "user", "content": ["a"]}])"), "messages[0].content[0]");
  EXPECT_EQ(refused(R"([{"role": "user", "content": [{"type": "text", "text": "a", "cite": 1}]}])"),
            "messages[0].content[0].cite");
}

TEST(ReadMessages, TakesCallsAndTheirResults) {
  const Json messages = read(
      R"([{"role": "assistant", "content": null, "refusal": null, "annotations": [],
           "tool_calls": [{"id": "c1", "index": 0, "type": "function",
                           "function": {"name": "tide", "arguments": "{\"day\": 2}"}}]},
          {"role": "tool", "tool_call_id": "c1", "content": "high"}])");
  EXPECT_EQ(messages[0]["content"], "");
  EXPECT_EQ(messages[0]["tool_calls"], Json::parse(R"([{"id": "c1", "type": "function",
                           "function": {"name": "tide", "arguments": "{\"day\": 2}"}}])"));
  EXPECT_EQ(messages[1],
            Json::parse(R"({"role": "tool", "content": "high", "tool_call_id": "c1"})"));
  const auto call = [](const std::string& text) {
    return refused((R"([{"role": "assistant", "tool_calls": [)" + text + "]}]").c_str());
  };
  EXPECT_EQ(call(R"({"function": {"arguments": "{}"}})"),
            "messages[0].tool_calls[0].function.name");
  EXPECT_EQ(call(R"({"type": "custom", "function": {"name": "a"}})"),
            "messages[0].tool_calls[0].type");
  EXPECT_EQ(call(R"({"id": "c1"})"), "messages[0].tool_calls[0].function");
  EXPECT_EQ(call(R"({"function": {"name": "a", "arguments": 5}})"),
            "messages[0].tool_calls[0].function.arguments");
  EXPECT_EQ(call(R"({"function": {"name": "a"}, "extra": 5})"), "messages[0].tool_calls[0].extra");
}

TEST(ReadMessages, RefusesWhatIsNoMessage) {
  EXPECT_EQ(refused("[]"), "messages");
  EXPECT_EQ(refused("{}"), "messages");
  EXPECT_EQ(refused(R"(["Hi"])"), "messages[0]");
  EXPECT_EQ(refused(R"([{"content": "Hi"}])"), "messages[0].role");
  EXPECT_EQ(refused(R"([{"role": "user", "content": "Hi"}, {"role": "robot", "content": "Hi"}])"),
            "messages[1].role");
  EXPECT_EQ(refused(R"([{"role": "user"}])"), "messages[0].content");
  EXPECT_EQ(refused(R"([{"role": "assistant"}])"), "messages[0].content");
  EXPECT_EQ(refused(R"([{"role": "user", "content": 5}])"), "messages[0].content");
  EXPECT_EQ(refused(R"([{"role": "user", "content": "a", "mood": "good"}])"), "messages[0].mood");
  EXPECT_EQ(refused(R"([{"role": "user", "content": "a", "tool_call_id": "c"}])"),
            "messages[0].tool_call_id");
  EXPECT_EQ(refused(R"([{"role": "user", "content": "a", "reasoning_content": "c"}])"),
            "messages[0].reasoning_content");
  EXPECT_EQ(refused(R"([{"role": "assistant", "content": "a", "refusal": "no"}])"),
            "messages[0].refusal");
}

}  // namespace
}  // namespace braid
