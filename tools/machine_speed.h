// How fast this machine could be, by itself: what the speed of a model is held against.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace braid {

// Per second; zero: not measured.
struct Bandwidth {
  double one_thread = 0, all_threads = 0;  // bytes
  int threads = 0;
};
// Reads `bytes` of memory again and again, for about half a second.
Bandwidth measure_bandwidth(size_t bytes, int threads);

// Reads memory in samples of some 30 ms between other work: on a shared machine its speed changes
// within seconds.
class ReadProbe {
 public:
  ReadProbe(int threads, size_t bytes);
  ~ReadProbe();
  double sample();  // bytes per second, the best of a few passes; 0: there was no memory to read

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

// What one kind of instruction can do at most.
struct Peak {
  std::string kind{};                      // "int8", "bf16", "f32"
  std::string instruction{};               // "vpdpbusd 512"
  std::string isa{};                       // the set of kernels that has it
  double one_thread = 0, all_threads = 0;  // operations per second; a multiply-add is two
};
// Of every instruction set that this processor and this build have, best first; about a tenth of a
// second each.
std::vector<Peak> measure_peaks(int threads);

// Of Braid's own team: what the end of a phase costs, in seconds.
double measure_barrier(int threads);

// What `braid bench` needs to know, with all threads: reads (ReadProbe) and the dot product of
// 8-bit integers. Zero: not measured, or there is no such instruction.
struct MachineSpeed {
  int threads = 0;
  double read_bytes = 0;
  double int8_ops = 0;
  std::string int8_kind{};
};
// The integers' part, as kernels of this instruction set ("" for the best there is) could use it.
MachineSpeed measure_int8(int threads, const std::string& isa);

}  // namespace braid
