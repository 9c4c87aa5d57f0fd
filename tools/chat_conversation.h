// The messages of a conversation and what can be done to them; nothing about models or terminals.
//
// A turn is a user's message with everything up to the next one. A system message, if there is one,
// stands first and belongs to no turn.
#pragma once

#include <nlohmann/json.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace braid {

class Conversation {
 public:
  using Json = nlohmann::ordered_json;

  const Json& messages() const { return messages_; }
  bool empty() const { return turns() == 0; }
  size_t turns() const;

  // Empty: none. The messages stay.
  void set_system(std::string_view text);
  std::string system() const;

  void add_user(std::string_view text);
  // Thinking that is empty is left out.
  void add_answer(std::string_view thinking, std::string_view content);

  // What the user said last.
  std::optional<std::string> last_user() const;
  bool ends_with_answer() const;
  void remove_answer();     // after the last user's message
  void remove_last_turn();  // with its answer
  void remove_oldest(size_t turns);
  void clear();  // all turns

  // {"messages": [...]}; reading takes a bare list as well. Throws Error with the file's name.
  void save(const std::string& path) const;
  static Conversation load(const std::string& path);

  // For people: who said what.
  std::string text() const;

 private:
  size_t first_turn() const;  // index of its message
  size_t last_user_index() const;

  Json messages_ = Json::array();
};

}  // namespace braid
