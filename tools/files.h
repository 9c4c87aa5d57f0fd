// Texts that a user names on the command line. All of it throws Error with the path and the reason.
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

// Bytes as they are; "-" is standard input.
std::string read_file(const std::string& path);

// A file that is written piece by piece. It is whole once close() has returned.
class FileWriter {
 public:
  explicit FileWriter(std::string path);
  void write(std::string_view text);
  void close();

 private:
  std::string path_;
  std::unique_ptr<FILE, int (*)(FILE*)> file_;
};
void write_file(const std::string& path, std::string_view text);

// Each line without its end, with its number from 1; the last one may have no end.
void for_each_line(std::string_view text,
                   const std::function<void(std::string_view line, int64_t number)>& visit);

// The keys of a file, one a line; blanks around them, empty lines and those that begin with # do
// not count. There is at least one.
std::vector<std::string> keys_in(const std::string& path);

}  // namespace braid
