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
#elif defined(BRAID_ISA_avx2) || defined(BRAID_ISA_avxvnni)
#include "device/cpu/simd/simd_avx2.h"
#elif defined(BRAID_ISA_neon)
#include "device/cpu/simd/simd_neon.h"
#elif defined(BRAID_ISA_portable)
#include "device/cpu/simd/simd_portable.h"
#else
#error "compile kernels through add_isa_kernels"
#endif

namespace braid::BRAID_ISA {
namespace {

[[gnu::always_inline]] inline V load_upto(const float* p, int64_t n) {
  return n >= kLanes ? load(p) : load_part(p, n);
}
[[gnu::always_inline]] inline void store_upto(float* p, V a, int64_t n) {
  if (n >= kLanes)
    store(p, a);
  else
    store_part(p, a, n);
}

// f.operator()<0>(), ... <N - 1>(): arrays that are indexed by constants alone live in registers,
// where a loop that is unrolled later leaves them in memory.
template <int... n>
struct Numbers {
  template <class F>
  [[gnu::always_inline]] static void each(F&& f) {
    (f.template operator()<n>(), ...);
  }
};
template <int N, int... n>
struct UpTo : UpTo<N - 1, N - 1, n...> {};
template <int... n>
struct UpTo<0, n...> {
  using Each = Numbers<n...>;
};
template <int N, class F>
[[gnu::always_inline]] inline void unrolled(F&& f) {
  UpTo<N>::Each::each(f);
}

// How many vectors functions of long chains take side by side: one alone would mostly wait.
constexpr int kChains = kRegisters / 8;

// e^(Sign a) of N vectors to about 1 ulp, clamped to the range of normal floats: 2^n e^r with
// |r| <= ln2/2, ln2 in two parts so that the subtraction is exact, and for e^r the polynomial
// 1 + r + ... + c r^6 whose relative error is smallest (4e-9), found by weighted least squares.
template <int Sign, int N>
[[gnu::always_inline]] inline void exps(V (&a)[N]) {
  constexpr float kSign = Sign;
  V n[N], p[N];
  for (int j = 0; j < N; ++j)
    a[j] = min(max(a[j], set1(Sign > 0 ? -87.0f : -88.0f)), set1(Sign > 0 ? 88.0f : 87.0f));
  for (int j = 0; j < N; ++j) n[j] = round(mul(a[j], set1(kSign * 1.44269504f)));
  for (int j = 0; j < N; ++j) a[j] = fma(n[j], set1(kSign * -0.693145752f), a[j]);
  for (int j = 0; j < N; ++j) a[j] = fma(n[j], set1(kSign * -1.42860682e-6f), a[j]);
  for (int j = 0; j < N; ++j) p[j] = fma(set1(1.38145406e-3f), a[j], set1(kSign * 8.36874545e-3f));
  for (int j = 0; j < N; ++j) p[j] = fma(p[j], a[j], set1(4.1668389e-2f));
  for (int j = 0; j < N; ++j) p[j] = fma(p[j], a[j], set1(kSign * 1.66665211e-1f));
  for (int j = 0; j < N; ++j) p[j] = fma(p[j], a[j], set1(0.49999994f));
  for (int j = 0; j < N; ++j) p[j] = fma(p[j], a[j], set1(kSign));
  for (int j = 0; j < N; ++j) p[j] = fma(p[j], a[j], set1(1.0f));
  for (int j = 0; j < N; ++j) a[j] = scale(p[j], n[j]);
}
// a * sigmoid(a) of N vectors.
template <int N>
[[gnu::always_inline]] inline void silus(V (&a)[N]) {
  V e[N];
  for (int j = 0; j < N; ++j) e[j] = a[j];
  exps<-1>(e);
  for (int j = 0; j < N; ++j) a[j] = div(a[j], add(set1(1.0f), e[j]));
}

[[gnu::always_inline]] inline V exp(V a) {
  V one[1] = {a};
  exps<1>(one);
  return one[0];
}
[[gnu::always_inline]] inline V sigmoid(V a) {
  V one[1] = {a};
  exps<-1>(one);
  return div(set1(1.0f), add(set1(1.0f), one[0]));
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
