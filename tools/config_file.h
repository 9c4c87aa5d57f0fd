// The user's configuration file: options for every command, or for one.
//
//   # comment
//   threads = 8
//   [run]
//   temp = 0.7
//   system-prompt = "two  words # and no comment"
//
// Only the form is judged here; whether the names are options is settings.h's business.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

// All variables of the process, or what a test puts there.
using Environment = std::map<std::string, std::string>;

struct ConfigLine {
  std::string section{};  // empty: before the first one
  std::string name{};     // with - for _
  std::string value{};
  int line = 0;
};

struct ConfigFile {
  std::string path{};
  struct Section {
    std::string name{};
    int line = 0;
  };
  std::vector<Section> sections{};
  std::vector<ConfigLine> lines{};

  std::string place(int line) const { return path + ":" + std::to_string(line); }
};

// Throws Error with path and line.
ConfigFile parse_config(const std::string& path, std::string_view text);

// From `named` (--config) or BRAID_CONFIG, which must exist unless they are "none"; else from
// $XDG_CONFIG_HOME/braid/config or ~/.config/braid/config, if it is there.
ConfigFile load_config(const std::string& named, const Environment& environment);

}  // namespace braid
