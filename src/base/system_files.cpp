#include "base/system_files.h"

#include <charconv>
#include <fstream>
#include <sstream>
#include <utility>

namespace braid {
namespace {

constexpr int kMostListed = 1 << 16;  // a list that names a larger number is not believed

void climb(const std::string& base, std::string group, int version, const VisitGroup& visit) {
  while (true) {
    visit(base + (group == "/" ? "" : group) + "/", version);
    const size_t slash = group.find_last_of('/');
    if (group.empty() || group == "/" || slash == std::string::npos) return;
    group.erase(slash);
  }
}

}  // namespace

std::string read_text(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  std::string out = std::move(text).str();
  while (!out.empty() && (out.back() == '\n' || out.back() == ' ')) out.pop_back();
  return out;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::optional<int64_t> number_at(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return value;
}

std::vector<int> listed(const std::string& text) {
  std::vector<int> out;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, ',');) {
    const size_t dash = part.find('-');
    const auto first = number_at(part);
    const auto last =
        dash == std::string::npos ? first : number_at(std::string_view(part).substr(dash + 1));
    if (!first || !last || *first < 0 || *last >= kMostListed) continue;
    for (int64_t i = *first; i <= *last; ++i) out.push_back(static_cast<int>(i));
  }
  return out;
}

std::string value_of(const std::string& text, std::string_view key) {
  for (const std::string& line : lines_of(text)) {
    if (!line.starts_with(key)) continue;
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

void for_each_control_group(const std::string& root, const std::string& controller,
                            const VisitGroup& visit) {
  const std::string base = root + "/sys/fs/cgroup";
  for (const std::string& line : lines_of(read_text(root + "/proc/self/cgroup"))) {
    const size_t one = line.find(':'), two = line.find(':', one + 1);  // "4:cpu,cpuacct:/path"
    if (one == std::string::npos || two == std::string::npos) continue;
    const std::string controllers = "," + line.substr(one + 1, two - one - 1) + ",";
    const std::string group = line.substr(two + 1);
    if (controllers == ",,") climb(base, group, 2, visit);
    if (controllers.find("," + controller + ",") != std::string::npos)
      climb(base + "/" + controller, group, 1, visit);
  }
}

}  // namespace braid
