// Products of packed strips on AVX-512 with VNNI: one vpdpbusd multiplies four columns of 16 rows
// with four input bytes. Unsigned codes times signed inputs; the offset of a code is what the sums
// start from.
#include "device/cpu/kernels/kernels.h"
#include "device/cpu/kernels/packed.h"

#include <immintrin.h>

namespace braid::BRAID_ISA {
namespace {

template <PackedType T>
constexpr PackedInfo kInfo = kPackedInfo[static_cast<int>(T)];

[[gnu::always_inline]] inline __m512i line(const uint8_t* p) { return _mm512_loadu_si512(p); }
[[gnu::always_inline]] inline __m512i masked(__m512i x, char mask) {
  return _mm512_and_si512(x, _mm512_set1_epi8(mask));
}
// Bits of each byte moved up by `up` (down if negative) and masked.
template <int up>
[[gnu::always_inline]] inline __m512i moved(__m512i x, char mask) {
  if constexpr (up > 0) return masked(_mm512_slli_epi16(x, up), mask);
  if constexpr (up < 0) return masked(_mm512_srli_epi16(x, -up), mask);
  return masked(x, mask);
}

// Values of a table of 16, plus 128.
template <Codes codes>
[[gnu::always_inline]] inline __m512i table() {
  const __m128i values =
      _mm_loadu_si128(reinterpret_cast<const __m128i*>(kCodeTable[static_cast<int>(codes)]));
  return _mm512_broadcast_i32x4(_mm_xor_si128(values, _mm_set1_epi8(-128)));
}

// Groups 6 and 7 of three bits, in the nibbles of a line.
[[gnu::always_inline]] inline __m512i last_threes(const uint8_t* sub) {
  constexpr int kChoice = 0xca;  // of the second where the first has a bit, of the third elsewhere
  const __m512i low_two =
      _mm512_ternarylogic_epi32(_mm512_set1_epi8(0x11), _mm512_srli_epi16(line(sub), 3),
                                _mm512_srli_epi16(line(sub + 64), 2), kChoice);
  return _mm512_ternarylogic_epi32(_mm512_set1_epi8(0x33), low_two,
                                   _mm512_srli_epi16(line(sub + 128), 1), kChoice);
}

// Codes of group J (high: of group J + 4) of a sub-block.
template <PackedType T, int J, bool high>
[[gnu::always_inline]] inline __m512i codes(const uint8_t* sub) {
  constexpr int bits = kInfo<T>.bits;
  if constexpr (bits == 8) return line(sub + 64 * (J + 4 * high));
  __m512i x;
  if constexpr (bits == 2) {
    x = moved<-2 * J>(line(sub + 64 * high), 3);
  } else if constexpr (bits == 3) {
    constexpr int group = J + 4 * high;
    x = moved<-4 * (J % 2)>(group < 6 ? line(sub + 64 * (group / 2)) : last_threes(sub), 7);
  } else {
    x = moved<-4 * high>(line(sub + 64 * J), 15);
    if constexpr (bits == 5) x = _mm512_or_si512(x, moved<4 - J - 4 * high>(line(sub + 256), 16));
    if constexpr (bits == 6)
      x = _mm512_or_si512(x, moved<4 - 2 * J>(line(sub + 256 + 64 * high), 48));
  }
  if constexpr (kInfo<T>.codes != Codes::kPlain)
    x = _mm512_shuffle_epi8(table<kInfo<T>.codes>(), x);
  return x;
}

[[gnu::always_inline]] inline __m512 halves(const uint8_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
[[gnu::always_inline]] inline __m512i bytes(const uint8_t* p) {
  return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
// `bits` bits of each integer from bit `at` on.
[[gnu::always_inline]] inline __m512i field(__m512i x, int at, int mask) {
  return _mm512_and_si512(_mm512_srli_epi32(x, static_cast<unsigned>(at)), _mm512_set1_epi32(mask));
}
[[gnu::always_inline]] inline __m512i six(__m512i low, __m512i high) {
  return _mm512_or_si512(low, _mm512_slli_epi32(high, 4));
}

// 2^(e - 128), subnormal for e < 2.
[[gnu::always_inline]] inline __m512 half_of_e8m0(__m512i e) {
  const __m512i normal = _mm512_slli_epi32(_mm512_sub_epi32(e, _mm512_set1_epi32(1)), 23);
  const __m512i small = _mm512_sllv_epi32(_mm512_set1_epi32(0x200000), e);
  const __mmask16 below = _mm512_cmplt_epu32_mask(e, _mm512_set1_epi32(2));
  return _mm512_castsi512_ps(_mm512_mask_blend_epi32(below, normal, small));
}

// Floats of 7 bits: those of an f16 but for three bits of exponent and seven of mantissa; halved,
// since the table of E2M1 is doubled.
[[gnu::always_inline]] inline __m512 half_of_e4m3(const uint8_t* p) {
  const __m256i e = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  return _mm512_mul_ps(_mm512_cvtph_ps(_mm256_slli_epi16(e, 7)), _mm512_set1_ps(128.0f));
}

// What the scales of a record are made of: scale(i) and minimum(i) of its i-th stretch of 32 or 16
// columns.
template <PackedType T>
struct ScaleCodes {
  static constexpr Scales kind = kInfo<T>.scales;
  const uint8_t* p;
  __m512 d, dmin;

  [[gnu::always_inline]] explicit ScaleCodes(const uint8_t* at) : p(at) {
    if constexpr (kind != Scales::kHalf32 && kind != Scales::kHalfMin32 && kind != Scales::kE8M0 &&
                  kind != Scales::kE4M3)
      d = halves(p);
    if constexpr (kInfo<T>.unit() != 1) d = _mm512_mul_ps(d, _mm512_set1_ps(kInfo<T>.unit()));
    if constexpr (kind == Scales::kSixMin32 || kind == Scales::kNibbleMin16) dmin = halves(p + 32);
  }
  [[gnu::always_inline]] __m512 scale(int i) const {
    if constexpr (kind == Scales::kHalf32 || kind == Scales::kHalfMin32) return halves(p + 32 * i);
    if constexpr (kind == Scales::kE8M0) return half_of_e8m0(bytes(p + 16 * i));
    if constexpr (kind == Scales::kE4M3) return half_of_e4m3(p + 16 * i);
    return _mm512_mul_ps(d, _mm512_cvtepi32_ps(integer(i)));
  }
  // Added for each input unit.
  [[gnu::always_inline]] __m512 minimum(int i) const {
    if constexpr (kind == Scales::kHalfMin32) return halves(p + 256 + 32 * i);
    if constexpr (kind == Scales::kOddShift32) {
      const __m512i sign =
          _mm512_slli_epi32(field(bytes(p + 32 + i / 2 * 16), i % 2 * 4 + 3, 1), 31);
      return _mm512_xor_ps(_mm512_mul_ps(scale(i), _mm512_set1_ps(0.125f)),
                           _mm512_castsi512_ps(sign));
    }
    __m512i m;
    if constexpr (kind == Scales::kSixMin32)
      m = six(_mm512_srli_epi32(bytes(p + 64 + 16 * i), 4),
              field(bytes(p + 192 + i / 2 * 16), i % 2 * 4 + 2, 3));
    if constexpr (kind == Scales::kNibbleMin16) m = _mm512_srli_epi32(bytes(p + 64 + 16 * i), 4);
    return _mm512_mul_ps(dmin, _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_setzero_si512(), m)));
  }

 private:
  [[gnu::always_inline]] __m512i integer(int i) const {
    if constexpr (kind == Scales::kSix32 || kind == Scales::kSix16) {
      const uint8_t* high = p + 32 + (kind == Scales::kSix32 ? 64 : 128);
      const __m512i s = six(field(bytes(p + 32 + i / 2 * 16), i % 2 * 4, 15),
                            field(bytes(high + i / 4 * 16), i % 4 * 2, 3));
      return _mm512_sub_epi32(s, _mm512_set1_epi32(32));
    }
    if constexpr (kind == Scales::kSixMin32)
      return six(field(bytes(p + 64 + 16 * i), 0, 15),
                 field(bytes(p + 192 + i / 2 * 16), i % 2 * 4, 3));
    if constexpr (kind == Scales::kNibbleMin16) return field(bytes(p + 64 + 16 * i), 0, 15);
    if constexpr (kind == Scales::kOdd32 || kind == Scales::kOdd16 || kind == Scales::kOddShift32) {
      const __m512i n =
          field(bytes(p + 32 + i / 2 * 16), i % 2 * 4, kind == Scales::kOddShift32 ? 7 : 15);
      return _mm512_add_epi32(_mm512_add_epi32(n, n), _mm512_set1_epi32(1));
    }
    return _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 32 + 16 * i)));
  }
};

// The scales of a record, made at once: for one sub-block after the other the shifts and addresses
// would cost more than the arithmetic.
template <PackedType T>
struct RecordScales {
  static constexpr int kCount = kRecordCols / kInfo<T>.scale_cols;
  alignas(64) float scale[kCount][kStripRows];
  alignas(64) float minimum[kInfo<T>.has_minimum() ? kCount : 1][kStripRows];

  [[gnu::always_inline]] void read(const uint8_t* p) {
    const ScaleCodes<T> codes(p);
#pragma GCC unroll 16
    for (int i = 0; i < kCount; ++i) {
      _mm512_store_ps(scale[i], codes.scale(i));
      if constexpr (kInfo<T>.has_minimum()) _mm512_store_ps(minimum[i], codes.minimum(i));
    }
  }
};

// t += w times the four inputs at q in each lane. As an instruction by name: g++ 12 makes two of
// the intrinsic, a load and a product, and copies sums about; 5% of a product of ten rows.
struct Four {
  int8_t q[4];
};
[[gnu::always_inline]] inline void dot(__m512i& t, __m512i w, const int8_t* q) {
  asm("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(t) : "v"(w), "m"(*reinterpret_cast<const Four*>(q)));
}

// What an offset makes of the sum of the inputs: -offset * sum, from -128 * sum.
template <PackedType T>
[[gnu::always_inline]] inline __m512i start(const int32_t* less) {
  constexpr int offset = kInfo<T>.codes == Codes::kPlain ? kInfo<T>.offset : 128;
  if constexpr (offset == 0) return _mm512_setzero_si512();
  return _mm512_srai_epi32(_mm512_set1_epi32(*less), __builtin_ctz(128) - __builtin_ctz(offset));
}

// t[y] += codes of a pair of groups (or of one of the two) times the inputs.
template <PackedType T, int N, int J, bool low, bool high>
[[gnu::always_inline]] inline void multiply(const uint8_t* sub, const int8_t* q, __m512i* t) {
  if constexpr (low) {
    const __m512i w = codes<T, J, false>(sub);
#pragma GCC unroll 16
    for (int y = 0; y < N; ++y) dot(t[y], w, q + 32 * y + 4 * J);
  }
  if constexpr (high) {
    const __m512i w = codes<T, J, true>(sub);
#pragma GCC unroll 16
    for (int y = 0; y < N; ++y) dot(t[y], w, q + 32 * y + 16 + 4 * J);
  }
}

// acc[y] += what a stretch of columns with one weight scale gives, in units of the inputs' scale.
template <PackedType T, int N, bool low, bool high>
[[gnu::always_inline]] inline void stretch(const uint8_t* sub, const RecordScales<T>& scales, int i,
                                           const int8_t* q, const int32_t* less, __m512* acc) {
  __m512i t[N];
#pragma GCC unroll 16
  for (int y = 0; y < N; ++y) t[y] = start<T>(less + y);
  multiply<T, N, 0, low, high>(sub, q, t);
  multiply<T, N, 1, low, high>(sub, q, t);
  multiply<T, N, 2, low, high>(sub, q, t);
  multiply<T, N, 3, low, high>(sub, q, t);
  const __m512 scale = _mm512_load_ps(scales.scale[i]);
#pragma GCC unroll 16
  for (int y = 0; y < N; ++y) acc[y] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(t[y]), scale, acc[y]);
}

// total[y] += what the minima of `count` sub-blocks give, of which the first is the record's s-th:
// for a row each its sum of inputs, which x has beside them.
template <PackedType T, int N>
[[gnu::always_inline]] inline void add_minima(const RecordScales<T>& scales, int s, int count,
                                              const uint8_t* x, __m512* total) {
  for (int i = 0; i < count; ++i, x += N * kTileBytes) {
    const TileView view = tile_view(x, N);
    if constexpr (kInfo<T>.scale_cols == 32) {
      const __m512 minimum = _mm512_load_ps(scales.minimum[s + i]);
#pragma GCC unroll 16
      for (int y = 0; y < N; ++y)
        total[y] = _mm512_fmadd_ps(_mm512_set1_ps(view.sum[y]), minimum, total[y]);
    } else {
      for (int h = 0; h < 2; ++h) {
        const __m512 minimum = _mm512_load_ps(scales.minimum[2 * (s + i) + h]);
#pragma GCC unroll 16
        for (int y = 0; y < N; ++y)
          total[y] = _mm512_fmadd_ps(_mm512_set1_ps(view.sum16[h * N + y]), minimum, total[y]);
      }
    }
  }
}

template <PackedType T, int N>
void product(const uint8_t* strip, int64_t groups, const void* tile, float* out, int64_t stride,
             const Course& course) {
  constexpr PackedInfo info = kInfo<T>;
  // In whole records, so that the course turns between two of them.
  constexpr int far = kWeightsAhead / info.record_bytes() * info.record_bytes();
  constexpr int lines = info.record_bytes() / 64, share = (lines + 7) / 8;
  const auto* x = static_cast<const uint8_t*>(tile);
  // The sums wait in memory while registers hold those of a group of sub-blocks.
  alignas(64) float sums[N][kStripRows] = {};
  RecordScales<T> scales;
  for (; groups > 0; strip += info.record_bytes()) {
    scales.read(strip + info.code_bytes());
    const uint8_t *sub = strip, *ahead = course.place(strip + far);
    for (int s = 0; s < 8 && groups > 0; groups -= kScaleSubs) {
      const int first = s, end = s + static_cast<int>(groups < kScaleSubs ? groups : kScaleSubs);
      const uint8_t* inputs = x;
      const float* units = tile_view(x, N).scale;
      __m512 acc[N];
#pragma GCC unroll 16
      for (int y = 0; y < N; ++y) acc[y] = _mm512_setzero_ps();
      for (; s < end; ++s, x += N * kTileBytes, sub += 64 * info.bits, ahead += 64 * share) {
        // The weights of one row are used once.
        for (int i = 0; i < share; ++i)
          _mm_prefetch(reinterpret_cast<const char*>(ahead + 64 * i),
                       N == 1 ? _MM_HINT_NTA : _MM_HINT_T0);
        const TileView view = tile_view(x, N);
        if constexpr (info.scale_cols == 32) {
          stretch<T, N, true, true>(sub, scales, s, view.q, view.less, acc);
        } else {
          stretch<T, N, true, false>(sub, scales, 2 * s, view.q, view.less16, acc);
          stretch<T, N, false, true>(sub, scales, 2 * s + 1, view.q, view.less16 + N, acc);
        }
      }
#pragma GCC unroll 16
      for (int y = 0; y < N; ++y)
        acc[y] = _mm512_fmadd_ps(acc[y], _mm512_set1_ps(units[y]), _mm512_load_ps(sums[y]));
      if constexpr (info.has_minimum()) add_minima<T, N>(scales, first, end - first, inputs, acc);
#pragma GCC unroll 16
      for (int y = 0; y < N; ++y) _mm512_store_ps(sums[y], acc[y]);
    }
  }
#pragma GCC unroll 16
  for (int y = 0; y < N; ++y) _mm512_storeu_ps(out + y * stride, _mm512_load_ps(sums[y]));
}

// As in kernels/packed.cc; the halves of a sub-block are a register each.
void quantise(const float* x, int64_t cols, uint8_t* tile, int n, int y) {
  const auto lanes = [](int64_t count) {
    return static_cast<__mmask16>(count >= 16 ? 0xffff : count <= 0 ? 0 : (1 << count) - 1);
  };
  for (int64_t from = 0; from < cols; from += kScaleSubs * kSubCols) {
    const int64_t left = cols - from;
    for (int i = 0; i < kScaleSubs * kSubCols; i += 16)
      __builtin_prefetch(x + from + kInputsAhead + i);
    __m512 v[2 * kScaleSubs], most = _mm512_setzero_ps();
    for (int i = 0; i < 2 * kScaleSubs; ++i) {
      v[i] = _mm512_maskz_loadu_ps(lanes(left - 16 * i), x + from + 16 * i);
      most = _mm512_max_ps(most, _mm512_abs_ps(v[i]));
    }
    const float top = _mm512_reduce_max_ps(most), scale = top / 127.0f;
    const __m512 inverse = _mm512_set1_ps(top > 1e-35f ? 127.0f / top : 0.0f);
    for (int s = 0; s < kScaleSubs && kSubCols * s < left; ++s, tile += n * kTileBytes) {
      const TileView to = tile_view(tile, n);
      int32_t sum = 0;
      for (int h = 0; h < 2; ++h) {
        const __m512i q = _mm512_cvtps_epi32(_mm512_mul_ps(v[2 * s + h], inverse));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(const_cast<int8_t*>(to.q) + 32 * y + 16 * h),
                         _mm512_cvtepi32_epi8(q));
        const int32_t half = _mm512_reduce_add_epi32(q);
        const_cast<int32_t*>(to.less16)[h * n + y] = -128 * half;
        const_cast<float*>(to.sum16)[h * n + y] = scale * static_cast<float>(half);
        sum += half;
      }
      const_cast<int32_t*>(to.less)[y] = -128 * sum;
      const_cast<float*>(to.scale)[y] = scale;
      const_cast<float*>(to.sum)[y] = scale * static_cast<float>(sum);
    }
  }
}

template <PackedType T>
void fill(Kernels& k) {
  StripProduct* to = k.strip[static_cast<int>(T)];
  to[1] = product<T, 1>;
  to[2] = product<T, 2>;
  to[3] = product<T, 3>;
  to[4] = product<T, 4>;
  to[5] = product<T, 5>;
  to[6] = product<T, 6>;
  to[7] = product<T, 7>;
  to[8] = product<T, 8>;
  to[9] = product<T, 9>;
  to[10] = product<T, 10>;
  to[11] = product<T, 11>;
  to[12] = product<T, 12>;
}

}  // namespace

void fill_packed_vnni(Kernels& k) {
  k.quantise = quantise;
#define BRAID_FILL(name, ...) fill<PackedType::name>(k);
  BRAID_PACKED_TYPES(BRAID_FILL)
#undef BRAID_FILL
}

}  // namespace braid::BRAID_ISA
