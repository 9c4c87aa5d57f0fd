// Rows of the cache in each of its types: vectors out of a row, and rows rounded into it.
#pragma once

#include "device/cpu/kernels/kernels.h"
#include "device/cpu/simd/simd.h"

namespace braid::BRAID_ISA {
namespace {

constexpr int kQ8Block = 32, kQ8Bytes = 34;  // an f16 scale and 32 signed bytes

[[gnu::always_inline]] inline int64_t kv_row_bytes(KvType type, int64_t dim) {
  switch (type) {
    case KvType::kF32:
      return 4 * dim;
    case KvType::kQ8_0:
      return dim / kQ8Block * kQ8Bytes;
    default:
      return 2 * dim;
  }
}

// KvRow<T>::load gives lanes i .. i + kLanes of a row, zeros past its end; store writes them.
template <class Type, V (*Load)(const Type*), void (*Store)(Type*, V)>
struct PlainKvRow {
  [[gnu::always_inline]] static int64_t bytes(int64_t dim) {
    return static_cast<int64_t>(sizeof(Type)) * dim;
  }
  [[gnu::always_inline]] static V load(const char* row, int64_t i, int64_t dim) {
    const Type* p = reinterpret_cast<const Type*>(row) + i;
    if (dim - i >= kLanes) return Load(p);
    if (dim <= i) return set1(0.0f);
    Type part[kLanes] = {};
    for (int j = 0; j < dim - i; ++j) part[j] = p[j];
    return Load(part);
  }
  static void store(const float* x, int64_t dim, char* row) {
    Type* p = reinterpret_cast<Type*>(row);
    int64_t i = 0;
    for (; i + kLanes <= dim; i += kLanes) Store(p + i, BRAID_ISA::load(x + i));
    if (i == dim) return;
    Type part[kLanes];
    Store(part, load_part(x + i, dim - i));
    for (int j = 0; j < dim - i; ++j) p[i + j] = part[j];
  }
};

template <KvType T>
struct KvRow;
template <>
struct KvRow<KvType::kF32> : PlainKvRow<float, BRAID_ISA::load, BRAID_ISA::store> {};
template <>
struct KvRow<KvType::kF16> : PlainKvRow<uint16_t, load_f16, store_f16> {
  static float value(uint16_t bits) { return f16_value(bits); }
};
template <>
struct KvRow<KvType::kBF16> : PlainKvRow<uint16_t, load_bf16, store_bf16> {
  static float value(uint16_t bits) {
    const uint32_t wide = static_cast<uint32_t>(bits) << 16;
    float x;
    __builtin_memcpy(&x, &wide, sizeof x);
    return x;
  }
};

// Rows are whole blocks.
template <>
struct KvRow<KvType::kQ8_0> {
  [[gnu::always_inline]] static int64_t bytes(int64_t dim) { return dim / kQ8Block * kQ8Bytes; }
  [[gnu::always_inline]] static uint16_t scale(const char* block) {  // an f16
    uint16_t bits;
    __builtin_memcpy(&bits, block, sizeof bits);
    return bits;
  }
  [[gnu::always_inline]] static const int8_t* bytes_of(const char* block) {
    return reinterpret_cast<const int8_t*>(block + 2);
  }
  static void store(const float* x, int64_t dim, char* row) {
    for (; dim > 0; dim -= kQ8Block, x += kQ8Block, row += kQ8Bytes) {
      V most = set1(0.0f);
      for (int i = 0; i < kQ8Block; i += kLanes) {
        most = max(most, abs(BRAID_ISA::load(x + i)));
      }
      const float scale = BRAID_ISA::largest(most) / 127.0f;
      const V inverse = set1(scale > 0.0f ? 1.0f / scale : 0.0f);
      const uint16_t bits = f16_bits(scale);
      __builtin_memcpy(row, &bits, sizeof bits);
      for (int i = 0; i < kQ8Block; i += kLanes)
        store_i8(reinterpret_cast<int8_t*>(row + 2 + i), mul(BRAID_ISA::load(x + i), inverse));
    }
  }
};

template <KvType T>
void store_kv_row(const float* x, int dim, void* row) {
  KvRow<T>::store(x, dim, static_cast<char*>(row));
}

}  // namespace
}  // namespace braid::BRAID_ISA
