// The grids of the codebook types: which combinations of values a group of 8 (or 4) weights may
// have. The formats define them; scripts/make_iq_grids.py makes iq_grids.cpp.
//
// An entry packs the codes of its group, the first weight's in the lowest bits: 8 codes of 2 bits,
// or 4 of 3 bits. The functions below give the value of weight i of an entry.
#pragma once

#include <cstdint>

namespace braid {

extern const uint16_t kIq2XxsGrid[256];
extern const uint16_t kIq2XsGrid[512];
extern const uint16_t kIq2SGrid[1024];
extern const uint16_t kIq3XxsGrid[256];
extern const uint16_t kIq3SGrid[512];
extern const uint16_t kIq1Grid[2048];  // IQ1_S and IQ1_M

// IQ2_*, i = 0..7; no entry has code 3.
inline int iq2_value(uint16_t entry, int i) {
  constexpr int kValues[4] = {8, 25, 43, 0};
  return kValues[(entry >> (2 * i)) & 3];
}
// IQ3_XXS, i = 0..3
inline int iq3_xxs_value(uint16_t entry, int i) {
  constexpr int kValues[8] = {4, 12, 20, 28, 36, 44, 52, 62};
  return kValues[(entry >> (3 * i)) & 7];
}
// IQ3_S, i = 0..3: 1, 3, .. 15
inline int iq3_s_value(uint16_t entry, int i) { return 2 * ((entry >> (3 * i)) & 7) + 1; }
// IQ1_*, i = 0..7: -1, 0 or 1
inline int iq1_value(uint16_t entry, int i) { return ((entry >> (2 * i)) & 3) - 1; }

}  // namespace braid
