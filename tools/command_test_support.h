// For tests of commands: run one on the demo model, with what it writes.
#pragma once

#include "tools/cli.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

namespace braid::test {

inline const std::string kDemoModel = BRAID_TEST_DATA "/../../assets/braid-demo.gguf";

struct Outcome {
  int code = 0;
  std::string out, err;
};

inline Outcome run_command(MakeCommand make, const std::vector<std::string>& arguments,
                           const Environment& environment = {}) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Outcome outcome;
  outcome.code = run_command_line(arguments, std::span(&make, 1), environment);
  std::fflush(stdout);
  outcome.out = testing::internal::GetCapturedStdout();
  outcome.err = testing::internal::GetCapturedStderr();
  return outcome;
}

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

// One line on stderr that has this part, nothing on stdout.
inline void expect_one_line(const Outcome& outcome, int code, const std::string& part) {
  EXPECT_EQ(outcome.code, code);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(lines_of(outcome.err).size(), 1u) << outcome.err;
  EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
}

}  // namespace braid::test
