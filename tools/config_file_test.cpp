#include "tools/config_file.h"

#include "format/test_files.h"

#include <gtest/gtest.h>

namespace braid {
namespace {

using test::error_of;

TEST(ConfigFile, LinesSectionsAndComments) {
  const ConfigFile config = parse_config("c",
                                         "# first\n"
                                         "threads = 8   # eight\r\n"
                                         "\n"
                                         "ctx_size=4096\n"
                                         "[ run ]  # from here on\n"
                                         "--temp = 0.7\n"
                                         "  system-prompt =  two  words#3 \n"
                                         "  a = \" x # \\\"y\\\" \\n \" # comment\n"
                                         "empty =\n"
                                         "last = 1");
  ASSERT_EQ(config.lines.size(), 7u);
  const auto expect = [&](size_t i, const char* section, const char* name, const char* value,
                          int line) {
    EXPECT_EQ(config.lines[i].section, section) << i;
    EXPECT_EQ(config.lines[i].name, name) << i;
    EXPECT_EQ(config.lines[i].value, value) << i;
    EXPECT_EQ(config.lines[i].line, line) << i;
  };
  expect(0, "", "threads", "8", 2);
  expect(1, "", "ctx-size", "4096", 4);
  expect(2, "run", "temp", "0.7", 6);
  expect(3, "run", "system-prompt", "two  words#3", 7);
  expect(4, "run", "a", " x # \"y\" \\n ", 8);
  expect(5, "run", "empty", "", 9);
  expect(6, "run", "last", "1", 10);
  ASSERT_EQ(config.sections.size(), 1u);
  EXPECT_EQ(config.sections[0].line, 5);
  EXPECT_TRUE(parse_config("c", "").lines.empty());
}

TEST(ConfigFile, BadLinesAreNamed) {
  const auto error = [](const char* text) { return error_of([&] { parse_config("c", text); }); };
  EXPECT_EQ(error("\nthreads 8"),
            "c:2: expected a line of the form name = value, as in threads = 8");
  EXPECT_EQ(error("= 8"), "c:1: expected a line of the form name = value, as in threads = 8");
  EXPECT_EQ(error("two words = 8"),
            "c:1: expected a line of the form name = value, as in threads = 8");
  for (const char* section : {"[run", "[]", "[", "[a b]"})
    EXPECT_EQ(error(section), "c:1: expected the name of a command in brackets, as in [run]");
  EXPECT_EQ(error("a = \"x"), "c:1: the quote is not closed");
  EXPECT_EQ(error("a = \"x\\\""), "c:1: the quote is not closed");
  EXPECT_EQ(error("a = \"x\" y"), "c:1: something follows the closing quote");
}

TEST(ConfigFile, WhichFile) {
  const test::TemporaryFolder folder;
  std::filesystem::create_directories(folder / "home/.config/braid");
  std::filesystem::create_directories(folder / "xdg/braid");
  const auto threads = [](const ConfigFile& c) { return c.lines.empty() ? "" : c.lines[0].value; };
  Environment e;
  EXPECT_EQ(threads(load_config("", e)), "");
  e["HOME"] = folder / "home";
  EXPECT_EQ(threads(load_config("", e)), "");
  folder.write("home/.config/braid/config", "threads = 1");
  EXPECT_EQ(threads(load_config("", e)), "1");
  e["XDG_CONFIG_HOME"] = folder / "xdg";
  EXPECT_EQ(threads(load_config("", e)), "");
  folder.write("xdg/braid/config", "threads = 2");
  EXPECT_EQ(threads(load_config("", e)), "2");
  e["BRAID_CONFIG"] = folder.write("by-variable", "threads = 3");
  EXPECT_EQ(threads(load_config("", e)), "3");
  EXPECT_EQ(threads(load_config(folder.write("named", "threads = 4"), e)), "4");
  EXPECT_EQ(threads(load_config("none", e)), "");
  e["BRAID_CONFIG"] = "none";
  EXPECT_EQ(threads(load_config("", e)), "");

  EXPECT_NE(error_of([&] { load_config(folder / "missing", e); }).find("cannot be read"),
            std::string::npos);
  e["BRAID_CONFIG"] = folder.path();  // a folder
  EXPECT_NE(error_of([&] { load_config("", e); }).find("cannot be read"), std::string::npos);
}

}  // namespace
}  // namespace braid
