// The vocabulary of the instruction set that this file is being compiled for, and what follows from
// it.
//
// Kernels are compiled once per instruction set with -DBRAID_ISA=<name> -DBRAID_ISA_<name>.
// Everything here has internal linkage: the linker must never take a function compiled for a newer
// processor in place of one that runs everywhere. So no standard headers with inline functions
// either.
#pragma once

#include <stddef.h>
#include <stdint.h>

#if defined(BRAID_ISA_avx512) || defined(BRAID_ISA_avx512vnni)
#include "device/cpu/simd/simd_avx512.h"
#elif defined(BRAID_ISA_avx2)
#include "device/cpu/simd/simd_avx2.h"
#elif defined(BRAID_ISA_portable)
#include "device/cpu/simd/simd_portable.h"
#else
#error "compile kernels through add_isa_kernels"
#endif

namespace braid::BRAID_ISA {
namespace {

// The last, partial vector of a row: missing lanes are zero and are not stored.
[[gnu::always_inline]] inline V load_part(const float* p, int64_t n) {
  float lane[kLanes] = {};
  for (int64_t i = 0; i < n; ++i) lane[i] = p[i];
  return load(lane);
}
[[gnu::always_inline]] inline void store_part(float* p, V a, int64_t n) {
  float lane[kLanes];
  store(lane, a);
  for (int64_t i = 0; i < n; ++i) p[i] = lane[i];
}
[[gnu::always_inline]] inline V load_upto(const float* p, int64_t n) {
  return n >= kLanes ? load(p) : load_part(p, n);
}
[[gnu::always_inline]] inline void store_upto(float* p, V a, int64_t n) {
  if (n >= kLanes)
    store(p, a);
  else
    store_part(p, a, n);
}

// e^a to about 1 ulp, clamped to the range of normal floats: 2^n e^r with |r| <= ln2/2, ln2 in two
// parts so that the subtraction is exact, and the Taylor polynomial of e^r up to r^7.
[[gnu::always_inline]] inline V exp(V a) {
  a = min(max(a, set1(-87.0f)), set1(88.0f));
  const V n = round(mul(a, set1(1.44269504f)));
  const V r = fma(n, set1(-1.42860682e-6f), fma(n, set1(-0.693145752f), a));
  V p = set1(1.98412698e-4f);
  p = fma(p, r, set1(1.38888889e-3f));
  p = fma(p, r, set1(8.33333333e-3f));
  p = fma(p, r, set1(4.16666667e-2f));
  p = fma(p, r, set1(1.66666667e-1f));
  p = fma(p, r, set1(0.5f));
  p = fma(p, r, set1(1.0f));
  p = fma(p, r, set1(1.0f));
  return scale(p, n);
}

[[gnu::always_inline]] inline V sigmoid(V a) {
  return div(set1(1.0f), add(set1(1.0f), exp(sub(set1(0.0f), a))));
}

[[gnu::always_inline]] inline float dot(const float* a, const float* b, int64_t n) {
  V acc = set1(0.0f);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) acc = fma(load(a + i), load(b + i), acc);
  if (i < n) acc = fma(load_part(a + i, n - i), load_part(b + i, n - i), acc);
  return sum(acc);
}

}  // namespace
}  // namespace braid::BRAID_ISA
