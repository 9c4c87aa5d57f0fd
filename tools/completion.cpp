#include "tools/completion.h"

#include "base/check.h"
#include "tools/cli.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace braid {
namespace {

bool is_plain_word(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

// "cpu|ref" -> cpu, ref; nothing when it is no such list.
std::vector<std::string> listed_values(const std::string& type) {
  std::vector<std::string> values;
  if (type.find('|') == std::string::npos) return values;
  for (size_t begin = 0; begin <= type.size();) {
    const size_t end = std::min(type.find('|', begin), type.size());
    values.push_back(type.substr(begin, end - begin));
    begin = end + 1;
  }
  if (!std::all_of(values.begin(), values.end(), is_plain_word)) values.clear();
  return values;
}

CompletedOption completed(const CLI::Option& option) {
  CompletedOption out;
  for (const std::string& name : option.get_snames()) out.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) out.names.push_back("--" + name);
  out.help = option.get_description();
  std::replace(out.help.begin(), out.help.end(), '\n', ' ');
  out.takes_value = option.get_items_expected_max() > 0;
  out.repeated = option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll;
  out.values = listed_values(option.get_type_name());
  const std::string type = option.get_type_name();
  const bool model = std::count(out.names.begin(), out.names.end(), "--model") > 0;
  out.paths = type == "FOLDER"          ? CompletedOption::Paths::kFolders
              : type == "FILE" || model ? CompletedOption::Paths::kFiles
                                        : CompletedOption::Paths::kNone;
  out.positional = option.get_positional();
  return out;
}

std::string joined(const std::vector<std::string>& words, std::string_view between) {
  std::string text;
  for (const std::string& word : words)
    text += fmt::format("{}{}", text.empty() ? "" : between, word);
  return text;
}

std::vector<std::string> names_of(const std::vector<CompletedCommand>& commands) {
  std::vector<std::string> names;
  for (const CompletedCommand& command : commands) names.push_back(command.name);
  return names;
}

const CompletedOption* positional_of(const CompletedCommand& command) {
  for (const CompletedOption& option : command.options)
    if (option.positional) return &option;
  return nullptr;
}

// What bash does for an option's value.
std::string bash_action(const CompletedOption& option) {
  if (!option.values.empty())
    return fmt::format("_braid_words \"{}\" \"$current\"", joined(option.values, " "));
  if (option.paths == CompletedOption::Paths::kFiles) return "_braid_paths -f \"$current\"";
  if (option.paths == CompletedOption::Paths::kFolders) return "_braid_paths -d \"$current\"";
  return ":";
}

constexpr const char* kBashHead =
    R"bash(# Completion of braid's command lines. Made by: braid completion bash
_braid_words() {
  mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

_braid_paths() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen "$1" -- "$2")
}

_braid() {
  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command='' i
  COMPREPLY=()
  # --name=value comes as three words.
  if [[ $current == "=" ]]; then
    current=
  elif [[ $before == "=" ]]; then
    before=${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
)bash";

// 'text' in single quotes, as bash, zsh and fish read it.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'')
      out += "'\\''";
    else
      out += c;
  }
  return out + "'";
}

// Inside the brackets of a specification of zsh's _arguments.
std::string zsh_escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_action(const CompletedOption& option) {
  if (!option.values.empty()) return fmt::format(":value:({})", joined(option.values, " "));
  if (option.paths == CompletedOption::Paths::kFiles) return ":file:_files";
  if (option.paths == CompletedOption::Paths::kFolders) return ":folder:_files -/";
  return ":value: ";
}

std::string zsh_options(const CompletedCommand& command) {
  std::string text;
  for (const CompletedOption& option : command.options) {
    const std::string tail = fmt::format("[{}]{}", zsh_escaped(option.help),
                                         option.takes_value ? zsh_action(option) : "");
    const std::string others =
        option.repeated ? "*" : fmt::format("({})", joined(option.names, " "));
    for (const std::string& name : option.names)
      text += fmt::format(" \\\n        {}", quoted(others + name + tail));
    if (option.positional) text += fmt::format(" \\\n        {}", quoted("1" + zsh_action(option)));
  }
  return text;
}

std::string fish_action(const CompletedOption& option) {
  if (!option.takes_value) return "";
  if (!option.values.empty()) return fmt::format(" -x -a {}", quoted(joined(option.values, " ")));
  if (option.paths == CompletedOption::Paths::kFiles) return " -r -F";
  if (option.paths == CompletedOption::Paths::kFolders)
    return " -x -a '(__fish_complete_directories)'";
  return " -x";
}

struct CompletionOptions {
  std::string shell;
};

int run_completion(const CompletionOptions& o, const CLI::App& app) {
  const auto commands = completed_commands(app);
  if (o.shell == "bash")
    fmt::print("{}", bash_completion(commands));
  else if (o.shell == "zsh")
    fmt::print("{}", zsh_completion(commands));
  else if (o.shell == "fish")
    fmt::print("{}", fish_completion(commands));
  else
    fail("completion is there for bash, zsh and fish, not for \"{}\"", o.shell);
  return kDone;
}

constexpr const char* kFooter =
    R"(Examples:
  braid completion bash > ~/.local/share/bash-completion/completions/braid
  braid completion zsh > _braid        # in a folder of $fpath
  braid completion fish > ~/.config/fish/completions/braid.fish
  source <(braid completion bash)      # only for this shell)";

}  // namespace

std::vector<CompletedCommand> completed_commands(const CLI::App& app) {
  std::vector<CompletedCommand> commands;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    CompletedCommand& out = commands.emplace_back(
        CompletedCommand{command->get_name(), command->get_description(), {}});
    for (const CLI::Option* option : command->get_options()) {
      if (!option->get_group().empty()) out.options.push_back(completed(*option));
    }
  }
  return commands;
}

std::string bash_completion(const std::vector<CompletedCommand>& commands) {
  std::string text = kBashHead;
  text += fmt::format("      {}) command=${{COMP_WORDS[i]}}; break ;;\n",
                      joined(names_of(commands), "|"));
  text += "    esac\n  done\n  case $command,$before in\n";
  for (const CompletedCommand& command : commands) {
    for (const CompletedOption& option : command.options) {
      if (!option.takes_value || option.names.empty()) continue;
      std::vector<std::string> patterns;
      for (const std::string& name : option.names) patterns.push_back(command.name + "," + name);
      text += fmt::format("    {}) {}; return ;;\n", joined(patterns, "|"), bash_action(option));
    }
  }
  text += fmt::format(
      "  esac\n  case $command in\n"
      "    \"\") _braid_words \"{} --help --version\" \"$current\" ;;\n",
      joined(names_of(commands), " "));
  for (const CompletedCommand& command : commands) {
    std::vector<std::string> names;
    for (const CompletedOption& option : command.options)
      names.insert(names.end(), option.names.begin(), option.names.end());
    const CompletedOption* positional = positional_of(command);
    text += fmt::format(
        "    {})\n"
        "      if [[ $current == -* ]]; then\n"
        "        _braid_words \"{}\" \"$current\"\n"
        "      else\n"
        "        {}\n"
        "      fi ;;\n",
        command.name, joined(names, " "),
        positional == nullptr ? fmt::format("_braid_words \"{}\" \"$current\"", joined(names, " "))
                              : bash_action(*positional));
  }
  return text + "  esac\n}\ncomplete -F _braid braid\n";
}

std::string zsh_completion(const std::vector<CompletedCommand>& commands) {
  std::string text =
      "#compdef braid\n"
      "# Completion of braid's command lines. Made by: braid completion zsh\n"
      "_braid() {\n"
      "  local context state line\n"
      "  local -a commands=(\n";
  for (const CompletedCommand& command : commands)
    text += fmt::format("    {}\n", quoted(command.name + ":" + command.help));
  text +=
      "  )\n"
      "  _arguments -C '(-h --help)-h[Show help]' '(-h --help)--help[Show help]' \\\n"
      "    '--version[Show the version]' '1: :->command' '*:: :->arguments'\n"
      "  case $state in\n"
      "    command) _describe command commands ;;\n"
      "    arguments) case $words[1] in\n";
  for (const CompletedCommand& command : commands)
    text += fmt::format("      {}) _arguments{} ;;\n", command.name, zsh_options(command));
  return text +
         "    esac ;;\n"
         "  esac\n"
         "}\n"
         "if [[ $funcstack[1] == _braid ]]; then _braid \"$@\"; else compdef _braid braid; fi\n";
}

std::string fish_completion(const std::vector<CompletedCommand>& commands) {
  std::string text =
      "# Completion of braid's command lines. Made by: braid completion fish\n"
      "complete -c braid -f\n"
      "complete -c braid -n __fish_use_subcommand -l help -s h -d 'Show help'\n"
      "complete -c braid -n __fish_use_subcommand -l version -d 'Show the version'\n";
  for (const CompletedCommand& command : commands) {
    text += fmt::format("complete -c braid -n __fish_use_subcommand -a {} -d {}\n", command.name,
                        quoted(command.help));
    const std::string when =
        fmt::format("complete -c braid -n '__fish_seen_subcommand_from {}'", command.name);
    for (const CompletedOption& option : command.options) {
      if (option.positional && !option.values.empty())
        text += fmt::format("{} -a {}\n", when, quoted(joined(option.values, " ")));
      else if (option.positional && option.paths != CompletedOption::Paths::kNone)
        text += when + " -F\n";
      if (option.names.empty()) continue;
      text += when;
      for (const std::string& name : option.names)
        text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      text += fmt::format("{} -d {}\n", fish_action(option), quoted(option.help));
    }
  }
  return text;
}

Command completion_command(CLI::App& app) {
  const auto o = std::make_shared<CompletionOptions>();
  CLI::App& command =
      *app.add_subcommand("completion", "Print a script for the completion of command lines");
  command.add_option("SHELL", o->shell, "bash, zsh or fish")
      ->required()
      ->type_name("bash|zsh|fish");
  command.footer(kFooter);
  return {&command, [o, &app] { return run_completion(*o, app); }};
}

}  // namespace braid
