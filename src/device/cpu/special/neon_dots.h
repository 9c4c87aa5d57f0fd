// How the three sets of 64-bit ARM multiply the codes of a stretch with int8 inputs. All sums are
// exact, so all sets give the same bits.
//
//   neon     smlal: products of one column in 16 bits, added there as long as they have room
//   dotprod  sdot: four columns of four rows times four inputs of one row
//   i8mm     smmla: eight columns of two rows times eight inputs of two rows; sdot for one row
#pragma once

#include "device/cpu/special/neon_codes.h"

#include <string.h>

namespace braid::BRAID_ISA {
namespace {

// t[y][j] = the sums of quad j for row y of C rows: what the offset makes of the inputs, and the
// products of the groups [Begin, End). C is kRows at most. Where kPairs holds, more than one row is
// multiplied as pairs of rows with operands of two groups (packed_neon.cc).

// An operand for all rows: g++ 12 else loads it again for each.
[[gnu::always_inline]] inline int8x16_t once(int8x16_t x) {
  asm("" : "+w"(x));
  return x;
}

#if defined(BRAID_ISA_neon)

constexpr int kRows = 2;  // 16 sums of 16 bits and 8 of 32, beside codes and inputs
constexpr bool kPairs = false;

// Products with inputs of -127 .. 127 that may be added in 16 bits.
template <PackedType T>
constexpr int sums_in_16_bits() {
  int top = kInfo<T>.bits == 8 ? 128 : (1 << kInfo<T>.bits) - 1;
  if (kInfo<T>.codes != Codes::kPlain) {
    top = 0;
    for (const int8_t v : kCodeTable[static_cast<int>(kInfo<T>.codes)])
      top = v > top ? v : -v > top ? -v : top;
  }
  const int sums = 32767 / (127 * top);
  return sums >= 8 ? 8 : sums >= 4 ? 4 : 2;
}

// s[y][2j], s[y][2j+1]: products of rows 0, 1 and 2, 3 of quad j, column by column.
template <int C, int G, int End, bool first, class Operands>
[[gnu::always_inline]] inline void add_columns(const Operands& w, const int8_t* q,
                                               int16x8_t (*s)[2 * kQuads]) {
  int8x16_t x[C];
#pragma GCC unroll 8
  for (int y = 0; y < C; ++y) {
    int32_t four;
    memcpy(&four, q + 32 * y + 4 * G, sizeof four);
    x[y] = vreinterpretq_s8_s32(vdupq_n_s32(four));
  }
#pragma GCC unroll 4
  for (int j = 0; j < kQuads; ++j) {
    const int8x16_t codes = once(w.template get<G>(j));
#pragma GCC unroll 8
    for (int y = 0; y < C; ++y) {
      int16x8_t &low = s[y][2 * j], &high = s[y][2 * j + 1];
      const int8x8_t half = vget_low_s8(codes), inputs = vget_low_s8(x[y]);
      low = first ? vmull_s8(half, inputs) : vmlal_s8(low, half, inputs);
      high = first ? vmull_high_s8(codes, x[y]) : vmlal_high_s8(high, codes, x[y]);
    }
  }
  if constexpr (G + 1 < End) add_columns<C, G + 1, End, false>(w, q, s);
}

template <PackedType T, int C, int G, int End, class Operands>
[[gnu::always_inline]] inline void add_products(const Operands& w, const int8_t* q,
                                                int32x4_t (*t)[kQuads]) {
  constexpr int sums = sums_in_16_bits<T>(), next = G + sums < End ? G + sums : End;
  int16x8_t s[C][2 * kQuads];
  add_columns<C, G, next, true>(w, q, s);
#pragma GCC unroll 8
  for (int y = 0; y < C; ++y)
#pragma GCC unroll 4
    for (int j = 0; j < kQuads; ++j) {
      const int32x4_t low = vpaddlq_s16(s[y][2 * j]), high = vpaddlq_s16(s[y][2 * j + 1]);
      t[y][j] = vaddq_s32(t[y][j], vpaddq_s32(low, high));
    }
  if constexpr (next < End) add_products<T, C, next, End>(w, q, t);
}

template <PackedType T, int C, int Begin, int End, bool pairs, class Operands>
[[gnu::always_inline]] inline void multiply(const Operands& w, const int8_t* q, const int32_t* less,
                                            int32x4_t (*t)[kQuads]) {
#pragma GCC unroll 8
  for (int y = 0; y < C; ++y)
#pragma GCC unroll 4
    for (int j = 0; j < kQuads; ++j) t[y][j] = start<T>(less[y]);
  add_products<T, C, Begin, End>(w, q, t);
}

#else

template <int C, int G, int End, class Operands>
[[gnu::always_inline]] inline void add_dots(const Operands& w, const int8_t* q,
                                            int32x4_t (*t)[kQuads]) {
  int8x16_t x[C];
#pragma GCC unroll 8
  for (int y = 0; y < C; ++y) x[y] = vld1q_s8(q + 32 * y + 16 * (G / 4));
#pragma GCC unroll 4
  for (int j = 0; j < kQuads; ++j) {
    const int8x16_t codes = once(w.template get<G>(j));
#pragma GCC unroll 8
    for (int y = 0; y < C; ++y) t[y][j] = vdotq_laneq_s32(t[y][j], codes, x[y], G % 4);
  }
  if constexpr (G + 1 < End) add_dots<C, G + 1, End>(w, q, t);
}

template <PackedType T, int C, int Begin, int End, class Operands>
[[gnu::always_inline]] inline void multiply_dots(const Operands& w, const int8_t* q,
                                                 const int32_t* less, int32x4_t (*t)[kQuads]) {
#pragma GCC unroll 8
  for (int y = 0; y < C; ++y)
#pragma GCC unroll 4
    for (int j = 0; j < kQuads; ++j) t[y][j] = start<T>(less[y]);
  add_dots<C, Begin, End>(w, q, t);
}

#if defined(BRAID_ISA_i8mm)

constexpr int kRows = 6;  // three pairs with eight sums each
constexpr bool kPairs = true;

// s[p][j][h] += the products of rows 2h and 2h + 1 of quad j with both rows of pair p: two sums of
// the first row, two of the second. The last row of an odd number is its own partner.
template <int C, int G, int End, class Operands>
[[gnu::always_inline]] inline void add_matrices(const Operands& w, const int8_t* q,
                                                int32x4_t (*s)[kQuads][2]) {
  constexpr int pairs = (C + 1) / 2;
  int8x16_t x[pairs];
#pragma GCC unroll 4
  for (int p = 0; p < pairs; ++p) {
    const int8_t *first = q + 64 * p + 4 * G, *second = 2 * p + 1 < C ? first + 32 : first;
    x[p] = vcombine_s8(vld1_s8(first), vld1_s8(second));
  }
#pragma GCC unroll 4
  for (int j = 0; j < kQuads; ++j) {
    const int8x16_t low = once(w.template get<G>(j)), high = once(w.template get<G + 1>(j));
#pragma GCC unroll 4
    for (int p = 0; p < pairs; ++p) {
      s[p][j][0] = vmmlaq_s32(s[p][j][0], low, x[p]);
      s[p][j][1] = vmmlaq_s32(s[p][j][1], high, x[p]);
    }
  }
  if constexpr (G + 2 < End) add_matrices<C, G + 2, End>(w, q, s);
}

template <PackedType T, int C, int Begin, int End, bool matrices, class Operands>
[[gnu::always_inline]] inline void multiply(const Operands& w, const int8_t* q, const int32_t* less,
                                            int32x4_t (*t)[kQuads]) {
  if constexpr (!matrices) return multiply_dots<T, C, Begin, End>(w, q, less, t);
  constexpr int pairs = (C + 1) / 2;
  int32x4_t s[pairs][kQuads][2];
#pragma GCC unroll 4
  for (int p = 0; p < pairs; ++p) {
    const int second = 2 * p + 1 < C ? 2 * p + 1 : 2 * p;
    const int32x4_t both = vzip1q_s32(start<T>(less[2 * p]), start<T>(less[second]));
#pragma GCC unroll 4
    for (int j = 0; j < kQuads; ++j) s[p][j][0] = s[p][j][1] = both;
  }
  add_matrices<C, Begin, End>(w, q, s);
#pragma GCC unroll 4
  for (int p = 0; p < pairs; ++p)
#pragma GCC unroll 4
    for (int j = 0; j < kQuads; ++j) {
      t[2 * p][j] = vuzp1q_s32(s[p][j][0], s[p][j][1]);
      if (2 * p + 1 < C) t[2 * p + 1][j] = vuzp2q_s32(s[p][j][0], s[p][j][1]);
    }
}

#else

constexpr int kRows = 4;  // 16 sums, beside codes and inputs
constexpr bool kPairs = false;

template <PackedType T, int C, int Begin, int End, bool pairs, class Operands>
[[gnu::always_inline]] inline void multiply(const Operands& w, const int8_t* q, const int32_t* less,
                                            int32x4_t (*t)[kQuads]) {
  multiply_dots<T, C, Begin, End>(w, q, less, t);
}

#endif
#endif

}  // namespace
}  // namespace braid::BRAID_ISA
