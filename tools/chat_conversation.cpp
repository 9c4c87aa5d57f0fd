#include "tools/chat_conversation.h"

#include "base/check.h"
#include "format/json.h"
#include "tools/files.h"

#include <fmt/format.h>

#include <iterator>

namespace braid {
namespace {

using Json = Conversation::Json;

bool has_role(const Json& message, const char* role) { return message.value("role", "") == role; }

std::string content_of(const Json& message, const char* key = "content") {
  const auto found = message.find(key);
  return found != message.end() && found->is_string() ? found->get<std::string>() : "";
}

// Why this is no list of messages; empty when it is one.
std::string mistake_in(const Json& messages) {
  if (!messages.is_array()) return "expected a list of messages, or an object with \"messages\"";
  for (size_t i = 0; i < messages.size(); ++i) {
    const Json& message = messages[i];
    if (!message.is_object() || !message.contains("role") || !message["role"].is_string())
      return fmt::format("message {} has no \"role\"", i + 1);
    const auto content = message.find("content");
    const bool calls = message.contains("tool_calls");
    if (!calls && (content == message.end() || !content->is_string()))
      return fmt::format("message {}: its \"content\" should be a text", i + 1);
    if (has_role(message, "system") && i > 0)
      return fmt::format("message {} is a system message; only the first one can be", i + 1);
  }
  return "";
}

}  // namespace

size_t Conversation::first_turn() const {
  return !messages_.empty() && has_role(messages_[0], "system") ? 1 : 0;
}

size_t Conversation::turns() const {
  size_t n = 0;
  for (const Json& message : messages_) n += has_role(message, "user") ? 1 : 0;
  return n;
}

void Conversation::set_system(std::string_view text) {
  if (first_turn() == 1) messages_.erase(0);
  if (text.empty()) return;
  const Json message = {{"role", "system"}, {"content", text}};
  messages_.insert(messages_.begin(), message);
}

std::string Conversation::system() const {
  return first_turn() == 1 ? content_of(messages_[0]) : "";
}

void Conversation::add_user(std::string_view text) {
  messages_.push_back({{"role", "user"}, {"content", text}});
}

void Conversation::add_answer(std::string_view thinking, std::string_view content) {
  Json message = {{"role", "assistant"}, {"content", content}};
  if (!thinking.empty()) message["reasoning_content"] = thinking;
  messages_.push_back(std::move(message));
}

size_t Conversation::last_user_index() const {
  for (size_t i = messages_.size(); i > 0; --i)
    if (has_role(messages_[i - 1], "user")) return i - 1;
  return messages_.size();
}

std::optional<std::string> Conversation::last_user() const {
  const size_t at = last_user_index();
  if (at == messages_.size()) return std::nullopt;
  return content_of(messages_[at]);
}

bool Conversation::ends_with_answer() const {
  return !messages_.empty() && has_role(messages_.back(), "assistant");
}

void Conversation::remove_answer() {
  const size_t at = last_user_index();
  while (messages_.size() > at + 1) messages_.erase(messages_.size() - 1);
}

void Conversation::remove_last_turn() {
  const size_t at = last_user_index();
  while (messages_.size() > at) messages_.erase(messages_.size() - 1);
}

void Conversation::remove_oldest(size_t turns) {
  const size_t first = first_turn();
  // What stands before the first user's message goes with it.
  for (size_t seen = 0; messages_.size() > first; messages_.erase(first)) {
    if (has_role(messages_[first], "user") && ++seen > turns) return;
  }
}

void Conversation::clear() {
  while (messages_.size() > first_turn()) messages_.erase(messages_.size() - 1);
}

void Conversation::save(const std::string& path) const {
  write_file(path, Json{{"messages", messages_}}.dump(2) + "\n");
}

Conversation Conversation::load(const std::string& path) {
  const Json json = Json::parse(read_file(path), nullptr, false);
  if (json.is_discarded()) fail("{}: is not JSON", path);
  Conversation conversation;
  conversation.messages_ = json.is_object() && json.contains("messages") ? json["messages"] : json;
  const std::string mistake = mistake_in(conversation.messages_);
  if (!mistake.empty()) fail("{}: {}", path, mistake);
  return conversation;
}

std::string Conversation::text() const {
  std::string text;
  for (const Json& message : messages_) {
    const std::string thinking = content_of(message, "reasoning_content");
    text += fmt::format("{}[{}]\n", text.empty() ? "" : "\n", content_of(message, "role"));
    if (!thinking.empty()) text += fmt::format("({})\n", thinking);
    text += content_of(message) + "\n";
  }
  if (!text.empty()) text.pop_back();
  return text;
}

}  // namespace braid
