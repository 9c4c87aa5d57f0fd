// What the core under a micro-benchmark could do: its clock and its f32 multiply-adds a second.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace braid::bench {

inline double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The least time of `rounds` calls, in seconds.
template <class F>
double best_time(int rounds, F&& f) {
  double best = 1e30;
  for (int i = 0; i < rounds; ++i) {
    const double start = now_s();
    f();
    best = std::min(best, now_s() - start);
  }
  return best;
}

// A chain of dependent additions of registers takes one cycle each.
inline double core_hz() {
  constexpr int kAdds = 8, kLoops = 200000;
  const double seconds = best_time(20, [] {
    uint64_t x = 1, y = 3;
    for (int i = 0; i < kLoops; ++i)
      for (int j = 0; j < kAdds; ++j) {
        x += y;
        asm volatile("" : "+r"(x), "+r"(y));
      }
  });
  return double{kAdds} * kLoops / seconds;
}

// Sums in chains enough for any vector unit to wait for memory alone.
inline float add_up(const float* x, size_t n) {
  float sums[64] = {}, sum = 0;
  for (size_t i = 0; i + 64 <= n; i += 64)
    for (size_t j = 0; j < 64; ++j) sums[j] += x[i + j];
  for (float s : sums) sum += s;
  return sum;
}

#if defined(__x86_64__)
[[gnu::target("avx512f")]] inline void multiply_add_512(int loops) {
  __m512 acc[16];
  for (__m512& a : acc) a = _mm512_setzero_ps();
  const __m512 x = _mm512_set1_ps(0.5f);
  for (int i = 0; i < loops; ++i)
    for (__m512& a : acc) {
      a = _mm512_fmadd_ps(x, x, a);
      asm volatile("" : "+v"(a));
    }
}
[[gnu::target("avx2,fma")]] inline void multiply_add_256(int loops) {
  __m256 acc[12];
  for (__m256& a : acc) a = _mm256_setzero_ps();
  const __m256 x = _mm256_set1_ps(0.5f);
  for (int i = 0; i < loops; ++i)
    for (__m256& a : acc) {
      a = _mm256_fmadd_ps(x, x, a);
      asm volatile("" : "+x"(a));
    }
}
#endif

// f32 operations a second (a multiply-add is two) in registers of the set's width; 0 where it is
// not known how to ask.
inline double peak_flops(const char* isa) {
#if defined(__x86_64__)
  constexpr int kLoops = 100000;
  if (std::equal(isa, isa + 4, "avx5"))
    return 2.0 * 16 * 16 * kLoops / best_time(20, [] { multiply_add_512(kLoops); });
  if (std::equal(isa, isa + 4, "avx2") || std::equal(isa, isa + 4, "avxv"))
    return 2.0 * 12 * 8 * kLoops / best_time(20, [] { multiply_add_256(kLoops); });
#endif
  (void)isa;
  return 0;
}

}  // namespace braid::bench
