// A conversation with a model: what is typed becomes a message or a command, answers are shown and
// kept. Knows neither terminals nor engines: those come as functions, so that tests can be both.
#pragma once

#include "text/chat_tokens.h"
#include "text/thinking_splitter.h"
#include "tools/chat_conversation.h"
#include "tools/chat_screen.h"
#include "tools/chat_settings.h"
#include "tools/generation.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

struct ChatReply {
  Ended ended = Ended::kEndToken;
  WriteStats stats{};
};

struct ChatModel {
  int64_t context = 0;  // most tokens of a conversation with its answer; 0: nobody says
  // The conversation as the model reads it, an answer to follow. `extra` are the template's own
  // names (enable_thinking).
  std::function<ChatPrompt(const nlohmann::ordered_json& messages,
                           const nlohmann::ordered_json& extra)>
      encode;
  // Streams an answer of at most `limit` tokens; less when interrupted.
  std::function<ChatReply(const ChatPrompt& prompt, const SamplerOptions& sampler, int64_t limit,
                          const std::function<void(std::string_view text)>& on_text)>
      generate;

  // In place of both: a partner that makes prompts itself, keeps its own bounds and parts what it
  // thinks from what it says. Less when interrupted.
  std::function<ChatReply(const nlohmann::ordered_json& messages,
                          const nlohmann::ordered_json& extra, const ChatSettings& settings,
                          const std::function<void(const AnswerText& piece)>& on_text)>
      answer{};
};

// A question to whoever types, with a short answer; empty: none was given.
using Ask = std::function<std::string(std::string_view question)>;

struct ChatOptions {
  ChatSettings settings{};
  std::string system{};
  nlohmann::ordered_json extra = nlohmann::ordered_json::object();
  bool show_thinking = true, show_stats = true;
  std::string home{};  // what ~ in a path stands for
};

class ChatSession {
 public:
  // `ask` is empty when nobody can be asked. The screen outlives the session.
  ChatSession(ChatModel model, ChatOptions options, ChatScreen& screen, Ask ask = {});

  enum class Next { kGoOn, kLeave };
  // A message or a /command. What goes wrong is shown; failed() tells of it.
  Next handle(const std::string& typed);
  // A message, whatever it begins with. Throws Error.
  void say(const std::string& text);
  bool failed() const { return failed_; }

  // What the next line should begin with: a message that was taken back. Asked once.
  std::string take_draft();
  bool enter_sends() const { return enter_sends_; }
  std::vector<std::string> completions(std::string_view before_cursor) const;
  const Conversation& conversation() const { return conversation_; }

 private:
  struct Command;
  static const std::vector<Command>& commands();

  Next run_command(const Command& command, const std::string& rest);
  bool answer();
  std::optional<ChatReply> generate(const std::function<void(const AnswerText&)>& show);
  bool make_room();
  void ask_for_room(int64_t tokens, std::string_view what);
  void after_answer(const ChatReply& reply);
  int64_t tokens_of(const Conversation& conversation) const;
  size_t turns_to_drop(int64_t limit) const;
  void set_switch(const std::string& rest, std::string_view what, bool& value);
  std::string path_of(const std::string& typed) const;

  void help();
  void clear();
  void system(const std::string& rest);
  void regenerate();
  void undo();
  void edit();
  void save(const std::string& rest);
  void load(const std::string& rest);
  void set(const std::string& rest);
  void think(const std::string& rest);
  void tokens();
  void file(const std::string& rest);

  ChatModel model_;
  ChatOptions options_;
  ChatScreen& screen_;
  Ask ask_;
  Conversation conversation_;
  std::string draft_;
  int64_t used_ = 0;  // tokens of the last prompt and its answer, where they were counted
  bool enter_sends_ = true, failed_ = false;
};

}  // namespace braid
