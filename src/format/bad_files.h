// For tests: files with one thing wrong each. tests/data/bad_files.md shows the error of every one;
// bad_files_test.cpp compares.
#pragma once

#include "format/test_files.h"

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace braid::test {

struct BadFile {
  std::string what;  // is wrong, for the table
  // Writes it into the folder and returns the path to open.
  std::function<std::string(const TemporaryFolder&)> make;
};

inline BadFile bad_file(std::string what, std::string name, std::string content) {
  return {std::move(what),
          [name, content](const TemporaryFolder& folder) { return folder.write(name, content); }};
}

// Several files, of which the first is opened, or the folder when open_folder is set.
inline BadFile bad_folder(std::string what, std::vector<std::pair<std::string, std::string>> files,
                          bool open_folder = false) {
  return {std::move(what), [files, open_folder](const TemporaryFolder& folder) {
            for (const auto& [name, content] : files) folder.write(name, content);
            return open_folder ? folder.path() : folder / files.front().first;
          }};
}

std::vector<BadFile> bad_gguf_files();
std::vector<BadFile> bad_split_files();
std::vector<BadFile> bad_safetensors_files();
std::vector<BadFile> bad_folders();
std::vector<BadFile> other_files();

}  // namespace braid::test
