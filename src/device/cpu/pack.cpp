#include "device/cpu/pack.h"

#include "base/check.h"
#include "quant/iq4_nl.h"
#include "quant/iq4_xs.h"
#include "quant/mxfp4.h"
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
namespace {

// Where a row puts the scales of a record; the offsets are those of kernels/packed.h.
struct ScaleSlot {
  std::byte* base;
  int row;

  void half(int at, uint16_t bits) const { std::memcpy(base + at + 2 * row, &bits, 2); }
  void byte(int at, int value) const { base[at + row] = static_cast<std::byte>(value); }
  void add(int at, int bits) const { base[at + row] |= static_cast<std::byte>(bits); }
  // A six-bit scale in planes of nibbles and of pairs.
  void six(int i, int value, int low, int high) const {
    add(low + i / 2 * 16, (value & 15) << (i % 2 * 4));
    add(high + i / 4 * 16, (value >> 4) << (i % 4 * 2));
  }
};

// Codes of a block, one to a byte, and its scales. `i` is the block's place among those of its size
// in the record.
void take(const Block<DType::Q4_0>& b, int i, uint8_t* code, const ScaleSlot& s) {
  for (int j = 0; j < 16; ++j) code[j] = b.q[j] & 15, code[16 + j] = b.q[j] >> 4;
  s.half(32 * i, b.d);
}
void take(const Block<DType::Q4_1>& b, int i, uint8_t* code, const ScaleSlot& s) {
  for (int j = 0; j < 16; ++j) code[j] = b.q[j] & 15, code[16 + j] = b.q[j] >> 4;
  s.half(32 * i, b.d);
  s.half(256 + 32 * i, b.m);
}
void take(const Block<DType::IQ4_NL>& b, int i, uint8_t* code, const ScaleSlot& s) {
  for (int j = 0; j < 16; ++j) code[j] = b.q[j] & 15, code[16 + j] = b.q[j] >> 4;
  s.half(32 * i, b.d);
}
void take(const Block<DType::MXFP4>& b, int i, uint8_t* code, const ScaleSlot& s) {
  for (int j = 0; j < 16; ++j) code[j] = b.q[j] & 15, code[16 + j] = b.q[j] >> 4;
  s.byte(16 * i, b.e);
}
void five(const uint8_t (&low)[16], const uint8_t (&high)[4], uint8_t* code) {
  for (int j = 0; j < 32; ++j) {
    const int nibble = j < 16 ? low[j] & 15 : low[j - 16] >> 4;
    code[j] = static_cast<uint8_t>(nibble | (high[j / 8] >> (j % 8) & 1) << 4);
  }
}
void take(const Block<DType::Q5_0>& b, int i, uint8_t* code, const ScaleSlot& s) {
  five(b.low, b.high, code);
  s.half(32 * i, b.d);
}
void take(const Block<DType::Q5_1>& b, int i, uint8_t* code, const ScaleSlot& s) {
  five(b.low, b.high, code);
  s.half(32 * i, b.d);
  s.half(256 + 32 * i, b.m);
}
void take(const Block<DType::Q8_0>& b, int i, uint8_t* code, const ScaleSlot& s) {
  for (int j = 0; j < 32; ++j) code[j] = static_cast<uint8_t>(b.q[j] + 128);
  s.half(32 * i, b.d);
}

void six_min_scales(const uint8_t (&sc)[12], uint16_t d, uint16_t dmin, const ScaleSlot& s) {
  s.half(0, d);
  s.half(32, dmin);
  for (int t = 0; t < 8; ++t) {
    const ScaleMin sm = k_scale_min(sc, t);
    s.byte(64 + 16 * t, (sm.scale & 15) | (sm.min & 15) << 4);
    s.add(192 + t / 2 * 16, (sm.scale >> 4 | sm.min >> 4 << 2) << (t % 2 * 4));
  }
}
void take(const Block<DType::Q4_K>& b, int, uint8_t* code, const ScaleSlot& s) {
  for (int p = 0; p < 4; ++p)
    for (int l = 0; l < 32; ++l) {
      code[64 * p + l] = b.q[32 * p + l] & 15;
      code[64 * p + 32 + l] = b.q[32 * p + l] >> 4;
    }
  six_min_scales(b.sc, b.d, b.dmin, s);
}
void take(const Block<DType::Q5_K>& b, int, uint8_t* code, const ScaleSlot& s) {
  for (int p = 0; p < 4; ++p)
    for (int l = 0; l < 32; ++l) {
      const int low = b.low[32 * p + l], high = b.high[l] >> (2 * p);
      code[64 * p + l] = static_cast<uint8_t>((low & 15) | (high & 1) << 4);
      code[64 * p + 32 + l] = static_cast<uint8_t>(low >> 4 | (high >> 1 & 1) << 4);
    }
  six_min_scales(b.sc, b.d, b.dmin, s);
}
void take(const Block<DType::Q6_K>& b, int, uint8_t* code, const ScaleSlot& s) {
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
void take(const Block<DType::Q2_K>& b, int, uint8_t* code, const ScaleSlot& s) {
  for (int half = 0; half < 2; ++half)
    for (int part = 0; part < 4; ++part)
      for (int l = 0; l < 32; ++l)
        code[128 * half + 32 * part + l] = b.q[32 * half + l] >> (2 * part) & 3;
  s.half(0, b.d);
  s.half(32, b.dmin);
  for (int t = 0; t < 16; ++t) s.byte(64 + 16 * t, b.sc[t]);
}
void take(const Block<DType::Q3_K>& b, int, uint8_t* code, const ScaleSlot& s) {
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
void take(const Block<DType::IQ4_XS>& b, int, uint8_t* code, const ScaleSlot& s) {
  for (int t = 0; t < 8; ++t)
    for (int j = 0; j < 16; ++j) {
      code[32 * t + j] = b.q[16 * t + j] & 15;
      code[32 * t + 16 + j] = b.q[16 * t + j] >> 4;
    }
  s.half(0, b.d);
  for (int t = 0; t < 8; ++t) s.six(t, b.scale(t) + 32, 32, 96);
}

uint32_t word(const uint8_t* code) {
  uint32_t w;
  std::memcpy(&w, code, 4);
  return w;
}

// Spreads the codes of `subs` sub-blocks of row r over the lines of a record.
template <int bits>
void spread(const uint8_t* code, int subs, int r, std::byte* record) {
  for (int s = 0; s < subs; ++s, code += kSubCols, record += 64 * bits) {
    const auto put = [&](int line, uint32_t w) { std::memcpy(record + 64 * line + 4 * r, &w, 4); };
    if constexpr (bits == 8)
      for (int g = 0; g < 8; ++g) put(g, word(code + 4 * g));
    if constexpr (bits == 4 || bits == 5 || bits == 6)
      for (int j = 0; j < 4; ++j)
        put(j, (word(code + 4 * j) & 0x0f0f0f0f) | (word(code + 16 + 4 * j) & 0x0f0f0f0f) << 4);
    if constexpr (bits == 2 || bits == 3 || bits == 6)
      for (int h = 0; h < 2; ++h) {
        uint32_t pairs = 0;
        for (int i = 0; i < 4; ++i)
          pairs |= (word(code + 16 * h + 4 * i) >> (bits == 6 ? 4 : 0) & 0x03030303) << (2 * i);
        put(h + (bits == 6 ? 4 : 0), pairs);
      }
    if constexpr (bits == 3 || bits == 5) {
      uint32_t ones = 0;
      for (int g = 0; g < 8; ++g)
        ones |= (word(code + 4 * g) >> (bits == 3 ? 2 : 4) & 0x01010101) << g;
      put(bits == 3 ? 2 : 4, ones);
    }
  }
}

template <DType T, PackedType P>
void pack_quantised(int64_t cols, const std::byte* const* rows, std::byte* to) {
  constexpr PackedInfo packed = kPackedInfo[static_cast<int>(P)];
  const int block = info(T).block;
  uint8_t code[kRecordCols];
  for (int r = 0; r < kStripRows; ++r) {
    const std::byte* from = rows[r];
    if (!from) continue;
    std::byte* record = to;
    for (int64_t done = 0; done < cols; done += kRecordCols, record += packed.record_bytes()) {
      const int here = static_cast<int>(std::min<int64_t>(kRecordCols, cols - done));
      const ScaleSlot slot{record + packed.code_bytes(), r};
      for (int i = 0; i < here / block; ++i, from += sizeof(Block<T>)) {
        Block<T> b;  // a copy, since the row may lie anywhere
        std::memcpy(&b, from, sizeof b);
        take(b, i, code + i * block, slot);
      }
      spread<packed.bits>(code, here / kSubCols, r, record);
    }
  }
}

template <class Word>
void interleave(int64_t cols, int r, const Word* row, std::byte* to) {
  for (int64_t k = 0; k < cols; ++k)
    std::memcpy(to + (k * kStripRows + r) * static_cast<int64_t>(sizeof(Word)), row + k,
                sizeof(Word));
}

void pack_floats(DType from, PackedType type, int64_t cols, const std::byte* const* rows,
                 std::byte* to) {
  std::vector<float> values(static_cast<size_t>(cols));
  std::vector<uint16_t> halves(static_cast<size_t>(cols));
  for (int r = 0; r < kStripRows; ++r) {
    if (!rows[r]) continue;
    if (type == PackedType::kF32) {
      decode_row(from, rows[r], cols, values.data());
      interleave(cols, r, values.data(), to);
    } else if (from == DType::F32) {  // proved to hold bf16 values: the upper halves
      std::memcpy(values.data(), rows[r], sizeof(float) * values.size());
      for (size_t k = 0; k < halves.size(); ++k)
        halves[k] = static_cast<uint16_t>(std::bit_cast<uint32_t>(values[k]) >> 16);
      interleave(cols, r, halves.data(), to);
    } else {
      std::memcpy(halves.data(), rows[r], sizeof(uint16_t) * halves.size());
      interleave(cols, r, halves.data(), to);
    }
  }
}

bool all_bf16(const FileMatrix& m) {
  for (const RowRun& run : m.runs) {
    const int64_t n = run.rows * m.cols;
    for (int64_t i = 0; i < n; ++i) {
      uint16_t low;
      std::memcpy(&low, run.data + 4 * i, 2);
      if (low != 0) return false;
    }
  }
  return true;
}

// Null pointers count as rows of zeros.
void pack_strip(DType from, PackedType type, int64_t cols, const std::byte* const* rows,
                std::byte* to) {
  switch (type) {
#define BRAID_PACK(name, ...) \
  case PackedType::name:      \
    return pack_quantised<DType::name, PackedType::name>(cols, rows, to);
    BRAID_PACKED_TYPES(BRAID_PACK)
#undef BRAID_PACK
    case PackedType::kF32:
    case PackedType::kF16:
    case PackedType::kBF16:
      return pack_floats(from, type, cols, rows, to);
  }
  CHECK_THAT(false, "{} is no packed type", static_cast<int>(type));
}

}  // namespace

std::optional<PackedType> packed_type(const FileMatrix& matrix) {
  switch (matrix.dtype) {
#define BRAID_SAME(name, ...) \
  case DType::name:           \
    return PackedType::name;
    BRAID_PACKED_TYPES(BRAID_SAME)
#undef BRAID_SAME
    case DType::F32:
      return all_bf16(matrix) ? PackedType::kBF16 : PackedType::kF32;
    case DType::F16:
      return PackedType::kF16;
    case DType::BF16:
      return PackedType::kBF16;
    default:
      return std::nullopt;
  }
}

size_t strip_bytes(PackedType type, int64_t cols) {
  if (type == PackedType::kF32) return static_cast<size_t>(cols) * 4 * kStripRows;
  if (static_cast<int>(type) > kQuantisedTypes) return static_cast<size_t>(cols) * 2 * kStripRows;
  const auto records = static_cast<size_t>((cols + kRecordCols - 1) / kRecordCols);
  return records * static_cast<size_t>(kPackedInfo[static_cast<int>(type)].record_bytes());
}

void pack_strips(const Matrix& m, int64_t begin, int64_t end, std::byte* to) {
  for (int64_t s = begin; s < end; ++s) {
    const std::byte* rows[kStripRows];
    strip_rows(m, s, rows);
    pack_strip(m.file.dtype, *m.type, m.cols(), rows,
               to + static_cast<size_t>(s - begin) * m.strip_bytes);
  }
}

}  // namespace braid::cpu
