// How the CPU keeps matrices: strips of 16 rows, of which a vector register holds one column each.
//
// A strip of a quantised matrix is a list of records of 256 columns. A record has, for each of its
// eight sub-blocks of 32 columns, `bits` lines of 64 bytes, and behind them the scales; its size is
// a multiple of 64. A line holds four bytes of each row r, at 4r .. 4r+3; byte b of group g = 0..7
// belongs to column 4g + b of the sub-block. The lines, in this order, by what a code is made of:
//
//   8 bits             8 lines: line g is group g
//   4, 5, 6 bits       4 lines of low nibbles: line j has group j in the low and j + 4 in the high
//                      half of its bytes
//   2, 6 bits          2 lines of bit pairs: line h has group 4h + i in bits 2i+1 .. 2i
//   5 bits             1 line of single bits: group g in bit g
//   3 bits             3 lines: line j has group 2j in bits 2..0 and 2j + 1 in bits 6..4; its bits
//   3
//                      and 7 are bit j of groups 6 and 7
//
// A code of more than 4 bits is nibble | pair << 4 or nibble | bit << 4: the integers are the
// file's own, for types with a grid those that its entries stand for. Its value is a table's entry
// or code - offset, times the scale of its 32 or 16 columns, less a minimum in some types. A scale
// is exact in f32, and so is a weight.
//
// Inputs are tiles of up to kTileRows rows, quantised to int8 by 128 columns with an f32 scale, so
// that the inner loop reads one stream at fixed distances (TileView). A set that adds products in
// 16 bits has scales for 64 columns, coarser where sums would not fit: products and quantise()
// belong together.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

namespace braid {

constexpr int kStripRows = 16;
constexpr int kRecordCols = 256;
constexpr int kSubCols = 32;
constexpr int kScaleSubs = 4;  // sub-blocks of a row of inputs that share a scale
constexpr int kTileRows = 12;  // 12 accumulators and 12 sums in flight of 32 vector registers

// Where the scales of a record lie, all by [..][16 rows]:
enum class Scales : uint8_t {
  kHalf32,       // f16 d[8]
  kHalfMin32,    // f16 d[8], f16 m[8]: value = d code + m
  kE8M0,         // u8 e[8], an exponent
  kSix32,        // f16 d, u8 low[4] (nibbles of sub-blocks 2i, 2i+1), u8 high[2] (four pairs);
                 // scale = six bits - 32
  kSixMin32,     // f16 d, f16 dmin, u8 low[8] (nibbles: scale, minimum), u8 high[4] (pairs: scale
                 // and minimum of 2i, then of 2i+1)
  kByte16,       // f16 d, i8 s[16]
  kSix16,        // f16 d, u8 low[8], u8 high[4], as kSix32 for 16 sub-blocks of 16 columns
  kNibbleMin16,  // f16 d, f16 dmin, u8 s[16] (nibbles: scale, minimum)
  kOdd32,        // f16 d, u8 s[4] (nibbles of sub-blocks 2i, 2i+1); scale = 2 nibble + 1
  kOdd16,        // f16 d, u8 s[8], as kOdd32 for 16 sub-blocks of 16 columns
  kOddShift32,   // f16 d, u8 s[4] as kOdd32, with three bits of scale; value = scale code + m,
                 // m = scale / 8, less than 0 where the fourth bit is set
  kE4M3,         // u8 e[16], a float of 7 bits: exponent (bias 7), 3 of mantissa, none special
};

// What a code is: a number, or a place in a table of integers, which some types have in parts of a
// unit: eighths for IQ1 (a grid's -1, 0, 1 and a shift of 1/8) and IQ2, halves for IQ3_XXS.
enum class Codes : uint8_t { kPlain, kIq4, kE2M1, kIq1, kIq2, kIq3Xxs, kIq3S };
constexpr int8_t kCodeTable[][16] = {
    {},
    {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113},
    {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12},
    {-7, 1, 9, 0, -9, -1, 7},
    {8, 25, 43, 0, -8, -25, -43},
    {2, 6, 10, 14, 18, 22, 26, 31, -2, -6, -10, -14, -18, -22, -26, -31},
    {1, 3, 5, 7, 9, 11, 13, 15, -1, -3, -5, -7, -9, -11, -13, -15},
};

//  X(type, bits of a code, codes, offset, columns of a scale, scales)
#define BRAID_PACKED_TYPES(X)             \
  X(Q4_0, 4, kPlain, 8, 32, kHalf32)      \
  X(Q4_1, 4, kPlain, 0, 32, kHalfMin32)   \
  X(Q5_0, 5, kPlain, 16, 32, kHalf32)     \
  X(Q5_1, 5, kPlain, 0, 32, kHalfMin32)   \
  X(Q8_0, 8, kPlain, 128, 32, kHalf32)    \
  X(Q2_K, 2, kPlain, 0, 16, kNibbleMin16) \
  X(Q3_K, 3, kPlain, 4, 16, kSix16)       \
  X(Q4_K, 4, kPlain, 0, 32, kSixMin32)    \
  X(Q5_K, 5, kPlain, 0, 32, kSixMin32)    \
  X(Q6_K, 6, kPlain, 32, 16, kByte16)     \
  X(IQ4_NL, 4, kIq4, 0, 32, kHalf32)      \
  X(IQ4_XS, 4, kIq4, 0, 32, kSix32)       \
  X(IQ1_S, 2, kPlain, 1, 32, kOddShift32) \
  X(IQ1_M, 3, kIq1, 0, 16, kOdd16)        \
  X(IQ2_XXS, 3, kIq2, 0, 32, kOdd32)      \
  X(IQ2_XS, 3, kIq2, 0, 16, kOdd16)       \
  X(IQ2_S, 3, kIq2, 0, 16, kOdd16)        \
  X(IQ3_XXS, 4, kIq3Xxs, 0, 32, kOdd32)   \
  X(IQ3_S, 4, kIq3S, 0, 32, kOdd32)       \
  X(MXFP4, 4, kE2M1, 0, 32, kE8M0)        \
  X(NVFP4, 4, kE2M1, 0, 16, kE4M3)

enum class PackedType : uint8_t {
#define BRAID_ENUMERATOR(name, bits, codes, offset, cols, scales) name,
  BRAID_PACKED_TYPES(BRAID_ENUMERATOR)
#undef BRAID_ENUMERATOR
  // Not quantised: columns as they come, 16 rows side by side; inputs stay f32.
  kF32,
  kF16,
  kBF16
};
constexpr int kQuantisedTypes = static_cast<int>(PackedType::kF32);
constexpr int kPackedTypes = kQuantisedTypes + 3;

struct PackedInfo {
  int bits;
  Codes codes;
  int offset, scale_cols;
  Scales scales;

  constexpr int code_bytes() const { return 8 * 64 * bits; }
  constexpr int scale_bytes() const {
    constexpr int bytes[] = {256, 512, 128, 128, 256, 288, 224, 320, 96, 160, 96, 256};
    return bytes[static_cast<int>(scales)];
  }
  constexpr int record_bytes() const { return (code_bytes() + scale_bytes() + 63) / 64 * 64; }
  constexpr bool has_minimum() const {
    return scales == Scales::kHalfMin32 || scales == Scales::kSixMin32 ||
           scales == Scales::kNibbleMin16 || scales == Scales::kOddShift32;
  }
  // What d is multiplied with: the unit of the table.
  constexpr float unit() const {
    return codes == Codes::kIq1 || codes == Codes::kIq2 ? 0.125f
           : codes == Codes::kIq3Xxs                    ? 0.5f
                                                        : 1.0f;
  }
};

constexpr PackedInfo kPackedInfo[kQuantisedTypes] = {
#define BRAID_INFO(name, bits, codes, offset, cols, scales) \
  {bits, Codes::codes, offset, cols, Scales::scales},
    BRAID_PACKED_TYPES(BRAID_INFO)
#undef BRAID_INFO
};

// A tile of n quantised rows: for each sub-block of 32 columns
//
//   i8  q[n][32]          the integers
//   i32 less[n]           -128 times their sum: what an offset of 128 makes of them
//   f32 scale[n]          one of them in f32; the same for kScaleSubs sub-blocks,
//                         or half as many
//   f32 sum[n]            their sum times the scale
//   i32 less16[2][n]      as less and sum, for each half
//   f32 sum16[2][n]
//   i16 less4[n][4][2]    -128 times the sum of two columns and those four further on, of each 8;
//                         only sets that add products in 16 bits write it and read it
//
// and room up to a multiple of 16 bytes: with 76 a row one thread decoded 4% more slowly on
// AVX-512.
constexpr int kTileBytes = 80;  // of a row and a sub-block
static_assert(kTileBytes >= 32 + 4 + 4 + 4 + 8 + 8 + 16);

// Bytes of weights ahead of those at work that are asked for: without it the hardware's prefetchers
// fall behind, and memory gives half of what it has.
constexpr int kWeightsAhead = 7 << 10;

// Floats ahead of those that are quantised which are asked for: rows come one after the other, and
// without it a core waits for each of their lines.
constexpr int kInputsAhead = 1024;

struct TileView {
  const int8_t* q;
  const int32_t* less;
  const float *scale, *sum;
  const int32_t* less16;
  const float* sum16;
  const int16_t* less4;
};

[[gnu::always_inline]] inline TileView tile_view(const uint8_t* sub_block, int n) {
  const uint8_t* p = sub_block + 32 * n;
  return {reinterpret_cast<const int8_t*>(sub_block),   reinterpret_cast<const int32_t*>(p),
          reinterpret_cast<const float*>(p + 4 * n),    reinterpret_cast<const float*>(p + 8 * n),
          reinterpret_cast<const int32_t*>(p + 12 * n), reinterpret_cast<const float*>(p + 20 * n),
          reinterpret_cast<const int16_t*>(p + 28 * n)};
}

// Row y of a sub-block of n rows from row y0 of one of n0 rows, but for less4.
[[gnu::always_inline]] inline void copy_sub_block(const TileView& a, int n0, int y0,
                                                  const TileView& b, int n, int y) {
  memcpy(const_cast<int8_t*>(b.q) + 32 * y, a.q + 32 * y0, 32);
  const_cast<int32_t*>(b.less)[y] = a.less[y0];
  const_cast<float*>(b.scale)[y] = a.scale[y0];
  const_cast<float*>(b.sum)[y] = a.sum[y0];
  for (int h = 0; h < 2; ++h) {
    const_cast<int32_t*>(b.less16)[h * n + y] = a.less16[h * n0 + y0];
    const_cast<float*>(b.sum16)[h * n + y] = a.sum16[h * n0 + y0];
  }
}

// What a thread reads lies in order up to `end`, and goes on `jump` bytes further there. Asking
// beyond the end instead would read a few KiB that nobody needs, and wait for the first that are
// needed.
struct Course {
  const uint8_t* end;
  int64_t jump;

  [[gnu::always_inline]] const uint8_t* place(const uint8_t* at) const {
    return at < end ? at : at + jump;
  }
};

// out[y * stride + r] = row r of the strip times row y of the tile. `groups` is the number of
// sub-blocks for a quantised strip and of columns for others.
using StripProduct = void (*)(const uint8_t* strip, int64_t groups, const void* tile, float* out,
                              int64_t stride, const Course& course);

}  // namespace braid
