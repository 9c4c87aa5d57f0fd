// Codes of packed strips for AVX2 and AVX-VNNI, where a line of a strip is two registers: rows 0..7
// and 8..15. Decides for each type what is multiplied, unsigned codes with an offset or sizes and
// signs, and how many products 16 bits have room for.
#pragma once

#include "device/cpu/kernels/packed.h"

#include <immintrin.h>

namespace braid::BRAID_ISA {
namespace {

constexpr int kGroups = 8;  // of four columns in a sub-block

#if defined(BRAID_ISA_avxvnni)
constexpr bool kVnni = true;
#else
constexpr bool kVnni = false;
#endif

template <PackedType T>
constexpr PackedInfo kInfo = kPackedInfo[static_cast<int>(T)];

struct Range {
  int low, high;
};
constexpr Range range(const PackedInfo& info) {
  if (info.codes == Codes::kPlain) return {-info.offset, (1 << info.bits) - 1 - info.offset};
  Range r = {0, 0};
  for (const int8_t v : kCodeTable[static_cast<int>(info.codes)])
    r = {v < r.low ? v : r.low, v > r.high ? v : r.high};
  return r;
}
template <PackedType T>
constexpr Range kRange = range(kInfo<T>);

// The four inputs that two results of vpmaddubsw hold in each of their 16 bits, sizes added up, and
// the sum of two in one of them: quantise() leaves no more.
constexpr int kFourInputs = 255, kTwoInputs = 128;

// Sub-blocks of a row of inputs that share a scale: with fewer the bounds above cost no precision.
constexpr int kSharing = kVnni ? kScaleSubs : 2;

// Scales that are an integer for 32 or 16 columns and a number for the record: the instruction that
// makes 32 bits of 16 multiplies with the integer, and floats come after kScaleSubs sub-blocks.
template <PackedType T>
constexpr bool kIntegers =
    !kVnni && kInfo<T>.scales != Scales::kHalf32 && kInfo<T>.scales != Scales::kHalfMin32 &&
    kInfo<T>.scales != Scales::kE8M0 && kInfo<T>.scales != Scales::kE4M3;

// Values that are raised by 128 to be positive, with which two results of vpmaddubsw do not fit 16
// bits: what that adds is taken from each two again.
template <PackedType T>
constexpr bool kRaised = !kVnni && kFourInputs * (kRange<T>.high - kRange<T>.low) > 32767;

// What the unsigned operand has more than the value when a sum of products is complete.
template <PackedType T>
constexpr int kOffset = kRaised<T> ? 0 : -kRange<T>.low;

// Results of vpmaddubsw that may be added in 16 bits, a power of two.
template <PackedType T>
constexpr int sums_in_16_bits() {
  constexpr int low = kRange<T>.low, high = kRange<T>.high;
  constexpr int top = !kRaised<T> ? high - low : -low > high ? -low : high;
  static_assert(!kRaised<T> || (kFourInputs * top <= 32768 && kTwoInputs * (128 + high) <= 32767));
  constexpr int fours = kRaised<T> ? 1 : 32767 / (kFourInputs * top);
  static_assert(fours >= 1);
  return fours >= 4 ? 8 : fours >= 2 ? 4 : 2;
}

[[gnu::always_inline]] inline __m256i line(const uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
// Bits of each byte moved up by `up` (down if negative) and masked.
template <int up>
[[gnu::always_inline]] inline __m256i moved(__m256i x, char mask) {
  if constexpr (up > 0) x = _mm256_slli_epi16(x, up);
  if constexpr (up < 0) x = _mm256_srli_epi16(x, -up);
  return _mm256_and_si256(x, _mm256_set1_epi8(mask));
}

// Values of a table of 16, made positive.
template <PackedType T>
[[gnu::always_inline]] inline __m256i table() {
  const int8_t* values = kCodeTable[static_cast<int>(kInfo<T>.codes)];
  return _mm256_broadcastsi128_si256(
      _mm_add_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(values)),
                   _mm_set1_epi8(static_cast<char>(kRaised<T> ? 128 : kOffset<T>))));
}

// Groups 6 and 7 of three bits, in the nibbles of a line.
[[gnu::always_inline]] inline __m256i last_threes(const uint8_t* sub) {
  return _mm256_or_si256(
      _mm256_or_si256(moved<-3>(line(sub), 0x11), moved<-2>(line(sub + 64), 0x22)),
      moved<-1>(line(sub + 128), 0x44));
}

// Group G of a sub-block in half a strip.
template <PackedType T, int G>
[[gnu::always_inline]] inline __m256i group(const uint8_t* sub) {
  constexpr int bits = kInfo<T>.bits, J = G % 4, high = G / 4;
  if constexpr (bits == 8) return line(sub + 64 * G);
  __m256i x;
  if constexpr (bits == 2) {
    x = moved<-2 * J>(line(sub + 64 * high), 3);
  } else if constexpr (bits == 3) {
    x = moved<-4 * (G % 2)>(G < 6 ? line(sub + 64 * (G / 2)) : last_threes(sub), 7);
  } else {
    x = moved<-4 * high>(line(sub + 64 * J), 15);
    if constexpr (bits == 5) x = _mm256_or_si256(x, moved<4 - G>(line(sub + 256), 16));
    if constexpr (bits == 6)
      x = _mm256_or_si256(x, moved<4 - 2 * J>(line(sub + 256 + 64 * high), 48));
  }
  if constexpr (kInfo<T>.codes != Codes::kPlain) x = _mm256_shuffle_epi8(table<T>(), x);
  return x;
}

// Where a stretch finds its groups: in the strip, or made ready for several passes over the rows.
template <PackedType T>
struct FromStrip {
  const uint8_t* sub;
  template <int G>
  [[gnu::always_inline]] __m256i get(int half) const {
    return group<T, G>(sub + 32 * half);
  }
};
template <PackedType T>
struct Ready {
  __m256i w[kGroups][2];
  template <int G>
  [[gnu::always_inline]] __m256i get(int half) const {
    return w[G][half];
  }

  template <int G = 0>
  [[gnu::always_inline]] void make(FromStrip<T> from) {
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) w[G][h] = from.template get<G>(h);
    if constexpr (G + 1 < kGroups) make<G + 1>(from);
  }
};

}  // namespace
}  // namespace braid::BRAID_ISA
