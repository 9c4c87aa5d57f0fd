// How the part of a page that one head has lies in the CPU's memory: kKvPage positions of keys, or
// of values, in as many bytes as their rows have, in the order that products read them.
//
// Products take 16-bit words in pairs, one for each 32-bit lane (attention_words.h), and bytes in
// fours, of which one shift leaves the first pair in the high halves of words, and one mask the
// second: so a four lies in the order 0, 2, 1, 3.
//
//   keys of 16 bits     [2][dim][32 positions]
//   keys of q8_0        [2][dim/4][32 positions][4 dimensions], then scales
//   values of 16 bits   [dim/32][64 positions][32 dimensions], the last block as wide as is left
//   values of q8_0      [dim/32][16][32 dimensions][4 positions], then scales
//   scales              f16 [dim/32][64 positions]
//   f32                 rows
//
// Chosen so that a tile of 32 positions of keys, or of 32 dimensions of values, is one stretch of
// memory and needs no shuffles. Rows cross the seam as their type has them (kv_rows.h, kv_pages.h).
#pragma once

#include <stdint.h>

namespace braid {

constexpr int kKvPage = 64;
constexpr int kKvTile = 32;  // positions of keys, dimensions of values
constexpr int kKvFour = 4;
constexpr int kQ8Block = 32, kQ8Bytes = 34;  // of a row: an f16 scale and 32 signed bytes

// Places in a part, in units of the type's elements.
namespace kv_at {
[[gnu::always_inline]] constexpr int64_t in_four(int64_t i) {
  return i / kKvFour * kKvFour + (i % 2) * 2 + i % kKvFour / 2;
}
[[gnu::always_inline]] constexpr int64_t key_word(int64_t dim, int64_t position, int64_t d) {
  return (position / kKvTile * dim + d) * kKvTile + position % kKvTile;
}
[[gnu::always_inline]] constexpr int64_t key_byte(int64_t dim, int64_t position, int64_t d) {
  return position / kKvTile * kKvTile * dim + d / kKvFour * kKvTile * kKvFour +
         position % kKvTile * kKvFour + in_four(d % kKvFour);
}
[[gnu::always_inline]] constexpr int64_t value_byte(int64_t position, int64_t d) {
  return d / kKvTile * kKvTile * kKvPage + position / kKvFour * kKvTile * kKvFour +
         d % kKvTile * kKvFour + in_four(position % kKvFour);
}
[[gnu::always_inline]] constexpr int64_t value_word(int64_t dim, int64_t position, int64_t d) {
  const int64_t from = d / kKvTile * kKvTile, width = dim - from < kKvTile ? dim - from : kKvTile;
  return from * kKvPage + position * width + d - from;
}
// Of the scale of block b, from the part's start, in bytes.
[[gnu::always_inline]] constexpr int64_t scale(int64_t dim, int64_t position, int64_t b) {
  return kKvPage * dim + 2 * (b * kKvPage + position);
}
}  // namespace kv_at

}  // namespace braid
