#include "server/api_test_support.h"

#include <cmath>
#include <cstring>

namespace braid {
namespace {

using test::Json;
using test::ServedDemo;

constexpr const char* kPath = "/v1/embeddings";

double dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

std::vector<float> vector_of(const Json& answer, size_t i = 0) {
  return answer["data"][i]["embedding"].get<std::vector<float>>();
}

std::vector<float> from_base64(const std::string& text) {
  const std::string letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  uint32_t bits = 0;
  int n = 0;
  for (const char c : text) {
    if (c == '=') break;
    bits = bits << 6 | static_cast<uint32_t>(letters.find(c));
    if ((n += 6) >= 8) bytes += static_cast<char>(bits >> (n -= 8) & 255);
  }
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

class EmbeddingsApi : public testing::Test {
 protected:
  ServedDemo demo_{test::ServedOptions{.embeds = true}};
};

TEST_F(EmbeddingsApi, TextsOfLikeMeaningLieClose) {
  const Json answer = demo_.ask(
      kPath, {{"input",
               Json::array({"Who bakes the bread?", "Who keeps the lamp?", "one two three four"})},
              {"model", "demo"}});
  EXPECT_EQ(answer["object"], "list");
  ASSERT_EQ(answer["data"].size(), 3u);
  EXPECT_EQ(answer["data"][2]["index"], 2);
  const auto a = vector_of(answer, 0), b = vector_of(answer, 1), c = vector_of(answer, 2);
  EXPECT_EQ(a.size(), 256u);
  EXPECT_NEAR(dot(a, a), 1, 1e-5);
  EXPECT_GT(dot(a, b), dot(a, c));
  EXPECT_EQ(answer["usage"]["prompt_tokens"], answer["usage"]["total_tokens"]);
  EXPECT_GT(answer["usage"]["prompt_tokens"], 9);
}

// Whatever is cached, runs beside it or comes in another form.
TEST_F(EmbeddingsApi, TheSameTextGivesTheSameVector) {
  std::string text = "One winter night,";
  for (int i = 0; i < 60; ++i) text += fmt::format(" a man called Hugo saw {} ships,", i);
  const auto alone = vector_of(demo_.ask(kPath, {{"input", text}}));
  const auto stream =
      demo_.start("POST", "/v1/completions",
                  R"({"prompt": "The harbour", "stream": true, "ignore_eos": true})");
  stream->wait_for_writes(2);
  const Json many = demo_.ask(kPath, {{"input", Json::array({"a", text, text + " and", text})}});
  stream->go();
  EXPECT_EQ(vector_of(many, 1), alone);
  EXPECT_EQ(vector_of(many, 3), alone);
  EXPECT_NE(vector_of(many, 2), alone);
  const Json ids = demo_.tokenizer().encode(text);
  EXPECT_EQ(vector_of(demo_.ask(kPath, {{"input", ids}})), alone);
  EXPECT_EQ(vector_of(demo_.ask(kPath, {{"input", Json::array({ids})}})), alone);
  const Json coded = demo_.ask(kPath, {{"input", text}, {"encoding_format", "base64"}});
  EXPECT_EQ(from_base64(coded["data"][0]["embedding"]), alone);
}

TEST_F(EmbeddingsApi, BadRequestsAreRefusedByName) {
  demo_.refusal(kPath, Json::object(), "input");
  demo_.refusal(kPath, {{"input", 5}}, "input");
  demo_.refusal(kPath, {{"input", ""}}, "input");
  demo_.refusal(kPath, {{"input", Json::array({4096})}}, "input");
  demo_.refusal(kPath, {{"input", "a"}, {"dimensions", 8}}, "dimensions");
  demo_.refusal(kPath, {{"input", "a"}, {"encoding_format", "int8"}}, "encoding_format");
  demo_.refusal(kPath, {{"input", "a"}, {"model", "other"}}, "model", 404);
  demo_.refusal(kPath, {{"input", std::vector<int>(1025, 5)}}, "input");
  demo_.scheduler().shut_down(0);
  EXPECT_EQ(demo_.post(kPath, {{"input", "a"}})->status(), 503);
}

// The name may come from a file's name.
TEST_F(EmbeddingsApi, ANameThatIsNoUtf8EndsNothing) {
  demo_.model().name = "d\xffmo";
  EXPECT_EQ(demo_.ask(kPath, {{"input", "a"}})["model"], "d\uFFFDmo");
  const auto models = demo_.get("/v1/models");
  EXPECT_EQ(models->json()["data"][0]["id"], "d\uFFFDmo");
  EXPECT_EQ(demo_.get("/v1/models/d\xffmo")->status(), 200);
}

TEST_F(EmbeddingsApi, AClientThatGoesEndsItsRequest) {
  const Json body = {
      {"input", Json::array({std::vector<int>(1000, 5), std::vector<int>(1000, 6)})}};
  const auto exchange = demo_.start("POST", kPath, body.dump());
  exchange->go();
  while (demo_.scheduler().stats().ended < 2) std::this_thread::yield();
  EXPECT_LT(demo_.scheduler().stats().prompt_rows, 2000);
}

TEST(EmbeddingsOff, AServerWithoutThemSaysHow) {
  ServedDemo demo;
  const auto exchange = demo.post(kPath, {{"input", "a"}});
  EXPECT_EQ(exchange->status(), 501);
  const std::string message = exchange->json()["error"]["message"];
  EXPECT_NE(message.find("--embeddings"), std::string::npos);
}

// More than may wait at a time, and as many as OpenAI takes.
TEST(EmbeddingsOfMany, GoInPartsThatLeaveOthersRoom) {
  ServedDemo demo({.queue = 8, .embeds = true});
  std::vector<std::string> texts;
  for (int i = 0; i < 300; ++i) texts.push_back("number " + std::to_string(i % 7));
  const Json data = demo.ask(kPath, {{"input", texts}})["data"];
  ASSERT_EQ(data.size(), 300u);
  for (size_t i = 0; i < 300; ++i) EXPECT_EQ(data[i]["embedding"], data[i % 7]["embedding"]) << i;
  EXPECT_NE(data[0]["embedding"], data[1]["embedding"]);
  EXPECT_NE(demo.refusal(kPath, {{"input", std::vector<std::string>(2049, "x")}}, "input")
                .find("at most 2048"),
            std::string::npos);
}

}  // namespace
}  // namespace braid
