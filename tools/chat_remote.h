// A conversation's partner behind HTTP: any server of OpenAI's kind that streams chats.
#pragma once

#include "client/http_client.h"
#include "text/thinking_splitter.h"
#include "tools/chat_session.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace braid {

struct RemoteChatOptions {
  HttpTarget target;
  std::string model;  // empty: the server's first
  nlohmann::ordered_json tools{};
  std::vector<std::string> stops{};
  bool ignore_ends = false;
};

// What becomes known while an answer comes; all may be empty.
struct RemoteChatListener {
  std::function<void(const AnswerText& piece)> text{};
  std::function<void(int64_t done, int64_t total)> progress{};  // tokens of the prompt
  std::function<bool()> stop{};                                 // true: enough, hang up
};

class RemoteChat {
 public:
  // Asks the server who it is. Throws Error when there is none or it does not want to talk.
  explicit RemoteChat(RemoteChatOptions options);

  const std::string& name() const { return options_.model; }
  int64_t context() const { return context_; }  // 0: it does not say

  // Throws Error with the server's own words when it refuses or fails.
  ChatReply answer(const nlohmann::ordered_json& messages, const nlohmann::ordered_json& extra,
                   const ChatSettings& settings, const RemoteChatListener& listener);

 private:
  nlohmann::ordered_json body(const nlohmann::ordered_json& messages,
                              const nlohmann::ordered_json& extra,
                              const ChatSettings& settings) const;

  RemoteChatOptions options_;
  HttpClient http_;
  int64_t context_ = 0;
  bool local_kind_ = false;  // Braid's or llama-server: more fields than OpenAI's are known
};

}  // namespace braid
