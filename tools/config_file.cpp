#include "tools/config_file.h"

#include "base/check.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace braid {
namespace {

constexpr std::string_view kBlank = " \t\r";

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

// A # begins a comment where a word would begin.
std::string_view without_comment(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i)
    if (text[i] == '#' && (i == 0 || kBlank.find(text[i - 1]) != std::string_view::npos))
      return text.substr(0, i);
  return text;
}

// "..." with \" and \\ in it, and nothing but a comment behind.
std::string unquoted(std::string_view text, const std::string& place) {
  std::string out;
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      if (!trimmed(without_comment(text.substr(i + 1))).empty() ||
          (i + 1 < text.size() && text[i + 1] == '#'))
        fail("{}: something follows the closing quote", place);
      return out;
    }
    const bool escape =
        text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == '"' || text[i + 1] == '\\');
    out += text[escape ? ++i : i];
  }
  fail("{}: the quote is not closed", place);
}

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  std::error_code error;
  if (!in || std::filesystem::is_directory(path, error))
    fail("{}: the configuration file cannot be read", path);
  return std::move(text).str();
}

const std::string* find(const Environment& environment, const std::string& name) {
  const auto found = environment.find(name);
  return found == environment.end() || found->second.empty() ? nullptr : &found->second;
}

}  // namespace

ConfigFile parse_config(const std::string& path, std::string_view text) {
  ConfigFile config{.path = path};
  std::string section;
  int number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view raw = trimmed(text.substr(begin, end - begin));
    begin = end + 1;
    const std::string place = config.place(++number);
    const std::string_view bare = trimmed(without_comment(raw));
    if (bare.empty()) continue;
    if (bare[0] == '[') {
      if (bare.back() != ']' || !is_name(trimmed(bare.substr(1, bare.size() - 2))))
        fail("{}: expected the name of a command in brackets, as in [run]", place);
      section = trimmed(bare.substr(1, bare.size() - 2));
      config.sections.push_back({section, number});
      continue;
    }
    const size_t equals = raw.find('=');
    std::string name(trimmed(raw.substr(0, equals)));
    if (equals == std::string_view::npos || !is_name(name))
      fail("{}: expected a line of the form name = value, as in threads = 8", place);
    if (name.starts_with("--")) name.erase(0, 2);
    std::replace(name.begin(), name.end(), '_', '-');
    const std::string_view value = trimmed(raw.substr(equals + 1));
    config.lines.push_back({section, name,
                            value.starts_with('"') ? unquoted(value, place)
                                                   : std::string(trimmed(without_comment(value))),
                            number});
  }
  return config;
}

ConfigFile load_config(const std::string& named, const Environment& environment) {
  const std::string* variable = find(environment, "BRAID_CONFIG");
  const std::string path = !named.empty() ? named : variable != nullptr ? *variable : "";
  if (path == "none") return {};
  if (!path.empty()) return parse_config(path, read_file(path));

  const std::string *base = find(environment, "XDG_CONFIG_HOME"), *home = find(environment, "HOME");
  if (base == nullptr && home == nullptr) return {};
  const std::filesystem::path usual =
      (base != nullptr ? std::filesystem::path(*base) : std::filesystem::path(*home) / ".config") /
      "braid" / "config";
  std::error_code error;
  if (!std::filesystem::exists(usual, error)) return {};
  return parse_config(usual.string(), read_file(usual.string()));
}

}  // namespace braid
