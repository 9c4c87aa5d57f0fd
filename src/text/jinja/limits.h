// What a template may use up, and the counting of it.
//
// Templates come with model files from anywhere. Each of these bounds is far above what a chat
// template needs and far below what hurts the process; whoever meets one gets a LimitFailure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>

namespace braid::jinja {

struct Limits {
  size_t source_bytes = 1 << 20;
  uint64_t steps = 100'000'000;    // evaluations, and text handled in units of 64 bytes
  size_t output_bytes = 64 << 20;  // of the rendered text, and of any one string
  size_t live_bytes = 256 << 20;   // strings and containers alive at one time
  int depth = 500;                 // statements, calls and expressions inside one another
};

inline constexpr int kMaxNesting = 200;  // lists in lists, brackets in brackets, blocks in blocks
inline constexpr int64_t kMaxRange = 100'000;  // MAX_RANGE of jinja2's sandbox

inline constexpr int64_t kMaxRangeNumber = int64_t{1} << 40;  // in range(...): no sum overflows

// What goes wrong while a template runs; the interpreter adds name and line.
class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class LimitFailure : public Failure {
 public:
  using Failure::Failure;
};

}  // namespace braid::jinja
