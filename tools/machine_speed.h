// How fast this machine could be, by itself: what the speed of a model is held against.
#pragma once

#include <string>

namespace braid {

// Zero: not measured, or this processor has no such instructions.
struct MachineSpeed {
  int threads = 0;
  double read_bytes = 0;    // per second, all threads together
  double int8_ops = 0;      // operations per second of dot products of 8-bit integers
  std::string int8_kind{};  // the instruction
};

// For this many threads, as kernels of this instruction set ("" for the best there is) could use
// the machine. Takes about a second.
MachineSpeed measure_speed(int threads, const std::string& isa);

}  // namespace braid
