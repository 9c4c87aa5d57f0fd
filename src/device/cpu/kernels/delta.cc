// The two sweeps of the delta rule over a head's state S [dk][dv].
#include "device/cpu/kernels/kernels.h"
#include "device/cpu/simd/simd.h"

namespace braid::BRAID_ISA {
namespace {

// Products with M vectors for one strip of kLanes columns, rows of S in order.
template <int M>
void strip(const float* state, int dk, int dv, const float* const* vector, float* const* out,
           int at) {
  V acc[M];
  for (V& a : acc) a = set1(0.0f);
  for (int i = 0; i < dk; ++i) {
    const V s = load_upto(state + static_cast<int64_t>(i) * dv + at, dv - at);
    for (int m = 0; m < M; ++m) acc[m] = fma(s, set1(vector[m][i]), acc[m]);
  }
  for (int m = 0; m < M; ++m) store_upto(out[m] + at, acc[m], dv - at);
}

void state_products(const float* state, int dk, int dv, const float* const* vector, int count,
                    float* const* out) {
  for (int at = 0; at < dv; at += kLanes) {
    int m = 0;
    for (; m + 8 <= count; m += 8) strip<8>(state, dk, dv, vector + m, out + m, at);
    for (; m + 2 <= count; m += 2) strip<2>(state, dk, dv, vector + m, out + m, at);
    for (; m < count; ++m) strip<1>(state, dk, dv, vector + m, out + m, at);
  }
}

void state_fold(const float* state, int dk, int dv, float decay, const float* const* k,
                const float* const* u, const float* coefficient, int count, float* next) {
  for (int i = 0; i < dk; ++i) {
    for (int at = 0; at < dv; at += kLanes) {
      const int64_t offset = static_cast<int64_t>(i) * dv + at;
      V s = mul(set1(decay), load_upto(state + offset, dv - at));
      for (int m = 0; m < count; ++m)
        s = fma(set1(coefficient[m] * k[m][i]), load_upto(u[m] + at, dv - at), s);
      store_upto(next + offset, s, dv - at);
    }
  }
}

}  // namespace

void fill_delta(Kernels& k) {
  k.state_products = state_products;
  k.state_fold = state_fold;
}

}  // namespace braid::BRAID_ISA
