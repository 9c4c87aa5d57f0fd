// Kernels that keep one part of the processor busy and do nothing else: what it can give at most,
// which the speed of real kernels is held against. A table of its own; `braid probe` and `braid
// bench` are its users.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace braid {

// A loop of one instruction on registers, enough of them independent to hide its latency.
struct PeakKernel {
  const char* instruction = nullptr;  // null: neither this set nor this processor has one
  double ops = 0;                     // of a round; a multiply-add is two
  void (*run)(int64_t rounds) = nullptr;
};

struct ProbeKernels {
  const char* isa = nullptr;
  // Reads all of the bytes (a multiple of 256, aligned to 64); what it gives back keeps the reads
  // alive.
  uint64_t (*read)(const void* bytes, size_t n) = nullptr;
  uint64_t (*read_ahead)(const void* bytes, size_t n) = nullptr;  // with software prefetch
  PeakKernel int8_dot;      // four products of 8 bits added to a lane of 32
  PeakKernel int8_maddubs;  // the same in three instructions, for sets without the one
  PeakKernel bf16_dot;
  PeakKernel f32_fma;
};

// Each fills the whole table; entries that this processor has no instruction for stay empty.
namespace portable {
void fill_probe(ProbeKernels&);
}
namespace avx2 {
void fill_probe(ProbeKernels&);
}
namespace avx512 {
void fill_probe(ProbeKernels&);
}
namespace neon {
void fill_probe(ProbeKernels&);
}

}  // namespace braid
