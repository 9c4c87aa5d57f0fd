#include "sample/indent_guard.h"

#include <gtest/gtest.h>

#include <utility>

namespace braid {
namespace {

// What comes out, and whether the text was ended, however it is cut.
std::pair<std::string, bool> guarded(int64_t indent, const std::string& text) {
  std::pair<std::string, bool> whole;
  for (size_t step = 1; step <= text.size(); ++step) {
    IndentGuard guard(indent);
    std::string out;
    bool ended = false;
    for (size_t at = 0; at < text.size() && !ended; at += step)
      ended = guard.feed(std::string_view(text).substr(at, step), out);
    guard.finish(out);
    if (step > 1) {
      EXPECT_EQ(whole, std::pair(out, ended)) << step;
    }
    whole = {out, ended};
  }
  return whole;
}

TEST(IndentGuard, EndsAtALineThatStandsFurtherLeft) {
  using Result = std::pair<std::string, bool>;
  EXPECT_EQ(guarded(4, "a;\n    b;\n  c;\n    d"), Result("a;\n    b;", true));
  EXPECT_EQ(guarded(4, "a;\n    b;\n\n\n    d"), Result("a;\n    b;\n\n\n    d", false));
  EXPECT_EQ(guarded(4, "a;\n    b;\n\n}"), Result("a;\n    b;", true));
  EXPECT_EQ(guarded(1, "a;\r\n\tb;\r\n}"), Result("a;\r\n\tb;\r", true));
  EXPECT_EQ(guarded(2, "a;\n  b;\n "), Result("a;\n  b;\n ", false));
  EXPECT_EQ(guarded(0, "a;\nb"), Result("a;\nb", false));
  EXPECT_EQ(guarded(3, "a"), Result("a", false));
}

}  // namespace
}  // namespace braid
