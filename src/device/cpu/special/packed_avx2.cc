// Products of packed strips on AVX2 and on AVX-VNNI. A line of a strip is two registers: rows 0..7
// and 8..15; both instructions multiply unsigned codes with signed inputs.
//
// avx2: vpmaddubsw adds pairs in 16 bits and saturates. Inputs are rounded so that the sum of two
// comes to 128 at most and the sizes of four to 255, and as many of its results as 16 bits hold are
// added before vpmaddwd makes one 32-bit sum of each row, times the scale where that is an integer.
// Values that fill a byte are raised by 128; the sums of two results start from what that adds,
// which the tile has ready: they may run over on the way, and end within 16 bits. avxvnni: vpdpbusd
// adds four products to 32 bits, exactly; codes have an offset, which the sums start from.
#include "device/cpu/kernels/kernels.h"
#include "device/cpu/special/avx2_inputs.h"
#include "device/cpu/special/avx2_scales.h"

#include <immintrin.h>
#include <string.h>

namespace braid::BRAID_ISA {
namespace {

// How far ahead memory is asked for, in whole records: the hardware's prefetchers alone fall
// behind.
constexpr int kAheadBytes = 9216;
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
    return kRaised<T> || sums_in_16_bits<T>() > 2 ? 4 : 3;
}

[[gnu::always_inline]] inline __m256i four(const void* q) {
  int32_t x;
  memcpy(&x, q, 4);
  return _mm256_set1_epi32(x);
}

// What an offset makes of the sum of the inputs: -offset * sum, from -128 * sum.
template <PackedType T>
[[gnu::always_inline, maybe_unused]] inline int32_t start(int32_t less) {
  constexpr int offset = kOffset<T>, zeros = offset ? __builtin_ctz(offset) : 0;
  return (less >> (7 - zeros)) * (offset >> zeros);
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
  __m256i low = w.template get<G>(0), high = w.template get<G>(1);
  asm("" : "+x"(low), "+x"(high));
#pragma GCC unroll 16
  for (int y = 0; y < C; ++y) {
    const __m256i x = four(q + 32 * y + 4 * G);
    const __m256i a = _mm256_maddubs_epi16(low, x), b = _mm256_maddubs_epi16(high, x);
    s[y][0] = first ? a : sum16(s[y][0], a);
    s[y][1] = first ? b : sum16(s[y][1], b);
  }
  if constexpr (G + 1 < End) add_pairs<T, C, G + 1, End, false>(w, q, s);
}

// t[y][h] += the products of groups [G, End) times unit[h], in parts whose pairs fit 16 bits.
template <PackedType T, int C, int G, int End, class Groups>
[[gnu::always_inline]] inline void add_products(const Groups& w, const __m256i* unit,
                                                const int8_t* q, __m256i (*t)[2]) {
  constexpr int sums = sums_in_16_bits<T>(), next = G + sums < End ? G + sums : End;
  if constexpr (sums > 2) {
    __m256i s[C][2];
    add_pairs<T, C, G, next, true>(w, q, s);
#pragma GCC unroll 16
    for (int y = 0; y < C; ++y)
#pragma GCC unroll 2
      for (int h = 0; h < 2; ++h) t[y][h] = sum32(t[y][h], _mm256_madd_epi16(s[y][h], unit[h]));
  } else {
    // One row at a time: only the wide sums stay in registers.
    __m256i part[2][2] = {{w.template get<G>(0), w.template get<G>(1)},
                          {w.template get<G + 1>(0), w.template get<G + 1>(1)}};
    asm("" : "+x"(part[0][0]), "+x"(part[0][1]), "+x"(part[1][0]), "+x"(part[1][1]));
#pragma GCC unroll 16
    for (int y = 0; y < C; ++y)
#pragma GCC unroll 2
      for (int h = 0; h < 2; ++h) {
        const int8_t* x = q + 32 * y + 4 * G;
        const __m256i s = sum16(_mm256_maddubs_epi16(part[0][h], four(x)),
                                _mm256_maddubs_epi16(part[1][h], four(x + 4)));
        t[y][h] = sum32(t[y][h], _mm256_madd_epi16(s, unit[h]));
      }
  }
  if constexpr (next < End) add_products<T, C, next, End>(w, unit, q, t);
}

// The same for raised values: less[8 * y + G] is what the raising of groups G and G + 1 wants off.
template <int C, int G, int End, class Groups>
[[gnu::always_inline]] inline void add_raised(const Groups& w, const __m256i* unit, const int8_t* q,
                                              const int16_t* less, __m256i (*t)[2]) {
  __m256i part[2][2] = {{w.template get<G>(0), w.template get<G>(1)},
                        {w.template get<G + 1>(0), w.template get<G + 1>(1)}};
  asm("" : "+x"(part[0][0]), "+x"(part[0][1]), "+x"(part[1][0]), "+x"(part[1][1]));
#pragma GCC unroll 16
  for (int y = 0; y < C; ++y) {
    const int8_t* x = q + 32 * y + 4 * G;
    const __m256i off = four(less + 8 * y + G);
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      const __m256i a = sum16(_mm256_maddubs_epi16(part[0][h], four(x)), off);
      const __m256i s = sum16(_mm256_maddubs_epi16(part[1][h], four(x + 4)), a);
      t[y][h] = sum32(t[y][h], _mm256_madd_epi16(s, unit[h]));
    }
  }
  if constexpr (G + 2 < End) add_raised<C, G + 2, End>(w, unit, q, less, t);
}

// Sums of a row's products over kSharing sub-blocks, in both halves of the strip, as their scales
// are made.
template <bool integers>
struct SumsOf {
  __m256 half[2];
  [[gnu::always_inline]] void clear() { half[0] = half[1] = _mm256_setzero_ps(); }
};
template <>
struct SumsOf<true> {
  __m256i half[2];
  [[gnu::always_inline]] void clear() { half[0] = half[1] = _mm256_setzero_si256(); }
};
template <PackedType T>
using Sums = SumsOf<kIntegers<T>>;

// Inputs of C rows from row `first` of a tile on.
struct Rows {
  const int8_t* q;
  const int32_t* less;
  const int16_t* less4;
};

// What the sum of a stretch's products begins with.
template <PackedType T>
[[gnu::always_inline]] inline __m256i begin(const Sums<T>& sums, int h, const RecordScales<T>& by,
                                            int i, int32_t less) {
  if constexpr (!kIntegers<T>) {
    return _mm256_set1_epi32(start<T>(less));
  } else if constexpr (kOffset<T> == 0) {
    return sums.half[h];
  } else {
    // Times the scale, which is there twice: in two parts, for one might not fit 16 bits.
    constexpr bool fits = kFourInputs * kInfo<T>.scale_cols / 4 * kOffset<T> <= 2 * 32767;
    constexpr int times = fits ? 1 : kOffset<T>;
    const int32_t whole = fits ? start<T>(less) : less >> 7, part = whole >> 1;
    const auto parts = static_cast<uint32_t>(part) << 16 | static_cast<uint16_t>(whole - part);
    const __m256i both = _mm256_set1_epi32(static_cast<int32_t>(parts));
    __m256i off = _mm256_madd_epi16(both, by.integer[i][h]);
    if constexpr (times != 1) off = _mm256_mullo_epi32(off, _mm256_set1_epi32(times));
    return _mm256_add_epi32(sums.half[h], off);
  }
}

// Takes what it came to.
template <PackedType T>
[[gnu::always_inline]] inline void take(__m256i t, int h, const RecordScales<T>& by, int i,
                                        Sums<T>& sums) {
  if constexpr (kIntegers<T>)
    sums.half[h] = t;
  else
    sums.half[h] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(t), by.scale[i][h], sums.half[h]);
}

// sums += the i-th stretch of a record, groups [Begin, End) of a sub-block, times C rows.
template <PackedType T, int C, int Begin, int End, class Groups>
[[gnu::always_inline]] inline void stretch(const Groups& w, const RecordScales<T>& by, int i,
                                           const Rows& x, Sums<T>* sums) {
  [[maybe_unused]] const __m256i ones[2] = {_mm256_set1_epi16(1), _mm256_set1_epi16(1)};
  [[maybe_unused]] const __m256i* unit = kIntegers<T> ? by.integer[i] : ones;
  __m256i t[C][2];
#pragma GCC unroll 16
  for (int y = 0; y < C; ++y)
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) t[y][h] = begin<T>(sums[y], h, by, i, x.less[y]);
  if constexpr (kVnni)
    add_dots<C, Begin, End>(w, x.q, t);
  else if constexpr (kRaised<T>)
    add_raised<C, Begin, End>(w, unit, x.q, x.less4, t);
  else
    add_products<T, C, Begin, End>(w, unit, x.q, t);
#pragma GCC unroll 16
  for (int y = 0; y < C; ++y)
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) take<T>(t[y][h], h, by, i, sums[y]);
}

// Sub-block s of a record times C rows from row `first` of a tile of n on.
template <PackedType T, int C, class Groups>
[[gnu::always_inline]] inline void rows(const Groups& w, const RecordScales<T>& by, int s,
                                        const TileView& x, int n, int first, Sums<T>* sums) {
  const int8_t* q = x.q + 32 * first;
  const int16_t* less4 = x.less4 + 8 * first;
  if constexpr (kInfo<T>.scale_cols == 32) {
    stretch<T, C, 0, 8>(w, by, s, {q, x.less + first, less4}, sums);
  } else {
    const int32_t* less = x.less16 + first;
    stretch<T, C, 0, 4>(w, by, 2 * s, {q, less, less4}, sums);
    stretch<T, C, 4, 8>(w, by, 2 * s + 1, {q, less + n, less4}, sums);
  }
}

// Passes of nearly the same size over n rows: the first `more` of them have a row more than `few`.
struct Passes {
  int few, more;
  Passes(int n, int most) : few(n / ((n + most - 1) / most)), more(n % ((n + most - 1) / most)) {}
};

// acc[h] += what the sums of row y of n stand for, and the minima: of `subs` sub-blocks from the
// s-th of a record and that at x on.
template <PackedType T>
[[gnu::always_inline]] inline void add_sums(const Sums<T>& sums, const RecordScales<T>& by, int s,
                                            int subs, const uint8_t* x, int n, int y, __m256* acc) {
  const __m256 unit = _mm256_set1_ps(tile_view(x, n).scale[y]);
  __m256 a[2] = {acc[0], acc[1]};
#pragma GCC unroll 2
  for (int h = 0; h < 2; ++h)
    if constexpr (kIntegers<T>)
      a[h] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums.half[h]), _mm256_mul_ps(by.record[h], unit),
                             a[h]);
    else
      a[h] = _mm256_fmadd_ps(sums.half[h], unit, a[h]);
  if constexpr (kInfo<T>.has_minimum()) {
    constexpr int stretches = kSubCols / kInfo<T>.scale_cols;
    const int first = stretches * s;
#pragma GCC unroll 4
    for (int j = 0; j < kSharing; ++j, x += n * kTileBytes) {
      if (j == subs) break;
      const TileView view = tile_view(x, n);
#pragma GCC unroll 2
      for (int k = 0; k < stretches; ++k) {
        const __m256 sum = _mm256_set1_ps(stretches == 1 ? view.sum[y] : view.sum16[k * n + y]);
#pragma GCC unroll 2
        for (int h = 0; h < 2; ++h)
          a[h] = _mm256_fmadd_ps(by.minimum[first + stretches * j + k][h], sum, a[h]);
      }
    }
  }
  acc[0] = a[0], acc[1] = a[1];
}

// Lines that are asked for with each sub-block, the j-th from `ahead` on.
template <PackedType T>
constexpr int kShare = (kInfo<T>.record_bytes() / 64 + 7) / 8;
template <PackedType T>
[[gnu::always_inline]] inline void ask(const uint8_t* ahead, int j) {
  for (int i = 0; i < kShare<T>; ++i)
    _mm_prefetch(reinterpret_cast<const char*>(ahead + 64 * (kShare<T> * j + i)), _MM_HINT_T0);
}

// Sub-blocks that are multiplied before the next row: those whose sums stay in registers.
constexpr int kTogether = kVnni ? 1 : kSharing;

// Some sub-blocks of a record, from the s-th on, with inputs of n rows at x that share a scale.
template <PackedType T>
struct Block {
  const RecordScales<T>& by;
  int s, subs;
  const uint8_t* x;
  int n;
  const uint8_t* ahead;  // asked for meanwhile, if any
  __m256 (*acc)[2];      // of all rows
  Sums<T>* sums;         // of all rows: avxvnni, which has no registers left for its own

  [[gnu::always_inline]] TileView tile(int j) const { return tile_view(x + j * n * kTileBytes, n); }
};

// C rows from row `first` on times the weights w[..] of a block.
template <PackedType T, int C, class Groups>
[[gnu::always_inline]] inline void multiply_block(const Groups* w, const Block<T>& b, int first) {
  if constexpr (kVnni) {
    if (b.ahead) ask<T>(b.ahead, 0);
    return rows<T, C>(w[0], b.by, b.s, b.tile(0), b.n, first, b.sums + first);
  }
  Sums<T> sums[C];
#pragma GCC unroll 16
  for (Sums<T>& row : sums) row.clear();
#pragma GCC unroll 1
  for (int j = 0; j < b.subs; ++j) {
    if (b.ahead) ask<T>(b.ahead, j);
    rows<T, C>(w[j], b.by, b.s + j, b.tile(j), b.n, first, sums);
  }
#pragma GCC unroll 16
  for (int y = 0; y < C; ++y)
    add_sums<T>(sums[y], b.by, b.s, b.subs, b.x, b.n, first + y, b.acc[first + y]);
}

// A function of its own: in line g++ 12 keeps what is ready in registers that it does not have, and
// a block by its address it reads again and again.
template <PackedType T, int C>
[[gnu::noinline]] void ready_block(const Ready<T>* w, const RecordScales<T>& by, int s, int subs,
                                   const uint8_t* x, int n, int first, __m256 (*acc)[2]) {
  multiply_block<T, C>(w, {by, s, subs, x, n, nullptr, acc, nullptr}, first);
}

// `count` rows from row `first` on, of the sizes that passes over more than rows_at_once() have.
template <PackedType T, int C>
[[gnu::always_inline]] inline void pass(int count, const Ready<T>* w, const Block<T>& b,
                                        int first) {
  if (count == C) {
    if constexpr (kVnni)
      multiply_block<T, C>(w, b, first);
    else
      ready_block<T, C>(w, b.by, b.s, b.subs, b.x, b.n, first, b.acc);
  } else if constexpr (2 * C > rows_at_once<T>() + 1) {
    pass<T, C - 1>(count, w, b, first);
  }
}

// The same for n rows of avxvnni, whose sums begin anew. Not in line, nor unrolled: what waits for
// the next sub-blocks has no business in registers.
template <PackedType T>
[[gnu::noinline, maybe_unused]] void take_sums(Sums<T>* sums, const RecordScales<T>& by, int s,
                                               int subs, const uint8_t* x, int n,
                                               __m256 (*acc)[2]) {
#pragma GCC unroll 1
  for (int y = 0; y < n; ++y) {
    add_sums<T>(sums[y], by, s, subs, x, n, y, acc[y]);
    sums[y].clear();
    asm volatile("" : : : "memory");  // else g++ 12 clears them by a call
  }
}

// A tile of N rows in one pass, or of n in several where N is 0.
template <PackedType T, int N>
[[gnu::always_inline]] inline void multiply_tile(const uint8_t* strip, int64_t groups,
                                                 const uint8_t* x, int n, float* out,
                                                 int64_t stride, const Course& course) {
  constexpr PackedInfo info = kInfo<T>;
  constexpr int most = rows_at_once<T>();
  const Passes passes(n, most);
  __m256 acc[N ? N : kTileRows][2];
#pragma GCC unroll 16
  for (auto& row : acc) row[0] = row[1] = _mm256_setzero_ps();
  Sums<T> sums[kVnni ? (N ? N : kTileRows) : 1];
#pragma GCC unroll 16
  for (auto& row : sums) row.clear();
  RecordScales<T> scales;
  for (; groups > 0; strip += info.record_bytes()) {
    scales.read(strip + info.code_bytes());
    const uint8_t* ahead =
        course.place(strip + kAheadBytes / info.record_bytes() * info.record_bytes());
    for (int s = 0; s < 8 && groups > 0; groups -= kSharing) {
      const int subs = static_cast<int>(groups < kSharing ? groups : kSharing);
      [[maybe_unused]] const int begin = s;
      const int end = s + subs;
      [[maybe_unused]] const uint8_t* from_x = x;
      while (s < end) {
        const int now = kTogether < end - s ? kTogether : end - s;
        const uint8_t* sub = strip + s * 64 * info.bits;
        if constexpr (N != 0) {
          FromStrip<T> from[kTogether];
          for (int j = 0; j < kTogether; ++j) from[j].sub = sub + j * 64 * info.bits;
          multiply_block<T, N>(from, {scales, s, now, x, n, ahead, acc, sums}, 0);
        } else {
          const Block<T> block{scales, s, now, x, n, nullptr, acc, sums};
          Ready<T> ready[kTogether];
          for (int j = 0; j < now; ++j) {
            ask<T>(ahead, j);
            ready[j].make({sub + j * 64 * info.bits});
          }
          for (int first = 0, i = 0; first < n; ++i) {
            const int count = passes.few + (i < passes.more);
            pass<T, most>(count, ready, block, first);
            first += count;
          }
        }
        s += now, x += now * n * kTileBytes, ahead += now * 64 * kShare<T>;
      }
      if constexpr (kVnni && N == 0) take_sums<T>(sums, scales, begin, subs, from_x, n, acc);
      if constexpr (kVnni && N != 0) {
#pragma GCC unroll 16
        for (int y = 0; y < N; ++y) {
          add_sums<T>(sums[y], scales, begin, subs, from_x, n, y, acc[y]);
          sums[y].clear();
        }
      }
    }
  }
#pragma GCC unroll 1
  for (int y = 0; y < n; ++y)
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) _mm256_storeu_ps(out + y * stride + 8 * h, acc[y][h]);
}

// Tiles of several passes share their code: for each size it would be large, and slow to compile.
template <PackedType T>
[[gnu::noinline]] void product_many(const uint8_t* strip, int64_t groups, const uint8_t* tile,
                                    int n, float* out, int64_t stride, const Course& course) {
  multiply_tile<T, 0>(strip, groups, tile, n, out, stride, course);
}

template <PackedType T, int N>
void product(const uint8_t* strip, int64_t groups, const void* tile, float* out, int64_t stride,
             const Course& course) {
  multiply_tile<T, N>(strip, groups, static_cast<const uint8_t*>(tile), N, out, stride, course);
}
template <PackedType T, int N>
void one_of_many(const uint8_t* strip, int64_t groups, const void* tile, float* out, int64_t stride,
                 const Course& course) {
  int n = N;
  asm("" : "+r"(n));  // else g++ 12 makes a copy for each
  product_many<T>(strip, groups, static_cast<const uint8_t*>(tile), n, out, stride, course);
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
  k.copy_quantised = copy_quantised;
#define BRAID_FILL(name, ...) fill<PackedType::name, 1>(k);
  BRAID_PACKED_TYPES(BRAID_FILL)
#undef BRAID_FILL
}

}  // namespace braid::BRAID_ISA
