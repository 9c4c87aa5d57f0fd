#include "tools/terminal/history.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace braid {
namespace {

std::string encoded(std::string_view entry) {
  std::string line;
  for (const char c : entry) {
    if (c == '\n') {
      line += "\\n";
    } else if (c == '\\') {
      line += "\\\\";
    } else {
      line += c;
    }
  }
  return line += '\n';
}

std::string decoded(std::string_view line) {
  std::string entry;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] != '\\' || i + 1 == line.size()) {
      entry += line[i];
    } else {
      ++i;
      entry += line[i] == 'n' ? '\n' : line[i];
    }
  }
  return entry;
}

bool write_to(const std::string& path, std::string_view bytes, int flags) {
  const int file = ::open(path.c_str(), flags | O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return false;
  const bool written =
      ::write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
  return ::close(file) == 0 && written;
}

bool is_plain_file(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode);
}

}  // namespace

History::History(std::string path) : path_(std::move(path)) {
  if (path_.empty()) return;
  const std::filesystem::path folder = std::filesystem::path(path_).parent_path();
  std::error_code error;
  if (!folder.empty() && std::filesystem::create_directories(folder, error))
    ::chmod(folder.c_str(), 0700);
  if (!is_plain_file(path_)) path_.clear();
  load();
}

void History::load() {
  std::ifstream file(path_, std::ios::binary);
  if (path_.empty() || !file) return;
  for (std::string line; std::getline(file, line);)
    if (!line.empty()) entries_.push_back(decoded(line));
  const size_t all = entries_.size();
  if (all > kEntries) entries_.erase(entries_.begin(), entries_.end() - kEntries);
  if (all < 2 * kEntries) return;
  std::string kept;
  for (const std::string& entry : entries_) kept += encoded(entry);
  const std::string fresh = fmt::format("{}.{}", path_, ::getpid());
  if (!write_to(fresh, kept, O_EXCL) || std::rename(fresh.c_str(), path_.c_str()) != 0)
    ::unlink(fresh.c_str());
}

void History::add(std::string entry) {
  if (entry.empty() || (!entries_.empty() && entries_.back() == entry)) return;
  if (!path_.empty() && entry.size() <= kLongestEntry) write_to(path_, encoded(entry), O_APPEND);
  entries_.push_back(std::move(entry));
  if (entries_.size() > kEntries) entries_.erase(entries_.begin());
}

size_t History::find_before(size_t end, std::string_view text) const {
  for (size_t i = std::min(end, entries_.size()); i > 0; --i)
    if (entries_[i - 1].find(text) != std::string::npos) return i - 1;
  return npos;
}

std::string history_path(const char* xdg_data_home, const char* home) {
  // The standard wants absolute paths and has others ignored.
  if (xdg_data_home != nullptr && xdg_data_home[0] == '/')
    return std::string(xdg_data_home) + "/braid/history";
  if (home != nullptr && home[0] == '/') return std::string(home) + "/.local/share/braid/history";
  return "";
}

}  // namespace braid
