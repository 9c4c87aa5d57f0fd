// Products of packed strips on AVX2 and on AVX-VNNI. A line of a strip is two registers: rows 0..7
// and 8..15; both instructions multiply unsigned codes with signed inputs.
//
// avx2: vpmaddubsw adds pairs in 16 bits and saturates; as many of its results as 16 bits hold are
// added before vpmaddwd makes one 32-bit sum of each row. Codes that fill a byte give their size,
// and the input their sign. avxvnni: vpdpbusd adds four products to 32 bits, exactly; codes have an
// offset, which the sums start from.
#include "device/cpu/kernels/kernels.h"
#include "device/cpu/kernels/packed.h"

#include <immintrin.h>
#include <string.h>

namespace braid::BRAID_ISA {
namespace {

// How far ahead memory is asked for, in whole records: the hardware's prefetchers alone fall
// behind.
constexpr int kAheadBytes = 9216;
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

// The four inputs that two results of vpmaddubsw hold in each of their 16 bits, sizes added up:
// quantise() below leaves no more.
constexpr int kFourInputs = 255;

// Values that 16 bits have no room for when they are made positive: their size meets the input with
// the value's sign.
template <PackedType T>
constexpr bool kSigned = !kVnni && kFourInputs * (kRange<T>.high - kRange<T>.low) > 32767;

// What the unsigned operand has more than the value.
template <PackedType T>
constexpr int kOffset = kSigned<T> ? 0 : -kRange<T>.low;

// Results of vpmaddubsw that may be added in 16 bits, a power of two.
template <PackedType T>
constexpr int sums_in_16_bits() {
  constexpr int low = kRange<T>.low, high = kRange<T>.high;
  constexpr int top = !kSigned<T> ? high - low : -low > high ? -low : high;
  constexpr int fours = 32767 / (kFourInputs * top);
  static_assert(fours >= 1);
  return fours >= 4 ? 8 : fours >= 2 ? 4 : 2;
}

// Rows that are multiplied at once: their sums of both halves of the strip are registers, beside
// the codes of one group, of two, or of one and their sizes. The fastest of those measured.
template <PackedType T>
constexpr int rows_at_once() {
#if defined(BRAID_SMALL_PASSES)
  return 2;
#endif
  if constexpr (kVnni)
    return 6;
  else
    return kSigned<T> ? 6 : sums_in_16_bits<T>() > 2 ? 5 : 3;
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

// Values of a table of 16, plus kOffset.
template <PackedType T>
[[gnu::always_inline]] inline __m256i table() {
  const int8_t* values = kCodeTable[static_cast<int>(kInfo<T>.codes)];
  return _mm256_broadcastsi128_si256(
      _mm_add_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(values)),
                   _mm_set1_epi8(static_cast<char>(kOffset<T>))));
}

// Groups 6 and 7 of three bits, in the nibbles of a line.
[[gnu::always_inline]] inline __m256i last_threes(const uint8_t* sub) {
  return _mm256_or_si256(
      _mm256_or_si256(moved<-3>(line(sub), 0x11), moved<-2>(line(sub + 64), 0x22)),
      moved<-1>(line(sub + 128), 0x44));
}

// Group G of a sub-block in half a strip: signed values or codes, as kSigned says.
template <PackedType T, int G>
[[gnu::always_inline]] inline __m256i group(const uint8_t* sub) {
  constexpr int bits = kInfo<T>.bits, J = G % 4, high = G / 4;
  if constexpr (bits == 8) {
    const __m256i codes = line(sub + 64 * G);
    return kSigned<T> ? _mm256_xor_si256(codes, _mm256_set1_epi8(-128)) : codes;
  }
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
  template <int G>
  [[gnu::always_inline]] __m256i size(int half) const {
    return _mm256_abs_epi8(get<G>(half));
  }
};
template <PackedType T>
struct Ready {
  __m256i w[kGroups][2], sizes[kSigned<T> ? kGroups : 1][2];
  [[gnu::always_inline]] explicit Ready(FromStrip<T> from) { make<0>(from); }
  template <int G>
  [[gnu::always_inline]] __m256i get(int half) const {
    return w[G][half];
  }
  template <int G>
  [[gnu::always_inline]] __m256i size(int half) const {
    return sizes[G][half];
  }

 private:
  template <int G>
  [[gnu::always_inline]] void make(FromStrip<T> from) {
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      w[G][h] = from.template get<G>(h);
      if constexpr (kSigned<T>) sizes[G][h] = _mm256_abs_epi8(w[G][h]);
    }
    if constexpr (G + 1 < kGroups) make<G + 1>(from);
  }
};

[[gnu::always_inline]] inline __m256 halves(const uint8_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
[[gnu::always_inline]] inline __m256i bytes(const uint8_t* p) {
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
// The bits of `mask` of each integer from bit `at` on.
[[gnu::always_inline]] inline __m256i field(__m256i x, int at, int mask) {
  return _mm256_and_si256(_mm256_srl_epi32(x, _mm_cvtsi32_si128(at)), _mm256_set1_epi32(mask));
}
[[gnu::always_inline]] inline __m256i six(__m256i low, __m256i high) {
  return _mm256_or_si256(low, _mm256_slli_epi32(high, 4));
}

// 2^(e - 128), subnormal for e < 2.
[[gnu::always_inline]] inline __m256 half_of_e8m0(__m256i e) {
  const __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(1)), 23);
  const __m256i small = _mm256_sllv_epi32(_mm256_set1_epi32(0x200000), e);
  const __m256i below = _mm256_cmpgt_epi32(_mm256_set1_epi32(2), e);
  return _mm256_castsi256_ps(_mm256_blendv_epi8(normal, small, below));
}

// Floats of 7 bits: those of an f16 but for three bits of exponent and seven of mantissa; halved,
// since the table of E2M1 is doubled.
[[gnu::always_inline]] inline __m256 half_of_e4m3(const uint8_t* p) {
  const __m128i e = _mm_cvtepu8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  return _mm256_mul_ps(_mm256_cvtph_ps(_mm_slli_epi16(e, 7)), _mm256_set1_ps(128.0f));
}

// The scales of a record in half h of the strip: scale(i) and minimum(i) of its i-th stretch of 32
// or 16 columns.
template <PackedType T>
struct RecordScales {
  static constexpr Scales kind = kInfo<T>.scales;
  const uint8_t *words, *small;  // this half's first of f16 and of bytes
  __m256 d, dmin;

  [[gnu::always_inline]] RecordScales(const uint8_t* p, int h)
      : words(p + 16 * h), small(p + 8 * h) {
    if constexpr (kind != Scales::kHalf32 && kind != Scales::kHalfMin32 && kind != Scales::kE8M0 &&
                  kind != Scales::kE4M3)
      d = halves(words);
    if constexpr (kInfo<T>.unit() != 1) d = _mm256_mul_ps(d, _mm256_set1_ps(kInfo<T>.unit()));
    if constexpr (kind == Scales::kSixMin32 || kind == Scales::kNibbleMin16)
      dmin = halves(words + 32);
  }
  [[gnu::always_inline]] __m256 scale(int i) const {
    if constexpr (kind == Scales::kHalf32 || kind == Scales::kHalfMin32)
      return halves(words + 32 * i);
    if constexpr (kind == Scales::kE8M0) return half_of_e8m0(bytes(small + 16 * i));
    if constexpr (kind == Scales::kE4M3) return half_of_e4m3(small + 16 * i);
    return _mm256_mul_ps(d, _mm256_cvtepi32_ps(integer(i)));
  }
  // Added for each input unit.
  [[gnu::always_inline]] __m256 minimum(int i) const {
    if constexpr (kind == Scales::kHalfMin32) return halves(words + 256 + 32 * i);
    if constexpr (kind == Scales::kOddShift32) {
      const __m256i sign =
          _mm256_slli_epi32(field(bytes(small + 32 + i / 2 * 16), i % 2 * 4 + 3, 1), 31);
      return _mm256_xor_ps(_mm256_mul_ps(scale(i), _mm256_set1_ps(0.125f)),
                           _mm256_castsi256_ps(sign));
    }
    __m256i m;
    if constexpr (kind == Scales::kSixMin32)
      m = six(_mm256_srli_epi32(bytes(small + 64 + 16 * i), 4),
              field(bytes(small + 192 + i / 2 * 16), i % 2 * 4 + 2, 3));
    if constexpr (kind == Scales::kNibbleMin16)
      m = _mm256_srli_epi32(bytes(small + 64 + 16 * i), 4);
    return _mm256_mul_ps(dmin, _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_setzero_si256(), m)));
  }

 private:
  [[gnu::always_inline]] __m256i integer(int i) const {
    if constexpr (kind == Scales::kSix32 || kind == Scales::kSix16) {
      const uint8_t* high = small + 32 + (kind == Scales::kSix32 ? 64 : 128);
      const __m256i s = six(field(bytes(small + 32 + i / 2 * 16), i % 2 * 4, 15),
                            field(bytes(high + i / 4 * 16), i % 4 * 2, 3));
      return _mm256_sub_epi32(s, _mm256_set1_epi32(32));
    }
    if constexpr (kind == Scales::kSixMin32)
      return six(field(bytes(small + 64 + 16 * i), 0, 15),
                 field(bytes(small + 192 + i / 2 * 16), i % 2 * 4, 3));
    if constexpr (kind == Scales::kNibbleMin16) return field(bytes(small + 64 + 16 * i), 0, 15);
    if constexpr (kind == Scales::kOdd32 || kind == Scales::kOdd16 || kind == Scales::kOddShift32) {
      const __m256i n =
          field(bytes(small + 32 + i / 2 * 16), i % 2 * 4, kind == Scales::kOddShift32 ? 7 : 15);
      return _mm256_add_epi32(_mm256_add_epi32(n, n), _mm256_set1_epi32(1));
    }
    return _mm256_cvtepi8_epi32(
        _mm_loadl_epi64(reinterpret_cast<const __m128i*>(small + 32 + 16 * i)));
  }
};

[[gnu::always_inline]] inline __m256i four(const int8_t* q) {
  int32_t x;
  memcpy(&x, q, 4);
  return _mm256_set1_epi32(x);
}

// What an offset makes of the sum of the inputs: -offset * sum, from -128 * sum.
template <PackedType T>
[[gnu::always_inline, maybe_unused]] inline __m256i start(int32_t less) {
  constexpr int offset = kOffset<T>, zeros = offset ? __builtin_ctz(offset) : 0;
  return _mm256_set1_epi32((less >> (7 - zeros)) * (offset >> zeros));
}

[[gnu::always_inline, maybe_unused]] inline __m256i wide(__m256i pairs) {
  return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

// a + b, now: a compiler that reorders sums first makes all their terms, far more than there are
// registers.
[[gnu::always_inline, maybe_unused]] inline __m256i sum16(__m256i a, __m256i b) {
  __m256i sum = _mm256_add_epi16(a, b);
  asm("" : "+x"(sum));
  return sum;
}
[[gnu::always_inline, maybe_unused]] inline __m256i sum32(__m256i a, __m256i b) {
  __m256i sum = _mm256_add_epi32(a, b);
  asm("" : "+x"(sum));
  return sum;
}

// sum += w times the four inputs x in each lane. As an instruction by name: g++ 12 copies the sums
// of the intrinsic about.
[[gnu::always_inline, maybe_unused]] inline void dot(__m256i& sum, __m256i w, __m256i x) {
  asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(w), "x"(x));
}

// t[y][h] += the products of groups [G, End).
template <int C, int G, int End, class Groups>
[[gnu::always_inline]] inline void add_dots(const Groups& w, const int8_t* q, __m256i (*t)[2]) {
  __m256i low = w.template get<G>(0), high = w.template get<G>(1);
  asm("" : "+x"(low), "+x"(high));  // else g++ 12 loads them again for every row
#pragma GCC unroll 16
  for (int y = 0; y < C; ++y) {
    const __m256i x = four(q + 32 * y + 4 * G);
    dot(t[y][0], low, x);
    dot(t[y][1], high, x);
  }
  if constexpr (G + 1 < End) add_dots<C, G + 1, End>(w, q, t);
}

// s[y][h] (+)= the pairs of groups [G, End).
template <PackedType T, int C, int G, int End, bool first, class Groups>
[[gnu::always_inline]] inline void add_pairs(const Groups& w, const int8_t* q, __m256i (*s)[2]) {
  const __m256i low = w.template get<G>(0), high = w.template get<G>(1);
#pragma GCC unroll 16
  for (int y = 0; y < C; ++y) {
    const __m256i x = four(q + 32 * y + 4 * G);
    const __m256i a = _mm256_maddubs_epi16(low, x), b = _mm256_maddubs_epi16(high, x);
    s[y][0] = first ? a : sum16(s[y][0], a);
    s[y][1] = first ? b : sum16(s[y][1], b);
  }
  if constexpr (G + 1 < End) add_pairs<T, C, G + 1, End, false>(w, q, s);
}

// t[y][h] (+)= the products of groups [G, End), in parts whose pairs fit 16 bits.
template <PackedType T, int C, int G, int End, bool first, class Groups>
[[gnu::always_inline]] inline void add_products(const Groups& w, const int8_t* q, __m256i (*t)[2]) {
  constexpr int sums = sums_in_16_bits<T>(), next = G + sums < End ? G + sums : End;
  if constexpr (sums > 2) {
    __m256i s[C][2];
    add_pairs<T, C, G, next, true>(w, q, s);
#pragma GCC unroll 16
    for (int y = 0; y < C; ++y)
#pragma GCC unroll 2
      for (int h = 0; h < 2; ++h) t[y][h] = first ? wide(s[y][h]) : sum32(t[y][h], wide(s[y][h]));
  } else {
    // One row at a time: only the wide sums stay in registers.
    const __m256i part[2][2] = {{w.template get<G>(0), w.template get<G>(1)},
                                {w.template get<G + 1>(0), w.template get<G + 1>(1)}};
#pragma GCC unroll 16
    for (int y = 0; y < C; ++y)
#pragma GCC unroll 2
      for (int h = 0; h < 2; ++h) {
        const int8_t* x = q + 32 * y + 4 * G;
        const __m256i s = sum16(_mm256_maddubs_epi16(part[0][h], four(x)),
                                _mm256_maddubs_epi16(part[1][h], four(x + 4)));
        t[y][h] = first ? wide(s) : sum32(t[y][h], wide(s));
      }
  }
  if constexpr (next < End) add_products<T, C, next, End, false>(w, q, t);
}

// t[y] (+)= the products of groups [G, End) in half h of the strip, for signed values.
template <int C, int G, int End, bool first, class Groups>
[[gnu::always_inline]] inline void add_signed(const Groups& w, int h, const int8_t* q, __m256i* t) {
  const __m256i w0 = w.template get<G>(h), w1 = w.template get<G + 1>(h);
  const __m256i size0 = w.template size<G>(h), size1 = w.template size<G + 1>(h);
#pragma GCC unroll 16
  for (int y = 0; y < C; ++y) {
    const int8_t* x = q + 32 * y + 4 * G;
    const __m256i a = _mm256_maddubs_epi16(size0, _mm256_sign_epi8(four(x), w0));
    const __m256i b = _mm256_maddubs_epi16(size1, _mm256_sign_epi8(four(x + 4), w1));
    const __m256i s = wide(sum16(a, b));
    t[y] = first ? s : sum32(t[y], s);
  }
  if constexpr (G + 2 < End) add_signed<C, G + 2, End, false>(w, h, q, t);
}

// Scales and minima of a stretch in both halves of the strip.
struct StretchScales {
  __m256 scale[2], minimum[2];

  template <PackedType T>
  [[gnu::always_inline]] static StretchScales of(const RecordScales<T>* record, int i) {
    StretchScales s;
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      s.scale[h] = record[h].scale(i);
      if constexpr (kInfo<T>.has_minimum()) s.minimum[h] = record[h].minimum(i);
    }
    return s;
  }
};

// Inputs of C rows from row `first` of a tile on.
struct Rows {
  const int8_t* q;
  const int32_t* less;
  const float *scale, *sum;
};

// acc[h] += what the products t of row y in half h of a stretch stand for.
template <PackedType T>
[[gnu::always_inline]] inline void add_sum(__m256i t, int h, const StretchScales& by, const Rows& x,
                                           int y, __m256* acc) {
  if constexpr (!kVnni && kOffset<T> != 0) t = _mm256_add_epi32(t, start<T>(x.less[y]));
  const __m256 scale = _mm256_mul_ps(by.scale[h], _mm256_set1_ps(x.scale[y]));
  acc[h] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(t), scale, acc[h]);
  if constexpr (kInfo<T>.has_minimum())
    acc[h] = _mm256_fmadd_ps(by.minimum[h], _mm256_set1_ps(x.sum[y]), acc[h]);
}

template <PackedType T, int C, int Begin, int End, class Groups>
[[gnu::always_inline]] inline void stretch(const Groups& w, const StretchScales& by, const Rows& x,
                                           __m256 (*acc)[2]) {
  __m256i t[C][2];
  if constexpr (kSigned<T>) {
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      __m256i half[C];
      add_signed<C, Begin, End, true>(w, h, x.q, half);
#pragma GCC unroll 16
      for (int y = 0; y < C; ++y) add_sum<T>(half[y], h, by, x, y, acc[y]);
    }
    return;
  } else if constexpr (kVnni) {
#pragma GCC unroll 16
    for (int y = 0; y < C; ++y) t[y][0] = t[y][1] = start<T>(x.less[y]);
    add_dots<C, Begin, End>(w, x.q, t);
  } else {
    add_products<T, C, Begin, End, true>(w, x.q, t);
  }
#pragma GCC unroll 16
  for (int y = 0; y < C; ++y)
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) add_sum<T>(t[y][h], h, by, x, y, acc[y]);
}

// A sub-block times C rows from row `first` of a tile of n on. by: of its one or two stretches.
template <PackedType T, int C, class Groups>
[[gnu::always_inline]] inline void rows(const Groups& w, const StretchScales* by, const TileView& x,
                                        int n, int first, __m256 (*acc)[2]) {
  const int8_t* q = x.q + 32 * first;
  const float* scale = x.scale + first;
  if constexpr (kInfo<T>.scale_cols == 32) {
    stretch<T, C, 0, 8>(w, by[0], {q, x.less + first, scale, x.sum + first}, acc + first);
  } else {
    const int32_t* less = x.less16 + first;
    const float* sum = x.sum16 + first;
    stretch<T, C, 0, 4>(w, by[0], {q, less, scale, sum}, acc + first);
    stretch<T, C, 4, 8>(w, by[1], {q, less + n, scale, sum + n}, acc + first);
  }
}

// Passes of nearly the same size over n rows: the first `more` of them have a row more than `few`.
struct Passes {
  int few, more;
  Passes(int n, int most) : few(n / ((n + most - 1) / most)), more(n % ((n + most - 1) / most)) {}
};

// `count` rows from row `first` on, of the sizes that passes over more than rows_at_once() have.
template <PackedType T, int C>
[[gnu::always_inline]] inline void pass(int count, const Ready<T>& w, const StretchScales* by,
                                        const TileView& x, int n, int first, __m256 (*acc)[2]) {
  if (count == C)
    rows<T, C>(w, by, x, n, first, acc);
  else if constexpr (2 * C > rows_at_once<T>() + 1)
    pass<T, C - 1>(count, w, by, x, n, first, acc);
}

[[gnu::always_inline]] inline float largest(__m256 a) {
  __m128 x = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  x = _mm_max_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
}
[[gnu::always_inline]] inline int32_t sum_of(__m256i a) {
  __m128i x = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  x = _mm_add_epi32(x, _mm_shuffle_epi32(x, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(x, _mm_shuffle_epi32(x, 0xb1)));
}
// A mask of the first n of 8 lanes.
[[gnu::always_inline]] inline __m256i first_lanes(int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int32_t>(n)),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

// A tile of N rows in one pass, or of n in several where N is 0.
template <PackedType T, int N>
[[gnu::always_inline]] inline void multiply_tile(const uint8_t* strip, int64_t groups,
                                                 const uint8_t* x, int n, float* out,
                                                 int64_t stride) {
  constexpr PackedInfo info = kInfo<T>;
  constexpr int lines = info.record_bytes() / 64, share = (lines + 7) / 8;
  constexpr int stretches = kSubCols / info.scale_cols, most = rows_at_once<T>();
  const Passes passes(n, most);
  __m256 acc[N ? N : kTileRows][2];
#pragma GCC unroll 16
  for (auto& row : acc) row[0] = row[1] = _mm256_setzero_ps();
  for (; groups > 0; groups -= 8, strip += info.record_bytes()) {
    const uint8_t* at = strip + info.code_bytes();
    const RecordScales<T> scales[2] = {{at, 0}, {at, 1}};
    const uint8_t* ahead = strip + kAheadBytes / info.record_bytes() * info.record_bytes();
    const int subs = groups < 8 ? static_cast<int>(groups) : 8;
    for (int s = 0; s < subs; ++s, x += n * kTileBytes, ahead += 64 * share) {
      for (int i = 0; i < share; ++i)
        _mm_prefetch(reinterpret_cast<const char*>(ahead + 64 * i), _MM_HINT_T0);
      StretchScales by[stretches];
#pragma GCC unroll 2
      for (int i = 0; i < stretches; ++i) by[i] = StretchScales::of(scales, stretches * s + i);
      const FromStrip<T> from{strip + s * 64 * info.bits};
      const TileView view = tile_view(x, n);
      if constexpr (N != 0) {
        rows<T, N>(from, by, view, n, 0, acc);
      } else {
        const Ready<T> ready(from);
        for (int first = 0, i = 0; first < n; ++i) {
          const int count = passes.few + (i < passes.more);
          pass<T, most>(count, ready, by, view, n, first, acc);
          first += count;
        }
      }
    }
  }
#pragma GCC unroll 16
  for (int y = 0; y < n; ++y)
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) _mm256_storeu_ps(out + y * stride + 8 * h, acc[y][h]);
}

// Tiles of several passes share their code: for each size it would be large, and slow to compile.
template <PackedType T>
[[gnu::noinline]] void product_many(const uint8_t* strip, int64_t groups, const uint8_t* tile,
                                    int n, float* out, int64_t stride) {
  multiply_tile<T, 0>(strip, groups, tile, n, out, stride);
}

template <PackedType T, int N>
void product(const uint8_t* strip, int64_t groups, const void* tile, float* out, int64_t stride) {
  multiply_tile<T, N>(strip, groups, static_cast<const uint8_t*>(tile), N, out, stride);
}
template <PackedType T, int N>
void one_of_many(const uint8_t* strip, int64_t groups, const void* tile, float* out,
                 int64_t stride) {
  product_many<T>(strip, groups, static_cast<const uint8_t*>(tile), N, out, stride);
}

// As in kernels/packed.cc but for the scale of avx2, which leaves room for four inputs in 16 bits.
void quantise(const float* x, int64_t cols, uint8_t* tile, int n, int y) {
  constexpr int kCols = kScaleSubs * kSubCols, kVectors = kCols / 8;
  // Rounding adds half a unit to each of four.
  constexpr float kMost = 127.0f, kMostOfFour = kFourInputs - 2;
  const __m256 sign = _mm256_set1_ps(-0.0f);
  for (int64_t from = 0; from < cols; from += kCols) {
    const int64_t left = cols - from;
    __m256 v[kVectors], top = _mm256_setzero_ps(), four = top;
#pragma GCC unroll 16
    for (int i = 0; i < kVectors; ++i) {
      v[i] = left >= 8 * i + 8 ? _mm256_loadu_ps(x + from + 8 * i)
             : left > 8 * i    ? _mm256_maskload_ps(x + from + 8 * i, first_lanes(left - 8 * i))
                               : _mm256_setzero_ps();
      const __m256 size = _mm256_andnot_ps(sign, v[i]);
      top = _mm256_max_ps(top, size);
      // Two columns beside each other and those four further on.
      const __m256 pairs = _mm256_add_ps(size, _mm256_permute_ps(size, 0xb1));
      four = _mm256_max_ps(four, _mm256_add_ps(pairs, _mm256_permute2f128_ps(pairs, pairs, 1)));
    }
    float most = largest(top);
    if constexpr (!kVnni) {
      const float sum = largest(four) * (kMost / kMostOfFour);
      most = sum > most ? sum : most;
    }
    const float scale = most / kMost;
    // A group of tiny numbers has no inverse in f32: they count as zeros.
    const __m256 inverse = _mm256_set1_ps(most > 1e-35f ? kMost / most : 0.0f);
#pragma GCC unroll 4
    for (int s = 0; s < kScaleSubs; ++s) {
      if (kSubCols * s >= left) break;
      __m256i q[4];
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) q[i] = _mm256_cvtps_epi32(_mm256_mul_ps(v[4 * s + i], inverse));
      // Packing leaves fours of bytes in the order 0 2 4 6 1 3 5 7.
      const __m256i bytes = _mm256_permutevar8x32_epi32(
          _mm256_packs_epi16(_mm256_packs_epi32(q[0], q[1]), _mm256_packs_epi32(q[2], q[3])),
          _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
      const TileView to = tile_view(tile, n);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(const_cast<int8_t*>(to.q) + 32 * y), bytes);
      int32_t sum = 0;
#pragma GCC unroll 2
      for (int h = 0; h < 2; ++h) {
        const int32_t half = sum_of(_mm256_add_epi32(q[2 * h], q[2 * h + 1]));
        const_cast<int32_t*>(to.less16)[h * n + y] = -128 * half;
        const_cast<float*>(to.sum16)[h * n + y] = scale * static_cast<float>(half);
        sum += half;
      }
      const_cast<int32_t*>(to.less)[y] = -128 * sum;
      const_cast<float*>(to.scale)[y] = scale;
      const_cast<float*>(to.sum)[y] = scale * static_cast<float>(sum);
      tile += n * kTileBytes;
    }
  }
}

template <PackedType T, int N>
void fill(Kernels& k) {
  StripProduct& to = k.strip[static_cast<int>(T)][N];
  if constexpr (N <= rows_at_once<T>())
    to = product<T, N>;
  else
    to = one_of_many<T, N>;
  if constexpr (N < kTileRows) fill<T, N + 1>(k);
}

}  // namespace

void fill_packed_avx2(Kernels& k) {
  k.quantise = quantise;
#define BRAID_FILL(name, ...) fill<PackedType::name, 1>(k);
  BRAID_PACKED_TYPES(BRAID_FILL)
#undef BRAID_FILL
}

}  // namespace braid::BRAID_ISA
