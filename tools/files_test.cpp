#include "tools/files.h"

#include "base/check.h"
#include "format/test_files.h"

#include <gmock/gmock.h>

#include <utility>

namespace braid {
namespace {

using testing::HasSubstr;

template <class Run>
std::string error_of(Run run) {
  try {
    run();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Files, WhatIsWrittenIsRead) {
  const test::TemporaryFolder folder;
  const std::string path = folder / "a", text = std::string(100'000, 'x') + '\0' + "y\n";
  write_file(path, text);
  EXPECT_EQ(read_file(path), text);
  FileWriter file(path);
  file.write("one ");
  file.write("two");
  file.close();
  EXPECT_EQ(read_file(path), "one two");
}

TEST(Files, ErrorsOfWritingAreSaid) {
  EXPECT_THAT(error_of([] { write_file("/no/such/file", ""); }),
              HasSubstr("/no/such/file: cannot be written: No such file"));
  // A few bytes leave the buffer when the file is closed, many at once.
  const std::string full = "/dev/full: could not be written: No space left";
  EXPECT_THAT(error_of([] { write_file("/dev/full", "a"); }), HasSubstr(full));
  FileWriter file("/dev/full");
  EXPECT_THAT(error_of([&] { file.write(std::string(1 << 20, 'x')); }), HasSubstr(full));
}

TEST(Files, LinesHaveNumbers) {
  std::vector<std::pair<std::string, int64_t>> lines;
  for_each_line("a\n\nb\r\nc",
                [&](std::string_view line, int64_t number) { lines.emplace_back(line, number); });
  EXPECT_EQ(lines, (std::vector<std::pair<std::string, int64_t>>{
                       {"a", 1}, {"", 2}, {"b\r", 3}, {"c", 4}}));
  for_each_line("", [](std::string_view, int64_t) { FAIL(); });
}

TEST(Files, KeysAreLinesThatAreNoComments) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(keys_in(folder.write("keys", "# ours\n\n \tone two\t\r\n  # not\nthree")),
            (std::vector<std::string>{"one two", "three"}));
  const std::string none = folder.write("none", "#\n \n");
  EXPECT_THAT(error_of([&] { keys_in(none); }), HasSubstr(none + ": holds no key"));
}

}  // namespace
}  // namespace braid
