// A block of a file as a row of the strips has it: its codes, one to a byte, and its scales in
// their places (kernels/packed.h). For pack.cpp alone.
#pragma once

#include "quant/iq1_m.h"
#include "quant/iq1_s.h"
#include "quant/iq2_s.h"
#include "quant/iq2_xs.h"
#include "quant/iq2_xxs.h"
#include "quant/iq3_s.h"
#include "quant/iq3_xxs.h"
#include "quant/iq4_nl.h"
#include "quant/iq4_xs.h"
#include "quant/mxfp4.h"
#include "quant/nvfp4.h"
#include "quant/q2_k.h"
#include "quant/q3_k.h"
#include "quant/q4_0.h"
#include "quant/q4_1.h"
#include "quant/q4_k.h"
#include "quant/q5_0.h"
#include "quant/q5_1.h"
#include "quant/q5_k.h"
#include "quant/q6_k.h"
#include "quant/q8_0.h"

#include <cstring>

namespace braid::cpu {

// Where a row puts the scales of a record; the offsets are those of kernels/packed.h.
struct ScaleSlot {
  std::byte* base;
  int row;

  void half(int at, uint16_t bits) const { std::memcpy(base + at + 2 * row, &bits, 2); }
  void byte(int at, int value) const { base[at + row] = static_cast<std::byte>(value); }
  void add(int at, int bits) const { base[at + row] |= static_cast<std::byte>(bits); }
  // Scale i of four bits.
  void nibble(int i, int value, int at) const { add(at + i / 2 * 16, value << (i % 2 * 4)); }
  // A six-bit scale in planes of nibbles and of pairs.
  void six(int i, int value, int low, int high) const {
    add(low + i / 2 * 16, (value & 15) << (i % 2 * 4));
    add(high + i / 4 * 16, (value >> 4) << (i % 4 * 2));
  }
};

// Codes of a block, one to a byte, and its scales. `i` is the block's place among those of its size
// in the record.
inline void take(const Block<DType::Q4_0>& b, int i, uint8_t* code, const ScaleSlot& s) {
  for (int j = 0; j < 16; ++j) code[j] = b.q[j] & 15, code[16 + j] = b.q[j] >> 4;
  s.half(32 * i, b.d);
}
inline void take(const Block<DType::Q4_1>& b, int i, uint8_t* code, const ScaleSlot& s) {
  for (int j = 0; j < 16; ++j) code[j] = b.q[j] & 15, code[16 + j] = b.q[j] >> 4;
  s.half(32 * i, b.d);
  s.half(256 + 32 * i, b.m);
}
inline void take(const Block<DType::IQ4_NL>& b, int i, uint8_t* code, const ScaleSlot& s) {
  for (int j = 0; j < 16; ++j) code[j] = b.q[j] & 15, code[16 + j] = b.q[j] >> 4;
  s.half(32 * i, b.d);
}
inline void take(const Block<DType::MXFP4>& b, int i, uint8_t* code, const ScaleSlot& s) {
  for (int j = 0; j < 16; ++j) code[j] = b.q[j] & 15, code[16 + j] = b.q[j] >> 4;
  s.byte(16 * i, b.e);
}
inline void five(const uint8_t (&low)[16], const uint8_t (&high)[4], uint8_t* code) {
  for (int j = 0; j < 32; ++j) {
    const int nibble = j < 16 ? low[j] & 15 : low[j - 16] >> 4;
    code[j] = static_cast<uint8_t>(nibble | (high[j / 8] >> (j % 8) & 1) << 4);
  }
}
inline void take(const Block<DType::Q5_0>& b, int i, uint8_t* code, const ScaleSlot& s) {
  five(b.low, b.high, code);
  s.half(32 * i, b.d);
}
inline void take(const Block<DType::Q5_1>& b, int i, uint8_t* code, const ScaleSlot& s) {
  five(b.low, b.high, code);
  s.half(32 * i, b.d);
  s.half(256 + 32 * i, b.m);
}
inline void take(const Block<DType::Q8_0>& b, int i, uint8_t* code, const ScaleSlot& s) {
  for (int j = 0; j < 32; ++j) code[j] = static_cast<uint8_t>(b.q[j] + 128);
  s.half(32 * i, b.d);
}

inline void six_min_scales(const uint8_t (&sc)[12], uint16_t d, uint16_t dmin, const ScaleSlot& s) {
  s.half(0, d);
  s.half(32, dmin);
  for (int t = 0; t < 8; ++t) {
    const ScaleMin sm = k_scale_min(sc, t);
    s.byte(64 + 16 * t, (sm.scale & 15) | (sm.min & 15) << 4);
    s.add(192 + t / 2 * 16, (sm.scale >> 4 | sm.min >> 4 << 2) << (t % 2 * 4));
  }
}
inline void take(const Block<DType::Q4_K>& b, int, uint8_t* code, const ScaleSlot& s) {
  for (int p = 0; p < 4; ++p)
    for (int l = 0; l < 32; ++l) {
      code[64 * p + l] = b.q[32 * p + l] & 15;
      code[64 * p + 32 + l] = b.q[32 * p + l] >> 4;
    }
  six_min_scales(b.sc, b.d, b.dmin, s);
}
inline void take(const Block<DType::Q5_K>& b, int, uint8_t* code, const ScaleSlot& s) {
  for (int p = 0; p < 4; ++p)
    for (int l = 0; l < 32; ++l) {
      const int low = b.low[32 * p + l], high = b.high[l] >> (2 * p);
      code[64 * p + l] = static_cast<uint8_t>((low & 15) | (high & 1) << 4);
      code[64 * p + 32 + l] = static_cast<uint8_t>(low >> 4 | (high >> 1 & 1) << 4);
    }
  six_min_scales(b.sc, b.d, b.dmin, s);
}
inline void take(const Block<DType::Q6_K>& b, int, uint8_t* code, const ScaleSlot& s) {
  for (int half = 0; half < 2; ++half)
    for (int part = 0; part < 4; ++part)
      for (int l = 0; l < 32; ++l) {
        const int low = b.low[64 * half + 32 * (part % 2) + l] >> (4 * (part / 2));
        const int high = b.high[32 * half + l] >> (2 * part);
        code[128 * half + 32 * part + l] = static_cast<uint8_t>((low & 15) | (high & 3) << 4);
      }
  s.half(0, b.d);
  for (int t = 0; t < 16; ++t) s.byte(32 + 16 * t, b.sc[t]);
}
inline void take(const Block<DType::Q2_K>& b, int, uint8_t* code, const ScaleSlot& s) {
  for (int half = 0; half < 2; ++half)
    for (int part = 0; part < 4; ++part)
      for (int l = 0; l < 32; ++l)
        code[128 * half + 32 * part + l] = b.q[32 * half + l] >> (2 * part) & 3;
  s.half(0, b.d);
  s.half(32, b.dmin);
  for (int t = 0; t < 16; ++t) s.byte(64 + 16 * t, b.sc[t]);
}
inline void take(const Block<DType::Q3_K>& b, int, uint8_t* code, const ScaleSlot& s) {
  for (int half = 0; half < 2; ++half)
    for (int part = 0; part < 4; ++part)
      for (int l = 0; l < 32; ++l) {
        const int low = b.low[32 * half + l] >> (2 * part) & 3;
        const int high = b.high[l] >> (4 * half + part) & 1;
        code[128 * half + 32 * part + l] = static_cast<uint8_t>(low | high << 2);
      }
  s.half(0, b.d);
  for (int t = 0; t < 16; ++t) s.six(t, b.scale(t) + 32, 32, 160);
}
inline void take(const Block<DType::IQ4_XS>& b, int, uint8_t* code, const ScaleSlot& s) {
  for (int t = 0; t < 8; ++t)
    for (int j = 0; j < 16; ++j) {
      code[32 * t + j] = b.q[16 * t + j] & 15;
      code[32 * t + 16 + j] = b.q[16 * t + j] >> 4;
    }
  s.half(0, b.d);
  for (int t = 0; t < 8; ++t) s.six(t, b.scale(t) + 32, 32, 96);
}

// Code j of an entry of a grid of groups of 8, and of 4.
inline int of_eight(uint16_t entry, int j) { return entry >> (2 * j) & 3; }
inline int of_four(uint16_t entry, int j) { return entry >> (3 * j) & 7; }
inline int sign_of(uint8_t signs, int j) { return signs >> j & 1; }

inline void take(const Block<DType::IQ1_S>& b, int, uint8_t* code, const ScaleSlot& s) {
  for (int k = 0; k < 256; ++k)
    code[k] = static_cast<uint8_t>(of_eight(kIq1Grid[b.index(k / 8)], k % 8));
  s.half(0, b.d);
  for (int t = 0; t < 8; ++t) s.nibble(t, b.high[t] >> 12, 32);
}
inline void take(const Block<DType::IQ1_M>& b, int, uint8_t* code, const ScaleSlot& s) {
  for (int k = 0; k < 256; ++k) {
    const int high = b.high_nibble(k / 8);
    const uint16_t entry = kIq1Grid[b.low[k / 8] | (high & 7) << 8];
    code[k] = static_cast<uint8_t>(of_eight(entry, k % 8) | high >> 3 << 2);
  }
  s.half(0, b.d());
  for (int t = 0; t < 16; ++t) s.nibble(t, b.scale(t), 32);
}
inline void take(const Block<DType::IQ2_XXS>& b, int, uint8_t* code, const ScaleSlot& s) {
  s.half(0, b.d);
  for (int t = 0; t < 8; ++t, code += 32) {
    const SignsAndScale word = b.signs_and_scale(t);
    for (int j = 0; j < 32; ++j)
      code[j] = static_cast<uint8_t>(of_eight(kIq2XxsGrid[b.index(t, j / 8)], j % 8) |
                                     sign_of(word.signs(j / 8), j % 8) << 2);
    s.nibble(t, word.scale(), 32);
  }
}
inline void take(const Block<DType::IQ2_XS>& b, int, uint8_t* code, const ScaleSlot& s) {
  for (int k = 0; k < 256; ++k)
    code[k] = static_cast<uint8_t>(of_eight(kIq2XsGrid[b.q[k / 8] & 511], k % 8) |
                                   sign_of(signs_from_code(b.q[k / 8] >> 9), k % 8) << 2);
  s.half(0, b.d);
  for (int t = 0; t < 16; ++t) s.nibble(t, b.sc[t / 2] >> (t % 2 * 4) & 15, 32);
}
inline void take(const Block<DType::IQ2_S>& b, int, uint8_t* code, const ScaleSlot& s) {
  for (int k = 0; k < 256; ++k)
    code[k] = static_cast<uint8_t>(of_eight(kIq2SGrid[b.index(k / 8)], k % 8) |
                                   sign_of(b.sign[k / 8], k % 8) << 2);
  s.half(0, b.d);
  for (int t = 0; t < 16; ++t) s.nibble(t, b.sc[t / 2] >> (t % 2 * 4) & 15, 32);
}
inline void take(const Block<DType::IQ3_XXS>& b, int, uint8_t* code, const ScaleSlot& s) {
  s.half(0, b.d);
  for (int t = 0; t < 8; ++t, code += 32) {
    const SignsAndScale word = b.signs_and_scale(t);
    for (int j = 0; j < 32; ++j)
      code[j] = static_cast<uint8_t>(of_four(kIq3XxsGrid[b.q[8 * t + j / 4]], j % 4) |
                                     sign_of(word.signs(j / 8), j % 8) << 3);
    s.nibble(t, word.scale(), 32);
  }
}
inline void take(const Block<DType::IQ3_S>& b, int, uint8_t* code, const ScaleSlot& s) {
  for (int k = 0; k < 256; ++k)
    code[k] = static_cast<uint8_t>(of_four(kIq3SGrid[b.index(k / 4)], k % 4) |
                                   sign_of(b.sign[k / 8], k % 8) << 3);
  s.half(0, b.d);
  for (int t = 0; t < 8; ++t) s.nibble(t, b.sc[t / 2] >> (t % 2 * 4) & 15, 32);
}
inline void take(const Block<DType::NVFP4>& b, int i, uint8_t* code, const ScaleSlot& s) {
  for (int t = 0; t < 4; ++t) {
    for (int j = 0; j < 8; ++j) {
      code[16 * t + j] = b.q[8 * t + j] & 15;
      code[16 * t + 8 + j] = b.q[8 * t + j] >> 4;
    }
    // The one code of 7 bits that is special means 0; as 8 bits it is a number.
    s.byte(16 * (4 * i + t), b.s[t] == 0x7f ? 0 : b.s[t] & 0x7f);
  }
}

}  // namespace braid::cpu
