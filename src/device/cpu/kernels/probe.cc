// Loops that measure a processor. Twelve chains: the instructions here take 4 to 10 cycles, and two
// may start in each. The empty asm statements make one operand unknown, and the results used: else
// the compiler would see through the loops. The chains have names, and macros that repeat a step
// for each, because an array of them would be kept in memory.
#include "device/cpu/kernels/probe.h"

#include "device/cpu/simd/simd.h"

#if defined(__AVX2__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace braid::BRAID_ISA {
namespace {

constexpr int kProbeChains = 12;
#define CHAINS(T, zero)                                                                     \
  T a0 = zero, a1 = zero, a2 = zero, a3 = zero, a4 = zero, a5 = zero, a6 = zero, a7 = zero, \
    a8 = zero, a9 = zero, a10 = zero, a11 = zero;
#define EACH_CHAIN(F) F(a0) F(a1) F(a2) F(a3) F(a4) F(a5) F(a6) F(a7) F(a8) F(a9) F(a10) F(a11)

template <bool kPrefetch>
uint64_t read(const void* bytes, size_t n) {
  const uint64_t* p = static_cast<const uint64_t*>(bytes);
  constexpr size_t kStep = 32;     // 256 bytes
  constexpr size_t kAhead = 4096;  // bytes; past the end of the buffer a prefetch does nothing
  uint64_t sums[kStep] = {};
  for (size_t i = 0; i + kStep <= n / 8; i += kStep) {
    if (kPrefetch)
      for (size_t line = 0; line < kStep; line += 8)
        __builtin_prefetch(reinterpret_cast<const char*>(p + i + line) + kAhead);
    for (size_t j = 0; j < kStep; ++j) sums[j] += p[i + j];
  }
  uint64_t all = 0;
  for (const uint64_t s : sums) all += s;
  return all;
}

#if defined(__AVX2__)

// Leaf 7 of cpuid: what the sets themselves do not ask for.
struct Extras {
  bool avx512_vnni = false, avx_vnni = false, avx512_bf16 = false;
};
Extras extras() {
  Extras e;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) e.avx512_vnni = (ecx >> 11) & 1;
  if (__get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx)) {
    e.avx_vnni = (eax >> 4) & 1;
    e.avx512_bf16 = (eax >> 5) & 1;
  }
  return e;
}

#endif

#if defined(__AVX512F__)

constexpr double kBytes = 64;

[[gnu::target("avx512vnni")]] void int8_dot(int64_t rounds) {
  __m512i u = _mm512_set1_epi8(3);
  const __m512i v = _mm512_set1_epi8(2);
  CHAINS(__m512i, _mm512_setzero_si512())
  for (int64_t i = 0; i < rounds; ++i) {
#define STEP(a)               \
  asm volatile("" : "+v"(u)); \
  a = _mm512_dpbusd_epi32(a, u, v);
    EACH_CHAIN(STEP)
#undef STEP
  }
#define USE(a) asm volatile("" : : "v"(a));
  EACH_CHAIN(USE)
#undef USE
}

[[gnu::target("avx512bf16")]] void bf16_dot(int64_t rounds) {
  __m512bh u = _mm512_cvtne2ps_pbh(_mm512_set1_ps(1.0f), _mm512_set1_ps(1.0f));
  const __m512bh v = u;
  CHAINS(__m512, _mm512_setzero_ps())
  for (int64_t i = 0; i < rounds; ++i) {
#define STEP(a)               \
  asm volatile("" : "+v"(u)); \
  a = _mm512_dpbf16_ps(a, u, v);
    EACH_CHAIN(STEP)
#undef STEP
  }
#define USE(a) asm volatile("" : : "v"(a));
  EACH_CHAIN(USE)
#undef USE
}

void int8_maddubs(int64_t rounds) {
  __m512i u = _mm512_set1_epi8(3);
  const __m512i v = _mm512_set1_epi8(2);
  const __m512i one = _mm512_set1_epi16(1);
  CHAINS(__m512i, _mm512_setzero_si512())
  for (int64_t i = 0; i < rounds; ++i) {
#define STEP(a)               \
  asm volatile("" : "+v"(u)); \
  a = _mm512_add_epi32(a, _mm512_madd_epi16(_mm512_maddubs_epi16(u, v), one));
    EACH_CHAIN(STEP)
#undef STEP
  }
#define USE(a) asm volatile("" : : "v"(a));
  EACH_CHAIN(USE)
#undef USE
}

void f32_fma(int64_t rounds) {
  __m512 u = _mm512_set1_ps(1.0f);
  const __m512 v = _mm512_set1_ps(0.5f);
  CHAINS(__m512, _mm512_setzero_ps())
  for (int64_t i = 0; i < rounds; ++i) {
#define STEP(a)               \
  asm volatile("" : "+v"(u)); \
  a = _mm512_fmadd_ps(u, v, a);
    EACH_CHAIN(STEP)
#undef STEP
  }
#define USE(a) asm volatile("" : : "v"(a));
  EACH_CHAIN(USE)
#undef USE
}

void fill_peaks(ProbeKernels& p) {
  const Extras e = extras();
  if (e.avx512_vnni) p.int8_dot = {"vpdpbusd 512", kProbeChains * kBytes * 2, int8_dot};
  if (e.avx512_bf16) p.bf16_dot = {"vdpbf16ps 512", kProbeChains * kBytes, bf16_dot};
  p.int8_maddubs = {"vpmaddubsw 512", kProbeChains * kBytes * 2, int8_maddubs};
  p.f32_fma = {"vfmadd 512", kProbeChains * kBytes / 2, f32_fma};
}

#elif defined(__AVX2__)

constexpr double kBytes = 32;

[[gnu::target("avxvnni")]] void int8_dot(int64_t rounds) {
  __m256i u = _mm256_set1_epi8(3);
  const __m256i v = _mm256_set1_epi8(2);
  CHAINS(__m256i, _mm256_setzero_si256())
  for (int64_t i = 0; i < rounds; ++i) {
#define STEP(a)               \
  asm volatile("" : "+x"(u)); \
  a = _mm256_dpbusd_avx_epi32(a, u, v);
    EACH_CHAIN(STEP)
#undef STEP
  }
#define USE(a) asm volatile("" : : "x"(a));
  EACH_CHAIN(USE)
#undef USE
}

void int8_maddubs(int64_t rounds) {
  __m256i u = _mm256_set1_epi8(3);
  const __m256i v = _mm256_set1_epi8(2);
  const __m256i one = _mm256_set1_epi16(1);
  CHAINS(__m256i, _mm256_setzero_si256())
  for (int64_t i = 0; i < rounds; ++i) {
#define STEP(a)               \
  asm volatile("" : "+x"(u)); \
  a = _mm256_add_epi32(a, _mm256_madd_epi16(_mm256_maddubs_epi16(u, v), one));
    EACH_CHAIN(STEP)
#undef STEP
  }
#define USE(a) asm volatile("" : : "x"(a));
  EACH_CHAIN(USE)
#undef USE
}

void f32_fma(int64_t rounds) {
  __m256 u = _mm256_set1_ps(1.0f);
  const __m256 v = _mm256_set1_ps(0.5f);
  CHAINS(__m256, _mm256_setzero_ps())
  for (int64_t i = 0; i < rounds; ++i) {
#define STEP(a)               \
  asm volatile("" : "+x"(u)); \
  a = _mm256_fmadd_ps(u, v, a);
    EACH_CHAIN(STEP)
#undef STEP
  }
#define USE(a) asm volatile("" : : "x"(a));
  EACH_CHAIN(USE)
#undef USE
}

void fill_peaks(ProbeKernels& p) {
  if (extras().avx_vnni) p.int8_dot = {"vpdpbusd 256", kProbeChains * kBytes * 2, int8_dot};
  p.int8_maddubs = {"vpmaddubsw 256", kProbeChains * kBytes * 2, int8_maddubs};
  p.f32_fma = {"vfmadd 256", kProbeChains * kBytes / 2, f32_fma};
}

#else

// The vocabulary's multiply and add, in whatever the baseline has.
void f32_fma(int64_t rounds) {
  float factor = 0.5f;
  CHAINS(V, set1(0.0f))
  for (int64_t i = 0; i < rounds; ++i) {
    asm volatile("" : "+m"(factor));
    const V v = set1(factor);
#define STEP(a) a = fma(a, v, v);
    EACH_CHAIN(STEP)
#undef STEP
  }
#define USE(a) factor += sum(a);
  EACH_CHAIN(USE)
#undef USE
  asm volatile("" : : "m"(factor));
}

void fill_peaks(ProbeKernels& p) {
  p.f32_fma = {"multiply and add", kProbeChains * 2.0 * kLanes, f32_fma};
}

#endif

}  // namespace

void fill_probe(ProbeKernels& p) {
  p.read = read<false>;
  p.read_ahead = read<true>;
  fill_peaks(p);
}

}  // namespace braid::BRAID_ISA
