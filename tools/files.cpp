#include "tools/files.h"

#include "base/check.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <utility>

namespace braid {

std::string read_file(const std::string& path) {
  if (path == "-") return {std::istreambuf_iterator<char>(std::cin), {}};
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) fail("{}: is a folder, not a text", path);
  std::ifstream file(path, std::ios::binary);
  if (!file) fail("{}: cannot be opened: {}", path, std::strerror(errno));
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (file.bad()) fail("{}: cannot be read: {}", path, std::strerror(errno));
  return text;
}

FileWriter::FileWriter(std::string path)
    : path_(std::move(path)), file_(std::fopen(path_.c_str(), "w"), std::fclose) {
  if (!file_) fail("{}: cannot be written: {}", path_, std::strerror(errno));
}

void FileWriter::write(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size())
    fail("{}: could not be written: {}", path_, std::strerror(errno));
}

void FileWriter::close() {
  if (std::fclose(file_.release()) != 0)
    fail("{}: could not be written: {}", path_, std::strerror(errno));
}

void write_file(const std::string& path, std::string_view text) {
  FileWriter file(path);
  file.write(text);
  file.close();
}

void for_each_line(std::string_view text,
                   const std::function<void(std::string_view line, int64_t number)>& visit) {
  int64_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    visit(text.substr(begin, end - begin), ++number);
    begin = end + 1;
  }
}

std::vector<std::string> keys_in(const std::string& path) {
  std::vector<std::string> keys;
  for_each_line(read_file(path), [&](std::string_view line, int64_t) {
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    line = line.substr(0, line.find_last_not_of(" \t\r") + 1);
    if (!line.empty() && line.front() != '#') keys.emplace_back(line);
  });
  if (keys.empty()) fail("{}: holds no key: write one a line, or leave --api-key-file out", path);
  return keys;
}

}  // namespace braid
