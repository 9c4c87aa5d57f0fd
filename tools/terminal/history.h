// What was sent before, for the editor: in memory, and in a file where there is one.
//
// The file has an entry per line, with \n and \\ written out for line ends and backslashes. Entries
// are appended with one write each, so that several programs may share the file; it is for its
// owner alone (0600). Loading keeps the newest entries and shortens a file that has grown to twice
// as many. A file that cannot be read or written is no error: there is no memory then.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

class History {
 public:
  static constexpr size_t kEntries = 1000;
  static constexpr size_t kLongestEntry = 64 * 1024;  // bytes; longer ones stay out of the file

  History() = default;  // in memory only
  explicit History(std::string path);

  const std::vector<std::string>& entries() const { return entries_; }  // oldest first

  // Empty entries and repetitions of the last one are left out.
  void add(std::string entry);

  // The newest entry before `end` (exclusive) that contains the text, or npos.
  size_t find_before(size_t end, std::string_view text) const;

  static constexpr size_t npos = static_cast<size_t>(-1);

 private:
  void load();

  std::string path_;
  std::vector<std::string> entries_;
};

// braid/history below XDG_DATA_HOME or else ~/.local/share; empty when neither is known.
std::string history_path(const char* xdg_data_home, const char* home);

}  // namespace braid
