// The cache in each of its types: rows rounded into a page, and vectors of what lies there.
#pragma once

#include "device/cpu/kernels/kernels.h"
#include "device/cpu/kernels/kv_layout.h"
#include "device/cpu/simd/simd.h"

namespace braid::BRAID_ISA {
namespace {

[[gnu::always_inline]] inline int64_t kv_part_bytes(KvType type, int64_t dim) {
  switch (type) {
    case KvType::kF32:
      return 4 * dim * kKvPage;
    case KvType::kQ8_0:
      return dim / kQ8Block * kQ8Bytes * kKvPage;
    default:
      return 2 * dim * kKvPage;
  }
}

// Types of 16 bits.
struct KvF16 {
  [[gnu::always_inline]] static V load(const uint16_t* p) { return load_f16(p); }
  [[gnu::always_inline]] static void store(uint16_t* p, V a) { store_f16(p, a); }
  [[gnu::always_inline]] static float value(uint16_t bits) { return f16_value(bits); }
};
struct KvBF16 {
  [[gnu::always_inline]] static V load(const uint16_t* p) { return load_bf16(p); }
  [[gnu::always_inline]] static void store(uint16_t* p, V a) { store_bf16(p, a); }
  [[gnu::always_inline]] static float value(uint16_t bits) {
    const uint32_t wide = static_cast<uint32_t>(bits) << 16;
    float x;
    __builtin_memcpy(&x, &wide, sizeof x);
    return x;
  }
};

// Rows are rounded this many numbers at a time, on their way to a page.
constexpr int kKvPiece = kKvTile;

void store_float_row(const float* x, int dim, int position, void* part) {
  __builtin_memcpy(static_cast<float*>(part) + static_cast<int64_t>(position) * dim, x,
                   sizeof(float) * static_cast<size_t>(dim));
}

template <class Type, bool Keys>
void store_half_row(const float* x, int dim, int position, void* part) {
  auto* to = static_cast<uint16_t*>(part);
  for (int from = 0; from < dim; from += kKvPiece) {
    const int n = dim - from < kKvPiece ? dim - from : kKvPiece;
    uint16_t piece[kKvPiece];
    for (int i = 0; i < n; i += kLanes) Type::store(piece + i, load_upto(x + from + i, n - i));
    if (!Keys)
      __builtin_memcpy(to + kv_at::value_word(dim, position, from), piece,
                       sizeof(uint16_t) * static_cast<size_t>(n));
    else
      for (int i = 0; i < n; ++i) to[kv_at::key_word(dim, position, from + i)] = piece[i];
  }
}

template <bool Keys>
void store_q8_row(const float* x, int dim, int position, void* part) {
  auto* to = static_cast<char*>(part);
  for (int block = 0; block < dim / kQ8Block; ++block, x += kQ8Block) {
    V most = set1(0.0f);
    for (int i = 0; i < kQ8Block; i += kLanes) most = max(most, abs(load(x + i)));
    const float scale = largest(most) / 127.0f;
    const V inverse = set1(scale > 0.0f ? 1.0f / scale : 0.0f);
    const uint16_t bits = f16_bits(scale);
    __builtin_memcpy(to + kv_at::scale(dim, position, block), &bits, sizeof bits);
    int8_t piece[kQ8Block];
    for (int i = 0; i < kQ8Block; i += kLanes) store_i8(piece + i, mul(load(x + i), inverse));
    for (int i = 0; i < kQ8Block; ++i) {
      const int64_t d = static_cast<int64_t>(block) * kQ8Block + i;
      const int64_t at = Keys ? kv_at::key_byte(dim, position, d) : kv_at::value_byte(position, d);
      to[at] = static_cast<char>(piece[i]);
    }
  }
}

}  // namespace
}  // namespace braid::BRAID_ISA
