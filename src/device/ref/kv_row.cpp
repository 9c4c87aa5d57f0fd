#include "device/ref/kv_row.h"

#include "base/check.h"
#include "base/half.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace braid::ref {
namespace {

template <class T>
void store(std::byte* row, int64_t i, T value) {
  std::memcpy(row + i * static_cast<int64_t>(sizeof(T)), &value, sizeof(T));
}

void write_q8_0(const double* values, int64_t n, std::byte* row) {
  for (int64_t block = 0; block < n / 32; ++block, values += 32, row += 34) {
    float largest = 0;
    for (int i = 0; i < 32; ++i) largest = std::max(largest, std::fabs(float(values[i])));
    const float scale = largest / 127;
    const float inverse = scale > 0 ? 1 / scale : 0;
    store(row, 0, f16_from_f32(scale));
    for (int i = 0; i < 32; ++i)
      store(row + 2, i, static_cast<int8_t>(std::round(float(values[i]) * inverse)));
  }
}

}  // namespace

void write_kv_row(DType type, const double* values, int64_t n, std::byte* row) {
  if (type == DType::Q8_0) return write_q8_0(values, n, row);
  for (int64_t i = 0; i < n; ++i) {
    const auto value = static_cast<float>(values[i]);
    switch (type) {
      case DType::F32:
        store(row, i, value);
        break;
      case DType::F16:
        store(row, i, f16_from_f32(value));
        break;
      case DType::BF16:
        store(row, i, bf16_from_f32(value));
        break;
      default:
        CHECK_THAT(false, "a KV cache of {}", info(type).name);
    }
  }
}

}  // namespace braid::ref
