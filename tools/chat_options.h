// What a command line says about how a conversation becomes a prompt: run --chat, chat, the server.
#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <optional>
#include <string>

namespace braid {

struct ChatFlags {
  std::string system, system_file;    // the system message
  std::optional<bool> think;          // enable_thinking of the template
  std::optional<bool> show_thinking;  // what the model thinks before it answers; not set: on a
                                      // terminal
  std::string template_arguments;     // a JSON object of further names
  std::string tools_file;             // a JSON array of tools
};

// -sys, --system-prompt-file, --think, --no-think, --show-thinking, --chat-template-kwargs, --tools
void add_chat_options(CLI::App& command, ChatFlags& flags);

// The three below throw Error that names the option.
std::string system_message(const ChatFlags& flags);             // empty: none
nlohmann::ordered_json template_names(const ChatFlags& flags);  // an object
nlohmann::ordered_json offered_tools(const ChatFlags& flags);   // an array; null: none

}  // namespace braid
