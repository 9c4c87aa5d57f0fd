// The formulas that the reference is written in, in double precision: plain loops, first element
// first.
#pragma once

#include <cmath>
#include <cstdint>

namespace braid::ref {

inline double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
inline double silu(double x) { return x * sigmoid(x); }
inline double softplus(double x) { return x > 20 ? x : std::log1p(std::exp(x)); }

template <class A, class B>
double dot(const A* a, const B* b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

// out = x / sqrt(mean(x^2) + eps) * w
template <class X>
void rms_norm(const X* x, const float* w, double eps, int64_t n, double* out) {
  const double scale = 1 / std::sqrt(dot(x, x, n) / static_cast<double>(n) + eps);
  for (int64_t i = 0; i < n; ++i) out[i] = static_cast<double>(x[i]) * scale * double{w[i]};
}

// x = x / sqrt(sum(x^2) + eps)
inline void l2_norm(double* x, double eps, int64_t n) {
  const double scale = 1 / std::sqrt(dot(x, x, n) + eps);
  for (int64_t i = 0; i < n; ++i) x[i] *= scale;
}

}  // namespace braid::ref
