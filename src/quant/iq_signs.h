// Signs of the codebook types: bit i of a sign byte set means that weight i of a group of 8 is
// negative.
//
// IQ2_XXS, IQ2_XS and IQ3_XXS store 7 of the 8 bits; the eighth makes their number even.
// IQ2_XXS and IQ3_XXS keep the signs of 32 weights and their scale in one word:
//
//   bits  31..28   27..21   20..14   13..7    6..0
//         scale    signs 3  signs 2  signs 1  signs 0      (of the groups of 8)
#pragma once

#include <bit>
#include <cstdint>

namespace braid {

inline uint8_t signs_from_code(uint32_t code) {  // 7 bits
  return static_cast<uint8_t>(code | (std::popcount(code) & 1u) << 7);
}

struct SignsAndScale {
  uint32_t word;

  uint8_t signs(int group) const { return signs_from_code((word >> (7 * group)) & 127u); }
  int scale() const { return static_cast<int>(word >> 28); }
};

inline float with_sign(float magnitude, uint8_t signs, int i) {
  return ((signs >> i) & 1) != 0 ? -magnitude : magnitude;
}

}  // namespace braid
