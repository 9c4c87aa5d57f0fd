// Opens every bad file and compares its error with the table in tests/data/bad_files.md.
//
// When an error text changes on purpose: run this test, look at the difference, and copy the table
// that it wrote (the failure says where) over the old one.
#include "format/bad_files.h"

#include "format/open.h"
#include "format/printable.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace braid {
namespace {

using namespace test;

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// The error with the folder's path taken away.
std::string error_of_file(const BadFile& file) {
  const TemporaryFolder folder;
  const std::string path = file.make(folder);
  const std::string error = error_of([&] { open_model_file(path); });
  return replace_all(replace_all(error, folder.path() + "/", ""), folder.path(), "folder");
}

std::string section(std::string_view title, const std::vector<BadFile>& files) {
  std::string out = fmt::format("\n## {}\n\n| what is wrong | the error |\n|---|---|\n", title);
  for (const BadFile& file : files) {
    out +=
        fmt::format("| {} | `` {} `` |\n", file.what, replace_all(error_of_file(file), "|", "\\|"));
  }
  return out;
}

std::string table() {
  return "# Bad files and the errors they get\n\n"
         "Written by `src/format/bad_files_test.cpp`, which makes the files and says how to bring "
         "this table up to date.\n" +
         section("GGUF", bad_gguf_files()) + section("Split GGUF", bad_split_files()) +
         section("safetensors", bad_safetensors_files()) +
         section("Hugging Face folders", bad_folders()) + section("Other files", other_files());
}

TEST(BadFiles, GetTheErrorsOfTheTable) {
  std::ifstream committed(BRAID_TEST_DATA "/bad_files.md");
  std::stringstream expected;
  expected << committed.rdbuf();
  const std::string actual = table();
  if (actual == expected.str()) return;
  const std::string path = testing::TempDir() + "bad_files.md";
  std::ofstream(path) << actual;
  std::istringstream old_lines(expected.str());
  std::istringstream new_lines(actual);
  std::string old_line, new_line;
  while (old_line == new_line && std::getline(new_lines, new_line)) {
    if (!std::getline(old_lines, old_line)) old_line = "(end)";
  }
  FAIL() << "the first difference:\n  was " << old_line << "\n  is  " << new_line
         << "\nIf that is meant: cp " << path << " " << BRAID_TEST_DATA "/bad_files.md";
}

TEST(BadFiles, EveryErrorIsOneShortLineOfUtf8) {
  for (const auto& files : {bad_gguf_files(), bad_split_files(), bad_safetensors_files(),
                            bad_folders(), other_files()}) {
    for (const BadFile& file : files) {
      const std::string error = error_of_file(file);
      EXPECT_NE(error, "no error") << file.what;
      EXPECT_TRUE(is_plain_name(error)) << file.what;
      EXPECT_LT(error.size(), 500u) << file.what;
    }
  }
}

}  // namespace
}  // namespace braid
