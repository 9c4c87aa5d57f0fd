// Functions of single rows: norms, activations.
#include "device/cpu/kernels/kernels.h"
#include "device/cpu/simd/simd.h"

namespace braid::BRAID_ISA {
namespace {

void rms_norm(const float* x, const float* weight, float eps, int64_t n, float* out) {
  const float factor = 1.0f / __builtin_sqrtf(dot(x, x, n) / static_cast<float>(n) + eps);
  for (int64_t i = 0; i < n; i += kLanes) {
    const V y = mul(mul(load_upto(x + i, n - i), set1(factor)), load_upto(weight + i, n - i));
    store_upto(out + i, y, n - i);
  }
}

void silu_mul(const float* gate, const float* up, int64_t n, float* out) {
  for (int64_t i = 0; i < n; i += kLanes) {
    const V g = load_upto(gate + i, n - i);
    store_upto(out + i, mul(mul(g, sigmoid(g)), load_upto(up + i, n - i)), n - i);
  }
}

void mul_sigmoid(float* x, const float* gate, int64_t n) {
  for (int64_t i = 0; i < n; i += kLanes)
    store_upto(x + i, mul(load_upto(x + i, n - i), sigmoid(load_upto(gate + i, n - i))), n - i);
}

void add_scaled(float* y, const float* x, float a, int64_t n) {
  for (int64_t i = 0; i < n; i += kLanes)
    store_upto(y + i, fma(set1(a), load_upto(x + i, n - i), load_upto(y + i, n - i)), n - i);
}

void scale_to(const float* x, float a, int64_t n, float* out) {
  for (int64_t i = 0; i < n; i += kLanes)
    store_upto(out + i, mul(set1(a), load_upto(x + i, n - i)), n - i);
}

float dot_rows(const float* a, const float* b, int64_t n) { return dot(a, b, n); }

}  // namespace

void fill_rows(Kernels& k) {
  k.rms_norm = rms_norm;
  k.silu_mul = silu_mul;
  k.mul_sigmoid = mul_sigmoid;
  k.add_scaled = add_scaled;
  k.scale_to = scale_to;
  k.dot = dot_rows;
}

}  // namespace braid::BRAID_ISA
