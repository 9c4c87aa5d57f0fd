#include "device/cpu/pack.h"

#include "base/check.h"
#include "device/cpu/pack_blocks.h"

#include <cstring>

namespace braid::cpu {
namespace {

constexpr double kRecordWeights = kStripRows * kRecordCols;

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
    if constexpr (bits == 3)
      for (int j = 0; j < 3; ++j) {
        const auto last = [&](int g) { return word(code + 4 * g) >> j & 0x01010101; };
        put(j, word(code + 8 * j) | word(code + 8 * j + 4) << 4 | last(6) << 3 | last(7) << 7);
      }
    if constexpr (bits == 2 || bits == 6)
      for (int h = 0; h < 2; ++h) {
        uint32_t pairs = 0;
        for (int i = 0; i < 4; ++i)
          pairs |= (word(code + 16 * h + 4 * i) >> (bits == 6 ? 4 : 0) & 0x03030303) << (2 * i);
        put(h + (bits == 6 ? 4 : 0), pairs);
      }
    if constexpr (bits == 5) {
      uint32_t ones = 0;
      for (int g = 0; g < 8; ++g) ones |= (word(code + 4 * g) >> 4 & 0x01010101) << g;
      put(4, ones);
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

PackedType packed_type(const FileMatrix& matrix) {
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
    case DType::I8:
    case DType::I16:
    case DType::I32:
    case DType::I64:
    case DType::F64:
      break;
  }
  CHECK_THAT(false, "{} holds no weights", info(matrix.dtype).name);
}

size_t strip_bytes(PackedType type, int64_t cols) {
  if (type == PackedType::kF32) return static_cast<size_t>(cols) * 4 * kStripRows;
  if (static_cast<int>(type) > kQuantisedTypes) return static_cast<size_t>(cols) * 2 * kStripRows;
  const auto records = static_cast<size_t>((cols + kRecordCols - 1) / kRecordCols);
  return records * static_cast<size_t>(kPackedInfo[static_cast<int>(type)].record_bytes());
}

double packed_bits(DType type) {
  switch (type) {
#define BRAID_BITS(name, ...) \
  case DType::name:           \
    return 8.0 * kPackedInfo[static_cast<int>(PackedType::name)].record_bytes() / kRecordWeights;
    BRAID_PACKED_TYPES(BRAID_BITS)
#undef BRAID_BITS
    default:
      return 8.0 * info(type).block_bytes / info(type).block;
  }
}

void pack_strips(const Matrix& m, int64_t begin, int64_t end, std::byte* to) {
  for (int64_t s = begin; s < end; ++s) {
    const std::byte* rows[kStripRows];
    strip_rows(m, s, rows);
    pack_strip(m.file.dtype, m.type, m.cols(), rows,
               to + static_cast<size_t>(s - begin) * m.strip_bytes);
  }
}

}  // namespace braid::cpu
