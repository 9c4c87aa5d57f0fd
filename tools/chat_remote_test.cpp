// braid chat --url: a conversation with a server in this process whose answers a test decides.
#include "tools/chat_remote.h"

#include "base/check.h"
#include "tools/command_test_support.h"
#include "tools/server_test_support.h"

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace braid {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

std::string event(const Json& json) { return "data: " + json.dump() + "\n\n"; }
std::string delta(const char* name, const char* text) {
  return event({{"choices", {{{"index", 0}, {"delta", {{name, text}}}}}}});
}
const std::string kEnd =
    R"(data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":5}}})"
    "\n\ndata: [DONE]\n\n";

class ChatRemote : public testing::Test {
 protected:
  void start() {
    RemoteChatOptions options;
    options.target = HttpTarget::of_url(server_.url());
    remote_.emplace(options);
    ChatModel model;
    model.context = remote_->context();
    model.answer = [this](const Json& messages, const Json& extra, const ChatSettings& settings,
                          const auto& on_text) {
      RemoteChatListener listener;
      listener.text = [&](const AnswerText& piece) {
        on_text(piece);
        if (holds_) stop_ = true;
      };
      listener.progress = [this](int64_t done, int64_t total) { progress_ = {done, total}; };
      listener.stop = [this] { return stop_.load(); };
      return remote_->answer(messages, extra, settings, listener);
    };
    ChatOptions chat;
    chat.settings.elsewhere = true;
    session_.emplace(model, chat, screen_);
  }
  std::string type(const std::string& line) {
    if (!session_) start();
    shown_.clear();
    session_->handle(line);
    return shown_;
  }
  Json body() { return server_.bodies().back(); }
  std::string session_draft() { return session_->take_draft(); }
  const Json& messages() const { return session_->conversation().messages(); }

  std::string events_ = delta("content", "Yes") + delta("content", ".") + kEnd;
  int status_ = 200;
  bool holds_ = false;
  std::atomic<bool> stop_{false}, gone_{false};
  std::pair<int64_t, int64_t> progress_{0, 0};
  test::FakeServer server_{[this](Exchange& exchange, const Json&, size_t) { answer(exchange); }};

 private:
  void answer(Exchange& exchange) {
    if (status_ != 200)
      return exchange.reply(status_, "application/json",
                            R"({"error":{"message":"Too long by 7 tokens.","code":"x"}})");
    exchange.begin(200, "text/event-stream");
    exchange.write(events_);
    if (holds_) {
      const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
      while (!exchange.gone() && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      gone_ = exchange.gone();
    }
    exchange.end();
  }

  std::string shown_;
  ChatScreen screen_{{.terminal = true}, [this](std::string_view bytes) { shown_ += bytes; }};
  std::optional<RemoteChat> remote_;
  std::optional<ChatSession> session_;
};

TEST_F(ChatRemote, MessagesGoAndAnswersCome) {
  EXPECT_THAT(type("Hello?"), testing::StartsWith("Yes.\n[9 tokens in (5 reused), 4 out"));
  EXPECT_THAT(type("/tokens"), HasSubstr("13 tokens with the last answer, 1 turns."));
  type("Sure?");
  EXPECT_EQ(body()["model"], "fake");
  EXPECT_EQ(body()["messages"], Json::parse(R"([{"role":"user","content":"Hello?"},
      {"role":"assistant","content":"Yes."},{"role":"user","content":"Sure?"}])"));
  EXPECT_FALSE(body().contains("temperature"));
  EXPECT_FALSE(body().contains("return_progress"));
  type("/regen");
  EXPECT_EQ(body()["messages"].size(), 3u);
  EXPECT_EQ(messages().size(), 4u);
  type("/edit");
  EXPECT_EQ(session_draft(), "Sure?");
}

TEST_F(ChatRemote, SettingsAreSentWhenTheyAreSet) {
  type("/set temp 0.7");
  type("/set seed 5");
  type("/set n_predict 12");
  type("/think off");
  type("Hello?");
  EXPECT_EQ(body()["temperature"].dump(), "0.7");
  EXPECT_EQ(body()["seed"], 5);
  EXPECT_EQ(body()["max_tokens"], 12);
  EXPECT_EQ(body()["chat_template_kwargs"]["enable_thinking"], false);
  EXPECT_FALSE(body().contains("top_k"));
  EXPECT_EQ(type("/set"),
            "temperature          0.7\nseed                 5\nn_predict            12\n"
            "All else is as the server has it.\n");
}

TEST_F(ChatRemote, ThinkingIsPartedByTheServerOrHere) {
  events_ = delta("reasoning_content", "Hm.") + delta("content", "A <think> is said.") + kEnd;
  EXPECT_THAT(type("a"), testing::StartsWith("Thinking:\nHm.\n\nA <think> is said.\n"));
  EXPECT_EQ(messages()[1]["reasoning_content"], "Hm.");
  events_ = delta("content", "<think>\nWell") + delta("content", ".\n</think>\n\nYes.") + kEnd;
  EXPECT_THAT(type("b"), testing::StartsWith("Thinking:\nWell.\n\nYes.\n"));
  EXPECT_FALSE(body()["messages"][1].contains("reasoning_content"));
}

TEST_F(ChatRemote, ServersOfOurKindAreToldMore) {
  server_.props = R"({"default_generation_settings":{"n_ctx":512}})";
  events_ =
      event({{"choices", Json::array()}, {"prompt_progress", {{"total", 40}, {"processed", 8}}}}) +
      delta("reasoning_content", "Hm.") + delta("content", "Yes.") + kEnd;
  EXPECT_THAT(type("a"), HasSubstr("context 13 of 512"));
  EXPECT_EQ(progress_, (std::pair<int64_t, int64_t>{8, 40}));
  EXPECT_EQ(body()["return_progress"], true);
  type("b");
  EXPECT_EQ(body()["messages"][1]["reasoning_content"], "Hm.");
}

TEST_F(ChatRemote, ErrorsOfTheServerAreShownAndTheMessageComesBack) {
  status_ = 400;
  EXPECT_THAT(type("Hello?"), HasSubstr("The server refuses (status 400): Too long by 7 tokens."));
  EXPECT_TRUE(messages().empty());
  EXPECT_EQ(session_draft(), "Hello?");
  status_ = 200;
  events_ = delta("content", "Ye") + "data: {\"error\":{\"message\":\"planted\"}}\n\n";
  EXPECT_THAT(type("Hello?"), HasSubstr("broke off the answer: planted"));
  EXPECT_TRUE(messages().empty());
  events_ = delta("content", "Ye");
  EXPECT_THAT(type("Hello?"), HasSubstr("ended the answer halfway"));
}

TEST_F(ChatRemote, StoppingHangsUpAndKeepsWhatWasSaid) {
  holds_ = true;
  events_ = delta("content", "Yes.");
  EXPECT_THAT(type("Hello?"), HasSubstr("Stopped; what was said stays."));
  EXPECT_EQ(messages()[1]["content"], "Yes.");
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (!gone_ && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_TRUE(gone_);
}

TEST_F(ChatRemote, WhoEndedALongAnswerIsSaid) {
  events_ = delta("content", "Yes") +
            event({{"choices",
                    {{{"index", 0}, {"delta", Json::object()}, {"finish_reason", "length"}}}}}) +
            "data: [DONE]\n\n";
  EXPECT_THAT(type("Hello?"), HasSubstr("Stopped after 1 tokens (as many as the server gives)."));
  type("/set n_predict 1");
  EXPECT_THAT(type("Hello?"), HasSubstr("Stopped after 1 tokens (n_predict)."));
}

TEST(ChatRemoteStart, SaysWhyItCannotTalk) {
  test::expect_one_line(
      test::run_command(chat_command, {"chat", "-p", "Hi", "--url", "http://127.0.0.1:1"}), kFailed,
      "no server answers");
  test::expect_one_line(test::run_command(chat_command, {"chat", "-p", "Hi", "--url", "ftp://a"}),
                        kFailed, "http and https");
  // A model on the command line counts before a server from elsewhere.
  const std::vector<std::string> local = {"chat", "-p", "Hi", "-n", "1", "-m", test::kDemoModel};
  const test::Outcome here =
      test::run_command(chat_command, local, {{"BRAID_URL", "http://127.0.0.1:1"}});
  EXPECT_EQ(here.code, kDone) << here.err;
  std::vector<std::string> both = local;
  both.insert(both.end(), {"--url", "http://127.0.0.1:1"});
  test::expect_one_line(test::run_command(chat_command, both), kUsage, "--model excludes --url");
}

}  // namespace
}  // namespace braid
