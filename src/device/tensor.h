// A non-owning view of f32 rows in a device's memory: the only kind of activation that crosses the
// seam.
#pragma once

#include <cstdint>

namespace braid {

struct Tensor {
  float* data = nullptr;
  int64_t rows = 0;  // capacity of the row bucket; a step may fill fewer (BatchView::counts)
  int64_t cols = 0;

  float* row(int64_t r) const { return data + r * cols; }
  explicit operator bool() const { return data != nullptr; }
};

}  // namespace braid
