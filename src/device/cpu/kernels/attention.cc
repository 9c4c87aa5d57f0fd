// Scores and weighted sums over cached keys and values of each type.
#include "device/cpu/kernels/kernels.h"
#include "device/cpu/simd/simd.h"

namespace braid::BRAID_ISA {
namespace {

template <KvType T>
struct Stored {
  using Type = uint16_t;
};
template <>
struct Stored<KvType::kF32> {
  using Type = float;
};

template <KvType T>
[[gnu::always_inline]] inline V load_kv(const typename Stored<T>::Type* p, int64_t n) {
  typename Stored<T>::Type part[kLanes];
  if (n < kLanes) {
    for (int i = 0; i < kLanes; ++i) part[i] = i < n ? p[i] : typename Stored<T>::Type{0};
    p = part;
  }
  if constexpr (T == KvType::kF32) return load(p);
  if constexpr (T == KvType::kF16) return load_f16(p);
  if constexpr (T == KvType::kBF16) return load_bf16(p);
}

template <KvType T>
void scores(const float* q, const void* keys, int n, int dim, float factor, float* out) {
  const auto* key = static_cast<const typename Stored<T>::Type*>(keys);
  for (int t = 0; t < n; ++t, key += dim) {
    V acc = set1(0.0f);
    for (int i = 0; i < dim; i += kLanes)
      acc = fma(load_upto(q + i, dim - i), load_kv<T>(key + i, dim - i), acc);
    out[t] = sum(acc) * factor;
  }
}

template <KvType T>
void weigh(const float* p, const void* values, int n, int dim, float* acc) {
  const auto* value = static_cast<const typename Stored<T>::Type*>(values);
  for (int i = 0; i < dim; i += kLanes) {
    V a = load_upto(acc + i, dim - i);
    for (int t = 0; t < n; ++t)
      a = fma(set1(p[t]), load_kv<T>(value + static_cast<int64_t>(t) * dim + i, dim - i), a);
    store_upto(acc + i, a, dim - i);
  }
}

float exp_sum(float* s, int n, float largest_score) {
  V total = set1(0.0f);
  float last[kLanes];
  for (int i = 0; i < n; i += kLanes) {
    const V e = exp(sub(load_upto(s + i, n - i), set1(largest_score)));
    store_upto(s + i, e, n - i);
    if (n - i >= kLanes) {
      total = add(total, e);
    } else {  // the lanes past the end hold e^(0 - largest): leave them out
      store(last, e);
      for (int j = n - i; j < kLanes; ++j) last[j] = 0.0f;
      total = add(total, load(last));
    }
  }
  return sum(total);
}

}  // namespace

void fill_attention(Kernels& k) {
  constexpr auto index = [](KvType t) { return static_cast<int>(t); };
  k.scores[index(KvType::kF32)] = scores<KvType::kF32>;
  k.scores[index(KvType::kF16)] = scores<KvType::kF16>;
  k.scores[index(KvType::kBF16)] = scores<KvType::kBF16>;
  k.weigh[index(KvType::kF32)] = weigh<KvType::kF32>;
  k.weigh[index(KvType::kF16)] = weigh<KvType::kF16>;
  k.weigh[index(KvType::kBF16)] = weigh<KvType::kBF16>;
  k.exp_sum = exp_sum;
}

}  // namespace braid::BRAID_ISA
