// Notices that an answer only repeats itself.
//
// A loop is a block of at most kLongest tokens that has come again and again, nothing between, for
// so many tokens and at least kTimes times. Each token costs one comparison for each length of a
// block. What people ask for may repeat itself too (tables of zeros, lines of dashes), so the usual
// bound for content is far above anything of that kind, and the one for thoughts, after which the
// answer still comes, much lower.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace braid {

struct LoopLimits {
  int64_t thoughts = 512, content = 8192;  // tokens of a loop; 0: never
};

class LoopGuard {
 public:
  static constexpr size_t kLongest = 1024;
  static constexpr int64_t kTimes = 8;

  void accept(int32_t token);

  // Whether the last tokens are a loop of at least so many; never of 0.
  bool loops(int64_t tokens) const;

  void reset();  // nothing was there yet

 private:
  std::vector<int32_t> last_;   // a ring of kLongest tokens
  std::vector<int64_t> again_;  // [p]: so many last tokens are as the one p before each
  int64_t count_ = 0;
};

}  // namespace braid
