// The two tables of 16 values into which 4-bit codes point. The formats define the numbers.
#pragma once

#include <cstdint>

namespace braid {

// IQ4_NL and IQ4_XS.
inline constexpr int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                          1,    13,   25,  38,  53,  69,  89,  113};

// MXFP4 and NVFP4: E2M1 (sign 1, exponent 2, mantissa 1) times 2, which makes integers of them; the
// block scales are halved in turn. Code 8, minus zero, is plus zero.
inline constexpr int8_t kE2M1Doubled[16] = {0, 1,  2,  3,  4,  6,  8,  12,
                                            0, -1, -2, -3, -4, -6, -8, -12};

}  // namespace braid
