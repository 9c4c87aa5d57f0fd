#include "tools/settings.h"

#include "base/check.h"
#include "tools/arguments.h"
#include "tools/near_spelling.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <set>

namespace braid {
namespace {

using Commands = std::vector<const CLI::App*>;
Commands commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

// Variables of llama.cpp whose option means the same here.
struct PeerVariable {
  std::string_view variable, option;
};
constexpr PeerVariable kPeerVariables[] = {
    {"LLAMA_ARG_MODEL", "model"},
    {"LLAMA_ARG_THREADS", "threads"},
    {"LLAMA_ARG_CTX_SIZE", "ctx-size"},
    {"LLAMA_ARG_BATCH", "batch-size"},
    {"LLAMA_ARG_UBATCH", "ubatch-size"},
    {"LLAMA_ARG_N_PREDICT", "predict"},
    {"LLAMA_ARG_N_PARALLEL", "parallel"},
    {"LLAMA_ARG_CACHE_TYPE_K", "cache-type-k"},
    {"LLAMA_ARG_CACHE_TYPE_V", "cache-type-v"},
    {"LLAMA_ARG_TOP_K", "top-k"},
    {"LLAMA_ARG_CHAT_TEMPLATE", "chat-template"},
    {"LLAMA_ARG_CHAT_TEMPLATE_FILE", "chat-template-file"},
    {"LLAMA_ARG_HOST", "host"},
    {"LLAMA_ARG_PORT", "port"},
    {"LLAMA_ARG_ALIAS", "alias"},
    {"LLAMA_API_KEY", "api-key"},
};

bool has_name(const CLI::Option& option, std::string_view name) {
  const auto& names = option.get_lnames();
  return std::find(names.begin(), names.end(), name) != names.end();
}

const CLI::Option* find_option(const CLI::App& command, std::string_view name) {
  for (const CLI::Option* option : command.get_options())
    if (can_be_set(*option) && has_name(*option, name)) return option;
  return nullptr;
}

std::optional<Setting> from_environment(const CLI::Option& option, const Environment& environment) {
  const auto take = [&](const std::string& variable,
                        const std::string& name) -> std::optional<Setting> {
    const auto found = environment.find(variable);
    if (found == environment.end() || found->second.empty()) return std::nullopt;
    return Setting{&option, name, {found->second}, variable};
  };
  for (const std::string& name : option.get_lnames())
    if (auto setting = take(variable_name(name), name)) return setting;
  for (const PeerVariable& peer : kPeerVariables)
    if (has_name(option, peer.option))
      if (auto setting = take(std::string(peer.variable), std::string(peer.option))) return setting;
  return std::nullopt;
}

std::optional<Setting> from_config(const CLI::Option& option, const ConfigFile& config,
                                   const std::string& section) {
  Setting setting{&option, "", {}, ""};
  int before = 0;
  for (const ConfigLine& line : config.lines) {
    if (line.section != section || !has_name(option, line.name)) continue;
    const bool list = option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll;
    if (!list && !setting.values.empty())
      fail("{}: {} was already set in line {}", config.place(line.line), line.name, before);
    setting.name = line.name;
    setting.values.push_back(line.value);
    setting.source = config.place(line.line);
    before = line.line;
  }
  if (setting.values.empty()) return std::nullopt;
  return setting;
}

std::vector<std::string> setting_names(const Commands& commands) {
  std::set<std::string> names;
  for (const CLI::App* command : commands)
    for (const CLI::Option* option : command->get_options())
      if (can_be_set(*option))
        names.insert(option->get_lnames().begin(), option->get_lnames().end());
  return {names.begin(), names.end()};
}

// A name must be an option of the section's command, or of any where no section is.
void check_names(const CLI::App& app, const ConfigFile& config) {
  const Commands commands = commands_of(app);
  const auto find_command = [&](const std::string& name) {
    return std::find_if(commands.begin(), commands.end(),
                        [&](const CLI::App* command) { return command->get_name() == name; });
  };
  for (const ConfigFile::Section& section : config.sections) {
    if (find_command(section.name) != commands.end()) continue;
    std::vector<std::string> names;
    for (const CLI::App* command : commands) names.push_back(command->get_name());
    fail("{}: there is no command \"{}\"{}", config.place(section.line), section.name,
         did_you_mean(section.name, names));
  }
  for (const ConfigLine& line : config.lines) {
    const Commands searched =
        line.section.empty() ? commands : Commands{*find_command(line.section)};
    const bool known = std::any_of(searched.begin(), searched.end(), [&](const CLI::App* command) {
      return find_option(*command, line.name) != nullptr;
    });
    if (known) continue;
    fail("{}: {} option \"{}\"{}", config.place(line.line),
         line.section.empty() ? "no command has an" : line.section + " has no", line.name,
         did_you_mean(line.name, setting_names(searched)));
  }
}

// Where a setting comes from; the first counts before the others.
enum class Place { kEnvironment, kSection, kAllCommands };
struct Found {
  Setting setting;
  Place place;
};

// Whether an option that excludes this one counts before it.
bool is_beaten(const Found& one, const std::vector<Found>& all) {
  const auto excluded = one.setting.option->get_excludes();
  for (const Found& other : all) {
    if (std::none_of(excluded.begin(), excluded.end(),
                     [&](const CLI::Option* option) { return option == other.setting.option; }))
      continue;
    if (other.place < one.place) return true;
    if (other.place == one.place)
      fail("{} and {}: --{} and --{} exclude each other: leave one out", one.setting.source,
           other.setting.source, one.setting.name, other.setting.name);
  }
  return false;
}

// What a flag is set to; CLI11 knows these two words.
std::string flag_word(const Setting& setting) {
  std::string word = setting.values.back();
  std::transform(word.begin(), word.end(), word.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr std::array<std::string_view, 5> kYes = {"true", "on", "yes", "1", "enabled"};
  constexpr std::array<std::string_view, 5> kNo = {"false", "off", "no", "0", "disabled"};
  if (std::find(kYes.begin(), kYes.end(), word) != kYes.end()) return "true";
  if (std::find(kNo.begin(), kNo.end(), word) != kNo.end()) return "false";
  fail("{}: {} is \"{}\"; it can be on or off", setting.source, setting.name,
       setting.values.back());
}

}  // namespace

std::string variable_name(std::string_view long_name) {
  std::string name = "BRAID_";
  for (const char c : long_name)
    name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

bool can_be_set(const CLI::Option& option) {
  constexpr std::array<std::string_view, 4> kNot = {"help", "version", "config", "print-options"};
  const auto& names = option.get_lnames();
  return !names.empty() && std::find(kNot.begin(), kNot.end(), names.front()) == kNot.end();
}

std::vector<Setting> find_settings(const CLI::App& app, const CLI::App& command,
                                   std::span<const std::string> arguments,
                                   const Environment& environment, const ConfigFile& config) {
  check_names(app, config);
  const auto given = given_options(command, arguments);
  std::vector<Found> found;
  const auto take = [&](std::optional<Setting> setting, Place place) {
    if (setting) found.push_back({std::move(*setting), place});
    return setting.has_value();
  };
  for (const CLI::Option* option : command.get_options()) {
    const auto excluded = option->get_excludes();
    if (!can_be_set(*option) || given.contains(option) ||
        std::any_of(excluded.begin(), excluded.end(),
                    [&](const CLI::Option* other) { return given.contains(other); }))
      continue;
    if (!take(from_environment(*option, environment), Place::kEnvironment) &&
        !take(from_config(*option, config, command.get_name()), Place::kSection))
      take(from_config(*option, config, ""), Place::kAllCommands);
  }
  std::vector<Setting> settings;
  for (const Found& one : found)
    if (!is_beaten(one, found)) settings.push_back(one.setting);
  return settings;
}

std::vector<std::string> as_arguments(std::span<const Setting> settings) {
  std::vector<std::string> arguments;
  for (const Setting& setting : settings) {
    const std::string name = "--" + setting.name;
    if (setting.option->get_items_expected_max() == 0) {
      arguments.push_back(name + "=" + flag_word(setting));
      continue;
    }
    for (const std::string& value : setting.values) {
      arguments.push_back(name);
      arguments.push_back(value);
    }
  }
  return arguments;
}

std::vector<std::string> misspelt_variables(const CLI::App& app, const Environment& environment) {
  std::vector<std::string> known = {"BRAID_CONFIG"};
  for (const std::string& name : setting_names(commands_of(app)))
    known.push_back(variable_name(name));
  std::vector<std::string> notes;
  for (const auto& [variable, value] : environment) {
    if (!variable.starts_with("BRAID_")) continue;
    if (std::find(known.begin(), known.end(), variable) != known.end()) continue;
    const std::string meant = did_you_mean(variable, known);
    if (!meant.empty()) notes.push_back(fmt::format("{} sets no option{}", variable, meant));
  }
  return notes;
}

}  // namespace braid
