// Products of packed strips on 64-bit ARM, once for each of its sets (neon_dots.h).
#include "device/cpu/kernels/kernels.h"
#include "device/cpu/special/neon_dots.h"

namespace braid::BRAID_ISA {
namespace {

// An operand G = 0..7 of a quad: the codes of group G; in pairs those of the groups G and G + 1 of
// rows 0 and 1 (G even), or of rows 2 and 3 of the groups G - 1 and G (G odd).
template <PackedType T, int G, bool pairs>
[[gnu::always_inline]] inline int8x16_t operand(const uint8_t* sub) {
  if constexpr (!pairs) {
    return group<T, G>(sub);
  } else {
    constexpr int first = G / 2 * 2;
    const int32x4_t a = vreinterpretq_s32_s8(group<T, first>(sub)),
                    b = vreinterpretq_s32_s8(group<T, first + 1>(sub));
    return vreinterpretq_s8_s32(G % 2 ? vzip2q_s32(a, b) : vzip1q_s32(a, b));
  }
}

// Where a stretch finds its operands: in the strip, or made ready for several passes over the rows.
template <PackedType T, bool pairs>
struct FromStrip {
  const uint8_t* sub;
  template <int G>
  [[gnu::always_inline]] int8x16_t get(int quad) const {
    return operand<T, G, pairs>(sub + 16 * quad);
  }
};
struct Ready {
  int8x16_t w[kGroups][kQuads];
  template <class From>
  [[gnu::always_inline]] explicit Ready(From from) {
#pragma GCC unroll 4
    for (int j = 0; j < kQuads; ++j) {
      w[0][j] = from.template get<0>(j), w[1][j] = from.template get<1>(j);
      w[2][j] = from.template get<2>(j), w[3][j] = from.template get<3>(j);
      w[4][j] = from.template get<4>(j), w[5][j] = from.template get<5>(j);
      w[6][j] = from.template get<6>(j), w[7][j] = from.template get<7>(j);
    }
  }
  template <int G>
  [[gnu::always_inline]] int8x16_t get(int quad) const {
    return w[G][quad];
  }
};

struct StretchScales {
  Sixteen scale, minimum;

  template <PackedType T>
  [[gnu::always_inline]] static StretchScales of(const RecordScales<T>& record, int i) {
    StretchScales s;
    s.scale = record.scale(i);
    if constexpr (kInfo<T>.has_minimum()) s.minimum = record.minimum(i);
    return s;
  }
};

// Inputs of C rows from row `first` of a tile on.
struct Rows {
  const int8_t* q;
  const int32_t* less;
  const float *scale, *sum;
};

template <PackedType T, int C, int Begin, int End, bool pairs, class Operands>
[[gnu::always_inline]] inline void stretch(const Operands& w, const StretchScales& by,
                                           const Rows& x, float32x4_t (*acc)[kQuads]) {
  int32x4_t t[C][kQuads];
  multiply<T, C, Begin, End, pairs>(w, x.q, x.less, t);
#pragma GCC unroll 8
  for (int y = 0; y < C; ++y)
#pragma GCC unroll 4
    for (int j = 0; j < kQuads; ++j) {
      const float32x4_t scale = vmulq_n_f32(by.scale.v[j], x.scale[y]);
      float32x4_t a = vfmaq_f32(acc[y][j], vcvtq_f32_s32(t[y][j]), scale);
      if constexpr (kInfo<T>.has_minimum()) a = vfmaq_n_f32(a, by.minimum.v[j], x.sum[y]);
      acc[y][j] = a;
    }
}

// A sub-block times C rows from row `first` of a tile of n on. by: of its one or two stretches.
template <PackedType T, int C, bool pairs, class Operands>
[[gnu::always_inline]] inline void rows(const Operands& w, const StretchScales* by,
                                        const TileView& x, int n, int first,
                                        float32x4_t (*acc)[kQuads]) {
  const int8_t* q = x.q + 32 * first;
  const float* scale = x.scale + first;
  if constexpr (kInfo<T>.scale_cols == 32) {
    stretch<T, C, 0, 8, pairs>(w, by[0], {q, x.less + first, scale, x.sum + first}, acc + first);
  } else {
    const int32_t* less = x.less16 + first;
    const float* sum = x.sum16 + first;
    stretch<T, C, 0, 4, pairs>(w, by[0], {q, less, scale, sum}, acc + first);
    stretch<T, C, 4, 8, pairs>(w, by[1], {q, less + n, scale, sum + n}, acc + first);
  }
}

// Tiles of one pass from the strip; larger ones share the code of their passes, kRows at a time.
constexpr int kDirect = kPairs ? 2 : kRows;

template <PackedType T>
[[gnu::always_inline]] inline void passes(const uint8_t* sub, const StretchScales* by,
                                          const TileView& x, int n, float32x4_t (*acc)[kQuads]) {
  const Ready ready(FromStrip<T, kPairs>{sub});
  int first = 0;
  for (; first + kRows <= n; first += kRows) rows<T, kRows, kPairs>(ready, by, x, n, first, acc);
  const int left = n - first;
  if constexpr (kRows > 2) {
    if (left == 3) rows<T, 3, kPairs>(ready, by, x, n, first, acc);
    if (left == 2) rows<T, 2, kPairs>(ready, by, x, n, first, acc);
  }
  if (left == 1) rows<T, 1, kPairs>(ready, by, x, n, first, acc);
}

// A tile of N rows, or of n where N is 0.
template <PackedType T, int N>
[[gnu::always_inline]] inline void multiply_tile(const uint8_t* strip, int64_t groups,
                                                 const uint8_t* x, int n, float* out,
                                                 int64_t stride, const Course& course) {
  constexpr PackedInfo info = kInfo<T>;
  constexpr int lines = info.record_bytes() / 64, share = (lines + 7) / 8;
  constexpr int stretches = kSubCols / info.scale_cols;
  float32x4_t acc[N ? N : kTileRows][kQuads];
  for (auto& row : acc)
    for (float32x4_t& a : row) a = vdupq_n_f32(0.0f);
  for (; groups > 0; groups -= 8, strip += info.record_bytes()) {
    const RecordScales<T> scales(strip + info.code_bytes());
    const uint8_t* ahead =
        course.place(strip + kWeightsAhead / info.record_bytes() * info.record_bytes());
    const int subs = groups < 8 ? static_cast<int>(groups) : 8;
    for (int s = 0; s < subs; ++s, x += n * kTileBytes, ahead += 64 * share) {
      for (int i = 0; i < share; ++i) __builtin_prefetch(ahead + 64 * i);
      StretchScales by[stretches];
#pragma GCC unroll 2
      for (int i = 0; i < stretches; ++i) by[i] = StretchScales::of(scales, stretches * s + i);
      const uint8_t* sub = strip + s * 64 * info.bits;
      const TileView view = tile_view(x, n);
      if constexpr (N == 0) {
        passes<T>(sub, by, view, n, acc);
      } else {
        constexpr bool pairs = kPairs && N > 1;
        rows<T, N, pairs>(FromStrip<T, pairs>{sub}, by, view, n, 0, acc);
      }
    }
  }
  for (int y = 0; y < n; ++y)
    for (int j = 0; j < kQuads; ++j) vst1q_f32(out + y * stride + 4 * j, acc[y][j]);
}

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
  product_many<T>(strip, groups, static_cast<const uint8_t*>(tile), N, out, stride, course);
}

template <PackedType T, int N>
void fill(Kernels& k) {
  StripProduct& to = k.strip[static_cast<int>(T)][N];
  if constexpr (N <= kDirect)
    to = product<T, N>;
  else
    to = one_of_many<T, N>;
  if constexpr (N < kTileRows) fill<T, N + 1>(k);
}

}  // namespace

void fill_packed_neon(Kernels& k) {
#define BRAID_FILL(name, ...) fill<PackedType::name, 1>(k);
  BRAID_PACKED_TYPES(BRAID_FILL)
#undef BRAID_FILL
}

}  // namespace braid::BRAID_ISA
