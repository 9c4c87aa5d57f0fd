// Attention of many queries over a partial of keys. Keys and values are made ready a strip at a
// time, and each strip meets all queries while it is in the first cache.
#include "device/cpu/kernels/attention_floats.h"
#include "device/cpu/kernels/attention_words.h"

namespace braid::BRAID_ISA {
namespace {

// s = e^(s - *top), *top the largest of n; returns the sum. What follows them up to a whole vector
// is overwritten.
float exponentials(float* s, int n, float* top) {
  int end = n;
  for (; end % kLanes; ++end) s[end] = -1e30f;  // adds e^-87 to a sum of at least 1
  V most = load(s);
  for (int i = kLanes; i < end; i += kLanes) most = max(most, load(s + i));
  *top = largest(most);
  V total = set1(0.0f);
  int i = 0;
  for (; i + kChains * kLanes <= end; i += kChains * kLanes) {
    V e[kChains];
    for (int j = 0; j < kChains; ++j) e[j] = sub(load(s + i + j * kLanes), set1(*top));
    exps<1>(e);
    for (int j = 0; j < kChains; ++j) {
      store(s + i + j * kLanes, e[j]);
      total = add(total, e[j]);
    }
  }
  for (; i < end; i += kLanes) {
    const V e = exp(sub(load(s + i), set1(*top)));
    store(s + i, e);
    total = add(total, e);
  }
  return sum(total);
}

void attend(const AttentionPartial& a) {
  if (a.key_type == KvType::kF32)
    score_floats(a);
  else
    score_words(a);
  for (int i = 0; i < a.queries; ++i)
    a.sum[i] = exponentials(a.weights + static_cast<int64_t>(i) * a.weights_stride, a.visible[i],
                            &a.top[i]);
  if (a.value_type == KvType::kF32)
    weigh_floats(a);
  else
    weigh_words(a);
}

void merge(float* o, float old_factor, const float* x, float factor, int n) {
  for (int i = 0; i < n; i += kLanes)
    store_upto(
        o + i,
        fma(set1(factor), load_upto(x + i, n - i), mul(set1(old_factor), load_upto(o + i, n - i))),
        n - i);
}

}  // namespace

void fill_attention(Kernels& k) {
  k.attend = attend;
  k.merge = merge;
  k.pack_query = pack_query;
  constexpr int kF32 = static_cast<int>(KvType::kF32), kF16 = static_cast<int>(KvType::kF16),
                kBF16 = static_cast<int>(KvType::kBF16), kQ8 = static_cast<int>(KvType::kQ8_0);
  k.store_key[kF32] = k.store_value[kF32] = store_float_row;
  k.store_key[kF16] = store_half_row<KvF16, true>;
  k.store_value[kF16] = store_half_row<KvF16, false>;
  k.store_key[kBF16] = store_half_row<KvBF16, true>;
  k.store_value[kBF16] = store_half_row<KvBF16, false>;
  k.store_key[kQ8] = store_q8_row<true>;
  k.store_value[kQ8] = store_q8_row<false>;
}

}  // namespace braid::BRAID_ISA
