#include "client/openai_stream.h"

#include "base/check.h"

#include <gtest/gtest.h>

namespace braid {
namespace {

TEST(OpenAiStream, PiecesOfChatsAndCompletions) {
  AnswerChunk chunk = parse_chunk(
      R"({"choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":null}]})");
  EXPECT_EQ(chunk.text, "Hi");
  EXPECT_EQ(chunk.finish, "");
  chunk = parse_chunk(R"({"choices":[{"index":0,"delta":{"reasoning_content":"Hm"}}]})");
  EXPECT_EQ(chunk.reasoning, "Hm");
  EXPECT_FALSE(chunk.empty());
  chunk = parse_chunk(
      R"({"choices":[{"index":0,"text":" there","token_ids":[7,9],"finish_reason":"length"}]})");
  EXPECT_EQ(chunk.text, " there");
  EXPECT_EQ(chunk.ids, (std::vector<int32_t>{7, 9}));
  EXPECT_EQ(chunk.finish, "length");
  chunk = parse_chunk(R"({"choices":[{"index":0,"text":"a","tokens":[5]}]})");
  EXPECT_EQ(chunk.ids, (std::vector<int32_t>{5}));
  chunk = parse_chunk(R"({"choices":[{"index":0,"text":"a","token_ids":[5],"tokens":[5]}]})");
  EXPECT_EQ(chunk.ids, (std::vector<int32_t>{5}));
  chunk = parse_chunk(R"({"choices":[{"index":1,"text":"of another choice"}]})");
  EXPECT_TRUE(chunk.empty());
  chunk = parse_chunk(
      R"({"choices":[{"index":0,"delta":{"content":null,"tool_calls":[{"index":0}]}}]})");
  EXPECT_TRUE(chunk.calls);
}

TEST(OpenAiStream, UsageFromAnyPlace) {
  ServerUsage usage = parse_chunk(R"({"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,
    "prompt_tokens_details":{"cached_tokens":5}}})")
                          .usage;
  EXPECT_EQ(usage.prompt, 9);
  EXPECT_EQ(usage.answer, 4);
  EXPECT_EQ(usage.cached, 5);
  usage.take(parse_chunk(R"({"choices":[],"timings":{"cache_n":6}})").usage);
  EXPECT_EQ(usage.prompt, 9);
  EXPECT_EQ(usage.cached, 6);
}

TEST(OpenAiStream, Errors) {
  EXPECT_EQ(parse_chunk(R"({"error":{"message":"no memory","code":"x"}})").error, "no memory");
  EXPECT_EQ(parse_chunk(R"({"error":"short"})").error, "short");
  EXPECT_THROW(parse_chunk("nothing"), Error);
  EXPECT_THROW(parse_chunk("[]"), Error);
  EXPECT_THROW(parse_chunk(R"({"text":"x"})"), Error);
  EXPECT_THROW(parse_chunk(R"({"choices":[3]})"), Error);

  const ServerError full = parse_server_error(
      R"({"error":{"message":"Full.","type":"overloaded","code":"queue_full"}})");
  EXPECT_EQ(full.message, "Full.");
  EXPECT_EQ(full.code, "queue_full");
  EXPECT_EQ(parse_server_error(R"({"object":"error","message":"as vLLM"})").message, "as vLLM");
  EXPECT_EQ(parse_server_error("<html>\nmore").message, "<html>");
  EXPECT_EQ(parse_server_error("").message, "no reason given");
}

}  // namespace
}  // namespace braid
