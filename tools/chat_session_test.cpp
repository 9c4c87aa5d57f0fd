#include "tools/chat_session.h"

#include "base/check.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace braid {
namespace {

using Json = nlohmann::ordered_json;

// A model whose tokens are the bytes of the contents, and which says what the test wants.
class Session : public testing::Test {
 protected:
  ChatModel model() {
    ChatModel model;
    model.context = context_;
    model.encode = [this](const Json& messages, const Json& extra) {
      extra_ = extra;
      ChatPrompt prompt;
      for (const Json& message : messages) prompt.text += message["content"].get<std::string>();
      if (prompt.text.find("refuse") != std::string::npos) fail("the template refuses");
      prompt.ids.assign(prompt.text.begin(), prompt.text.end());
      prompt.text += begins_inside_ ? "<think>\n" : "";
      return prompt;
    };
    model.generate = [this](const ChatPrompt& prompt, const SamplerOptions& sampler, int64_t limit,
                            const std::function<void(std::string_view)>& on_text) {
      sampler_ = sampler;
      limit_ = limit;
      ++answers_;
      ChatReply reply{.ended = ended_};
      reply.stats.prompt = static_cast<int64_t>(prompt.ids.size());
      for (const char c : answer_) {
        if (reply.stats.written == limit) {
          reply.ended = Ended::kContextFull;
          break;
        }
        on_text(std::string_view(&c, 1));
        ++reply.stats.written;
      }
      return reply;
    };
    return model;
  }
  void start() {
    session_.emplace(model(), options_, screen_, [this](std::string_view question) {
      asked_ = question;
      return choice_;
    });
  }
  // What the screen says about a line.
  std::string type(const std::string& line) {
    if (!session_) start();
    shown_.clear();
    next_ = session_->handle(line);
    return shown_;
  }
  const Json& messages() const { return session_->conversation().messages(); }
  bool said(const std::string& part) const { return shown_.find(part) != std::string::npos; }

  int64_t context_ = 1000, limit_ = 0;
  ChatOptions options_;
  std::string answer_ = "Yes.", shown_, asked_, choice_;
  Ended ended_ = Ended::kEndToken;
  bool begins_inside_ = false;
  int answers_ = 0;
  Json extra_;
  SamplerOptions sampler_;
  ChatSession::Next next_ = ChatSession::Next::kGoOn;
  ChatScreen screen_{{.terminal = true}, [this](std::string_view bytes) { shown_ += bytes; }};
  std::optional<ChatSession> session_;
};

TEST_F(Session, KeepsMessagesAndAnswers) {
  options_.system = "Be brief.";
  EXPECT_TRUE(type("Hello?").starts_with("Yes.\n[15 tokens in, 4 out")) << shown_;
  EXPECT_EQ(messages(), Json::parse(R"([{"role": "system", "content": "Be brief."},
      {"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Yes."}])"));
  EXPECT_TRUE(said("context 19 of 1,000")) << shown_;
  EXPECT_EQ(limit_, context_ - 15);
  EXPECT_EQ(type("  \n"), "");
  EXPECT_EQ(answers_, 1);
  type("\xFF is broken");
  EXPECT_EQ(messages()[3]["content"], "\uFFFD is broken");
}

TEST_F(Session, PartsThinking) {
  answer_ = "Hm.\n</think>\n\nYes.";
  begins_inside_ = true;
  options_.show_stats = false;
  EXPECT_EQ(type("Hello?"), "Thinking:\nHm.\n\nYes.\n");
  EXPECT_EQ(messages()[1],
            Json::parse(R"({"role": "assistant", "content": "Yes.", "reasoning_content": "Hm."})"));
  session_.reset();
  options_.show_thinking = false;
  EXPECT_EQ(type("Hello?"), "Thinking ...\nYes.\n");
}

TEST_F(Session, TellsTheTemplateWhetherToThink) {
  type("a");
  EXPECT_FALSE(extra_.contains("enable_thinking"));
  type("/think off");
  type("b");
  EXPECT_EQ(extra_["enable_thinking"], false);
  EXPECT_EQ(type("/think"), "Thinking: off.\n");
  EXPECT_TRUE(type("/think maybe").starts_with("\"maybe\": expected on or off"));
}

TEST_F(Session, AStoppedAnswerStays) {
  ended_ = Ended::kStopped;
  type("Hello?");
  EXPECT_TRUE(said("Stopped; what was said stays"));
  EXPECT_EQ(messages().size(), 2u);
  EXPECT_EQ(session_->take_draft(), "");
  answer_ = "";
  type("More?");
  EXPECT_TRUE(said("Stopped before the answer began"));
  EXPECT_EQ(messages().size(), 2u);
  EXPECT_EQ(session_->take_draft(), "More?");
  EXPECT_EQ(session_->take_draft(), "");
}

TEST_F(Session, AnErrorGivesTheMessageBack) {
  type("Hello?");
  EXPECT_EQ(type("please refuse"), "the template refuses\n");
  EXPECT_TRUE(session_->failed());
  EXPECT_EQ(messages().size(), 2u);
  EXPECT_EQ(session_->take_draft(), "please refuse");
  type("/regen");
  EXPECT_FALSE(session_->failed());
}

TEST_F(Session, RegenUndoAndEdit) {
  EXPECT_EQ(type("/regen"), "There is no message to answer yet.\n");
  EXPECT_EQ(type("/undo"), "There is nothing to take back.\n");
  EXPECT_EQ(type("/edit"), "There is no message to change yet.\n");
  type("one");
  type("two\nlines");
  answer_ = "No.";
  type("/retry");
  EXPECT_EQ(messages().size(), 4u);
  EXPECT_EQ(messages()[3]["content"], "No.");
  ended_ = Ended::kStopped;
  answer_ = "";
  type("/regen");
  EXPECT_EQ(messages()[3]["content"], "No.") << "the old answer stays until there is another";
  type("/edit");
  EXPECT_EQ(session_->take_draft(), "two\nlines");
  EXPECT_EQ(messages().size(), 2u);
  EXPECT_EQ(type("/undo"), "Taken back: one\n");
  EXPECT_TRUE(messages().empty());
  options_.settings.sampler.seed = 7;
  session_.reset();
  answer_ = "Yes.";
  type("one");
  type("/regen");
  EXPECT_TRUE(said("The seed is fixed"));
}

TEST_F(Session, AFullContextAsksBeforeSending) {
  context_ = 100;
  for (const char c : {'a', 'b', 'c'}) type(std::string(20, c));
  EXPECT_EQ(asked_, "");
  choice_ = "e";
  type(std::string(20, 'd'));
  EXPECT_EQ(asked_, "d, n or e? ");
  EXPECT_TRUE(said("takes 92 tokens with this message and the context holds 100")) << shown_;
  EXPECT_TRUE(said("drop the oldest turns (1 of 3)")) << shown_;
  EXPECT_TRUE(said("-c 1024"));
  EXPECT_EQ(session_->take_draft(), std::string(20, 'd'));
  EXPECT_EQ(messages().size(), 6u);
  choice_ = "d";
  type(std::string(20, 'd'));
  EXPECT_EQ(messages().size(), 6u);
  EXPECT_EQ(messages()[0]["content"], std::string(20, 'b'));
  choice_ = "n";
  type(std::string(30, 'e'));
  EXPECT_EQ(messages().size(), 2u);
  EXPECT_EQ(messages()[0]["content"], std::string(30, 'e'));
}

TEST_F(Session, AMessageLargerThanTheContextIsAnError) {
  context_ = 100;
  type("first");
  type(std::string(95, 'x'));
  EXPECT_EQ(asked_, "");
  EXPECT_TRUE(said("This message takes 104 tokens")) << shown_;
  EXPECT_EQ(messages().size(), 2u);
  EXPECT_EQ(session_->take_draft().size(), 95u);
}

TEST_F(Session, AnAnswerThatMeetsTheEndAsks) {
  context_ = 100;
  type(std::string(20, 'a'));
  answer_ = std::string(200, 'z');
  choice_ = "k";
  type(std::string(20, 'b'));
  EXPECT_EQ(asked_, "d, n or k? ");
  EXPECT_EQ(messages()[3]["content"].get<std::string>().size(), 56u);
  choice_ = "n";
  session_.reset();
  type("first");
  EXPECT_EQ(asked_, "n or k? ") << "there is nothing to drop";
  EXPECT_TRUE(messages().empty());
}

TEST_F(Session, NobodyToAskMeansAnError) {
  context_ = 100;
  ChatSession session(model(), ChatOptions(), screen_);
  session.say(std::string(60, 'a'));
  EXPECT_THROW(session.say(std::string(60, 'b')), Error);
  EXPECT_EQ(session.conversation().turns(), 1u);
}

TEST_F(Session, CommandsAndWhatLooksLikeOne) {
  EXPECT_TRUE(type("/hlep").find("did you mean /help?") != std::string::npos) << shown_;
  EXPECT_TRUE(session_->failed());
  EXPECT_TRUE(type("/clear all").starts_with("/clear takes nothing more"));
  EXPECT_EQ(answers_, 0);
  type("/usr/bin is a folder");
  type(" /help");
  type("/");
  EXPECT_EQ(answers_, 3);
  type("/?");
  for (const char* name :
       {"/help", "/bye", "/clear", "/system", "/regen", "/undo", "/edit", "/save", "/load", "/set",
        "/think", "/stats", "/tokens", "/file", "/multiline", "/history"})
    EXPECT_TRUE(said(name)) << name;
  type("/stats off");
  EXPECT_EQ(type("again"), "Yes.\n");
  EXPECT_EQ(type("/tokens"), "48 of 1,000 tokens (4%), 4 turns.\n");
  EXPECT_TRUE(session_->enter_sends());
  type("/multiline");
  EXPECT_FALSE(session_->enter_sends());
  type("/quit");
  EXPECT_EQ(next_, ChatSession::Next::kLeave);
}

TEST_F(Session, SystemMessages) {
  EXPECT_EQ(type("/system"), "There is no system message.\n");
  type("/system Speak like a\npirate.");
  type("Hello?");
  EXPECT_EQ(messages()[0]["content"], "Speak like a\npirate.");
  type("/system Be brief.");
  EXPECT_EQ(messages()[0]["content"], "Be brief.");
  EXPECT_EQ(messages().size(), 3u);
  type("/clear");
  EXPECT_EQ(messages().size(), 1u);
  type("/system \"\"");
  EXPECT_TRUE(messages().empty());
}

TEST_F(Session, Settings) {
  EXPECT_TRUE(type("/set").find("top_p                0.95") != std::string::npos) << shown_;
  EXPECT_EQ(type("/set top_p 0.5"), "top_p is 0.5 from now on.\n");
  type("/set temp 0");
  type("/set --n-predict 3");
  type("a");
  EXPECT_EQ(sampler_.top_p, 0.5f);
  EXPECT_EQ(sampler_.temperature, 0.0f);
  EXPECT_EQ(limit_, 3);
  EXPECT_TRUE(type("/set top_p 7").find("top_p") != std::string::npos);
  EXPECT_TRUE(session_->failed());
  EXPECT_TRUE(type("/set top_p many").find("many") != std::string::npos) << shown_;
  EXPECT_TRUE(type("/set topp 1").find("did you mean top_p?") != std::string::npos) << shown_;
  EXPECT_TRUE(type("/set top_p").find("value is missing") != std::string::npos);
  type("b");
  EXPECT_EQ(sampler_.top_p, 0.5f) << "a mistake changes nothing";
}

TEST_F(Session, Completes) {
  start();
  using Words = std::vector<std::string>;
  EXPECT_EQ(session_->completions("/s"), (Words{"/system", "/save", "/set", "/stats"}));
  EXPECT_EQ(session_->completions("/think o"), (Words{"on", "off"}));
  EXPECT_EQ(session_->completions("/set top_"), (Words{"top_k", "top_p", "top_n_sigma"}));
  EXPECT_EQ(session_->completions("/clear x"), Words{});
  const std::string folder = testing::TempDir() + "braid-complete";
  std::filesystem::create_directories(folder + "/sub");
  std::ofstream(folder + "/some.txt") << "x";
  EXPECT_EQ(session_->completions("/file " + folder + "/s"),
            (Words{folder + "/some.txt", folder + "/sub/"}));
  EXPECT_EQ(session_->completions("/load /no/such/place/"), Words{});
  std::filesystem::remove_all(folder);
}

TEST_F(Session, SavesAndLoads) {
  const std::string path = testing::TempDir() + "braid-chat.json";
  type("caf\u00e9");
  EXPECT_EQ(type("/save " + path), "2 messages saved.\n");
  const Json saved = messages();
  type("/clear");
  type("/load " + path);
  EXPECT_EQ(messages(), saved);
  EXPECT_EQ(type("/history"), "[user]\ncaf\u00e9\n\n[assistant]\nYes.\n");
  const auto load = [&](const std::string& text) {
    std::ofstream(path) << text;
    return type("/load " + path);
  };
  EXPECT_EQ(load("{"), path + ": is not JSON\n");
  EXPECT_EQ(load("{}"), path + ": expected a list of messages, or an object with \"messages\"\n");
  EXPECT_EQ(load(R"([{"content": "x"}])"), path + ": message 1 has no \"role\"\n");
  EXPECT_EQ(load(R"([{"role": "user", "content": 3}])"),
            path + ": message 1: its \"content\" should be a text\n");
  EXPECT_EQ(messages(), saved);
  load(R"([{"role": "user", "content": "bare"}])");
  EXPECT_EQ(messages().size(), 1u);
  EXPECT_TRUE(type("/load /no/such/file").starts_with("/no/such/file: cannot be opened"));
  EXPECT_TRUE(type("/save /no/such/file").starts_with("/no/such/file: cannot be written"));
  std::filesystem::remove(path);
}

TEST_F(Session, SendsFiles) {
  options_.home = testing::TempDir();
  const std::string path = testing::TempDir() + "braid file.txt";
  std::ofstream(path) << "content\n";
  type("/file \"" + path + "\" Explain this:");
  EXPECT_EQ(messages()[0]["content"], "Explain this:\n\ncontent\n");
  type("/file \"~/braid file.txt\"");
  EXPECT_EQ(messages()[2]["content"], "content\n");
  std::ofstream(path) << "refuse";
  type("/file \"" + path + "\"");
  EXPECT_TRUE(session_->failed());
  EXPECT_EQ(session_->take_draft(), "/file \"" + path + "\"") << "not the file itself";
  EXPECT_TRUE(type("/file /dev/zero").starts_with("/dev/zero: is no file"));
  EXPECT_TRUE(type("/file /no/such").starts_with("/no/such: cannot be opened"));
  EXPECT_TRUE(type("/file").starts_with("/file PATH"));
  std::filesystem::remove(path);
}

TEST(ChatScreen, ShowsAModelsTextAndObeysNone) {
  std::string out;
  ChatScreen screen({.terminal = true, .styled = true},
                    [&](std::string_view bytes) { out += bytes; });
  screen.thinking("Hm\x1B[2J");
  screen.content("Yes\r\n\x07");
  screen.end_answer();
  screen.note("a note");
  EXPECT_EQ(out, "\x1B[2mThinking:\nHm^[[2J\x1B[0m\n\nYes\n^G\n\x1B[2ma note\x1B[0m\n");
}

TEST(ChatScreen, APipeGetsTheContentAsItIs) {
  std::string out;
  ChatScreen screen({.show_thinking = false}, [&](std::string_view bytes) { out += bytes; });
  screen.thinking("Hm.");
  screen.content("Yes\r\n\x1B");
  screen.end_answer();
  screen.note("a note");
  EXPECT_EQ(out, "Yes\r\n\x1B\n");
  out.clear();
  screen.set_show_thinking(true);
  screen.thinking("Hm.");
  screen.content("Yes");
  screen.end_answer();
  EXPECT_EQ(out, "Hm.\n\nYes\n");
}

TEST(Conversation, DropsWholeTurns) {
  Conversation c;
  c.set_system("s");
  for (const char* user : {"a", "b", "c"}) {
    c.add_user(user);
    c.add_answer("", "answer");
  }
  c.remove_oldest(2);
  EXPECT_EQ(c.text(), "[system]\ns\n\n[user]\nc\n\n[assistant]\nanswer");
  EXPECT_EQ(c.turns(), 1u);
  c.remove_oldest(1);
  EXPECT_TRUE(c.empty());
  EXPECT_EQ(c.system(), "s");
  c.remove_oldest(5);
  c.remove_answer();
  c.remove_last_turn();
  EXPECT_EQ(c.messages().size(), 1u) << "the system message is in no turn";
}

}  // namespace
}  // namespace braid
