// The /commands of a conversation.
#include "tools/chat_session.h"

#include "base/check.h"
#include "text/stream_decoder.h"
#include "tools/files.h"
#include "tools/near_spelling.h"
#include "tools/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace braid {
namespace {

constexpr uintmax_t kLargestFile = 16 << 20;  // bytes of a /file

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// The first word, or what stands in quotes at the beginning, and the rest.
std::pair<std::string, std::string> first_word(std::string_view text) {
  if (text.starts_with('"')) {
    const size_t end = text.find('"', 1);
    if (end != std::string_view::npos)
      return {std::string(text.substr(1, end - 1)), std::string(trimmed(text.substr(end + 1)))};
  }
  const size_t end = std::min(text.size(), text.find_first_of(" \t\r\n"));
  return {std::string(text.substr(0, end)), std::string(trimmed(text.substr(end)))};
}

// Templates and tokenizers want whole characters.
std::string whole_characters(std::string_view bytes) {
  StreamDecoder decoder;
  std::string text;
  decoder.feed(bytes, text);
  decoder.finish(text);
  return text;
}

std::string read_text(const std::string& path) {
  std::error_code error;
  if (std::filesystem::exists(path, error) && !std::filesystem::is_regular_file(path, error))
    fail("{}: is no file", path);
  if (std::filesystem::file_size(path, error) > kLargestFile && !error)
    fail("{}: is larger than {}", path, bytes_text(kLargestFile));
  return read_file(path == "-" ? "./-" : path);
}

// Files and folders that begin with what was typed of a path.
std::vector<std::string> paths_like(const std::string& typed, const std::string& real) {
  namespace fs = std::filesystem;
  const size_t slash = real.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : real.substr(0, slash + 1);
  const std::string begun = slash == std::string::npos ? real : real.substr(slash + 1);
  const size_t kept = typed.size() - begun.size();
  std::vector<std::string> paths;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(begun) || (begun.empty() && name.starts_with('.'))) continue;
    std::error_code ignored;
    paths.push_back(typed.substr(0, kept) + name + (entry.is_directory(ignored) ? "/" : ""));
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

enum class Completes { kNothing, kSettings, kSwitch, kPath };

struct ChatSession::Command {
  std::string_view name, also, arguments, help;
  Completes completes;
  void (*run)(ChatSession& session, const std::string& rest);  // null: leave
};

const std::vector<ChatSession::Command>& ChatSession::commands() {
  using S = ChatSession;
  using Text = const std::string&;
  using enum Completes;
  static const std::vector<Command> kCommands = {
      {"/help", "/?", "", "Show this", kNothing, [](S& s, Text) { s.help(); }},
      {"/bye", "/exit /quit", "", "Leave; Ctrl-D does too", kNothing, nullptr},
      {"/clear", "/new", "", "Begin a new conversation", kNothing, [](S& s, Text) { s.clear(); }},
      {"/system", "", "TEXT", "Change the system message; without a text show it", kNothing,
       [](S& s, Text rest) { s.system(rest); }},
      {"/regen", "/retry", "", "Answer the last message again", kNothing,
       [](S& s, Text) { s.regenerate(); }},
      {"/undo", "", "", "Take back the last message and its answer", kNothing,
       [](S& s, Text) { s.undo(); }},
      {"/edit", "", "", "The same, to change the message and send it again", kNothing,
       [](S& s, Text) { s.edit(); }},
      {"/file", "", "PATH [TEXT]", "Send what is in a file, after a text of your own", kPath,
       [](S& s, Text rest) { s.file(rest); }},
      {"/save", "", "FILE", "Write the conversation as JSON", kPath,
       [](S& s, Text rest) { s.save(rest); }},
      {"/load", "", "FILE", "Go on with one that was saved", kPath,
       [](S& s, Text rest) { s.load(rest); }},
      {"/history", "", "", "Show the conversation so far", kNothing,
       [](S& s, Text) { s.screen_.text(s.conversation_.text()); }},
      {"/set", "", "[NAME VALUE]", "Change a setting of the sampling; show them all", kSettings,
       [](S& s, Text rest) { s.set(rest); }},
      {"/think", "", "[on|off]", "Whether the model thinks first, where its template can tell it",
       kSwitch, [](S& s, Text rest) { s.think(rest); }},
      {"/stats", "", "[on|off]", "A line about tokens and time after each answer", kSwitch,
       [](S& s, Text rest) { s.set_switch(rest, "Statistics", s.options_.show_stats); }},
      {"/tokens", "", "", "How full the context is", kNothing, [](S& s, Text) { s.tokens(); }},
      {"/multiline", "", "", "Enter begins a line and Alt-Enter sends, or as before", kNothing,
       [](S& s, Text) {
         s.enter_sends_ = !s.enter_sends_;
         s.screen_.note(s.enter_sends_ ? "Enter sends, Alt-Enter begins a line."
                                       : "Enter begins a line, Alt-Enter sends.");
       }},
  };
  return kCommands;
}

ChatSession::Next ChatSession::handle(const std::string& typed) {
  failed_ = false;
  const std::string line = whole_characters(typed);
  const auto [word, rest] = first_word(line);
  try {
    // A path at the beginning of a message is no command: it has another slash.
    const bool command = word.size() > 1 && word[0] == '/' && word.find('/', 1) == word.npos;
    if (!command) {
      say(line);
      return Next::kGoOn;
    }
    std::vector<std::string> names;
    for (const Command& known : commands()) {
      names.emplace_back(known.name);
      const bool alias = fmt::format(" {} ", known.also).find(" " + word + " ") != word.npos;
      if (word == known.name || alias) return run_command(known, rest);
    }
    fail("There is no command {}{} (/help lists them; a space in front makes it a message)", word,
         did_you_mean(word, names));
  } catch (const Error& error) {
    screen_.error(error.what());
    failed_ = true;
  }
  return Next::kGoOn;
}

ChatSession::Next ChatSession::run_command(const Command& command, const std::string& rest) {
  if (!rest.empty() && command.arguments.empty()) fail("{} takes nothing more", command.name);
  if (command.run == nullptr) return Next::kLeave;
  command.run(*this, rest);
  return Next::kGoOn;
}

std::vector<std::string> ChatSession::completions(std::string_view before) const {
  std::vector<std::string> words;
  const auto add = [&](std::string_view word, std::string_view begun) {
    if (word.starts_with(begun)) words.emplace_back(word);
  };
  const size_t space = before.find(' ');
  if (space == std::string_view::npos) {
    for (const Command& command : commands()) add(command.name, before);
    return words;
  }
  const std::string_view rest = before.substr(space + 1);
  if (rest.find(' ') != std::string_view::npos) return words;
  for (const Command& command : commands()) {
    if (command.name != before.substr(0, space)) continue;
    if (command.completes == Completes::kSettings)
      for (const std::string& name : ChatSettings::names()) add(name, rest);
    if (command.completes == Completes::kSwitch)
      for (const char* word : {"on", "off"}) add(word, rest);
    if (command.completes == Completes::kPath)
      return paths_like(std::string(rest), path_of(std::string(rest)));
  }
  return words;
}

std::string ChatSession::path_of(const std::string& typed) const {
  if (typed.starts_with("~/") && !options_.home.empty()) return options_.home + typed.substr(1);
  return typed;
}

void ChatSession::set_switch(const std::string& rest, std::string_view what, bool& value) {
  if (rest != "" && rest != "on" && rest != "off") fail("\"{}\": expected on or off", rest);
  if (!rest.empty()) value = rest == "on";
  screen_.note(fmt::format("{}: {}.", what, value ? "on" : "off"));
}

void ChatSession::help() {
  std::string text;
  for (const Command& c : commands()) {
    const std::string also = c.also.empty() ? "" : fmt::format(" ({})", c.also);
    text += fmt::format("{:<20} {}{}\n", fmt::format("{} {}", c.name, c.arguments), c.help, also);
  }
  screen_.text(
      text +
      "\nEnter sends. Alt-Enter, Ctrl-J or a \\ at the end begins a line; \"\"\" begins and "
      "ends a block of them.\n"
      "Ctrl-C stops an answer. Up and Down bring back what was sent, Ctrl-R looks for it, "
      "Tab completes commands.");
}

void ChatSession::clear() {
  conversation_.clear();
  screen_.note("A new conversation.");
}

void ChatSession::system(const std::string& rest) {
  if (rest.empty()) {
    const std::string now = conversation_.system();
    return screen_.note(now.empty() ? "There is no system message." : now);
  }
  conversation_.set_system(rest == "\"\"" ? "" : rest);
  screen_.note(rest == "\"\"" ? "The system message is gone." : "The system message is changed.");
}

void ChatSession::undo() {
  const auto last = conversation_.last_user();
  if (!last) fail("There is nothing to take back.");
  conversation_.remove_last_turn();
  const size_t line = std::min<size_t>(last->find('\n'), last->size());
  screen_.note(
      fmt::format("Taken back: {}{}", last->substr(0, line), line < last->size() ? " ..." : ""));
}

void ChatSession::edit() {
  const auto last = conversation_.last_user();
  if (!last) fail("There is no message to change yet.");
  conversation_.remove_last_turn();
  draft_ = *last;
}

void ChatSession::file(const std::string& rest) {
  if (rest.empty()) fail("/file PATH [TEXT]: the file is missing");
  const auto [path, text] = first_word(rest);
  const std::string content = whole_characters(read_text(path_of(path)));
  const auto give_back_the_command = [&] {
    if (!draft_.empty()) draft_ = "/file " + rest;
  };
  try {
    say(text.empty() ? content : text + "\n\n" + content);
  } catch (const Error&) {
    give_back_the_command();
    throw;
  }
  give_back_the_command();
}

void ChatSession::save(const std::string& rest) {
  if (rest.empty()) fail("/save FILE: the file is missing");
  conversation_.save(path_of(rest));
  screen_.note(fmt::format("{} messages saved.", conversation_.messages().size()));
}

void ChatSession::load(const std::string& rest) {
  if (rest.empty()) fail("/load FILE: the file is missing");
  conversation_ = Conversation::load(path_of(rest));
  screen_.note(fmt::format("{} messages; /history shows them.", conversation_.messages().size()));
}

void ChatSession::set(const std::string& rest) {
  if (rest.empty()) return screen_.text(options_.settings.text());
  const auto [name, value] = first_word(rest);
  if (value.empty()) fail("/set NAME VALUE: the value is missing");
  options_.settings.set(name, value);
  screen_.note(fmt::format("{} is {} from now on.", name, value));
}

void ChatSession::think(const std::string& rest) {
  bool on = options_.extra.value("enable_thinking", true);
  set_switch(rest, "Thinking", on);
  if (!rest.empty()) options_.extra["enable_thinking"] = on;
}

void ChatSession::tokens() {
  if (!model_.encode)
    return screen_.note(
        used_ == 0 ? "The server has counted nothing yet."
                   : fmt::format("{}{} tokens with the last answer, {} turns.", count_text(used_),
                                 model_.context > 0 ? " of " + count_text(model_.context) : "",
                                 conversation_.turns()));
  const int64_t used = tokens_of(conversation_);
  screen_.note(fmt::format("{} of {} tokens ({}%), {} turns.", count_text(used),
                           count_text(model_.context), used * 100 / model_.context,
                           conversation_.turns()));
}

}  // namespace braid
