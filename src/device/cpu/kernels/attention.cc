// Attention of many queries over a partial of keys. Keys and values are decoded a strip at a time,
// and each strip meets all queries while it is in the first cache.
//
// The sums of one query: a score is a chain of multiply-adds in each lane along the dimensions and
// one reduction; an output is a chain along the keys from the partial's first one. Neither knows
// the other queries.
#include "device/cpu/kernels/kernels.h"
#include "device/cpu/kernels/kv_rows.h"
#include "device/cpu/simd/simd.h"

namespace braid::BRAID_ISA {
namespace {

struct Strip {
  const float* row;
  int64_t stride;
  const float* operator[](int t) const { return row + t * stride; }
};

template <KvType T>
void decode_rows(const void* rows, int n, int dim, int padded, float* out) {
  const char* row = static_cast<const char*>(rows);
  for (int t = 0; t < n; ++t, row += KvRow<T>::bytes(dim), out += padded)
    for (int i = 0; i < padded; i += kLanes) store(out + i, KvRow<T>::load(row, i, dim));
}

void decode_strip(KvType type, const void* rows, int n, int dim, int padded, float* out) {
  switch (type) {
    case KvType::kF32:
      return decode_rows<KvType::kF32>(rows, n, dim, padded, out);
    case KvType::kF16:
      return decode_rows<KvType::kF16>(rows, n, dim, padded, out);
    case KvType::kBF16:
      return decode_rows<KvType::kBF16>(rows, n, dim, padded, out);
    case KvType::kQ8_0:
      return decode_rows<KvType::kQ8_0>(rows, n, dim, padded, out);
  }
}

// Asks for the rows that come next, a few lines with each tile of the present ones: memory works
// while the tiles are computed, and neither waits for the other.
class Ahead {
 public:
  Ahead(const void* rows, int64_t bytes, int tiles)
      : at_(static_cast<const char*>(rows)),
        end_(rows ? at_ + bytes : at_),
        step_((bytes + int64_t{kLine} * tiles - 1) / (int64_t{kLine} * tiles) * kLine) {}
  [[gnu::always_inline]] void tile() {
    const char* to = end_ - at_ < step_ ? end_ : at_ + step_;
    for (; at_ < to; at_ += kLine) __builtin_prefetch(at_, 0, 2);
  }

 private:
  static constexpr int kLine = 64;
  const char *at_, *end_;
  int64_t step_;
};

const void* rows_at(const AttentionPartial& a, const void* const* pages, KvType type, int t) {
  return static_cast<const char*>(pages[t / a.page_keys]) +
         static_cast<int64_t>(t % a.page_keys) * kv_row_bytes(type, a.dim);
}

// Rows [t, t + n) of the partial as f32. Rows that belong to no query may be decoded too: a page is
// all there.
Strip strip_of(const AttentionPartial& a, const void* const* pages, KvType type, int t, int n) {
  const void* rows = rows_at(a, pages, type, t);
  if (type == KvType::kF32 && a.dim == a.padded) return {static_cast<const float*>(rows), a.dim};
  decode_strip(type, rows, n, a.dim, a.padded, a.strip);
  return {a.strip, a.padded};
}

constexpr int kQ = kScoreQueries, kK = kLanes / kScoreQueries;

// Products of kQ queries and kK keys, query by query.
[[gnu::always_inline]] inline V products(const float* const* q, const Strip& keys, int t, int n) {
  V acc[kLanes];
  for (V& a : acc) a = set1(0.0f);
  const float* k = keys[t];
  for (int i = 0; i < n; i += kLanes) {
    V x[kK];
    for (int j = 0; j < kK; ++j) x[j] = load(k + j * keys.stride + i);
    for (int m = 0; m < kQ; ++m) {
      const V y = load(q[m] + i);
      for (int j = 0; j < kK; ++j) acc[m * kK + j] = fma(y, x[j], acc[m * kK + j]);
    }
  }
  return sums(acc);
}

void score(const AttentionPartial& a) {
  for (int from = 0; from < a.keys; from += kKvStrip) {
    int n = a.keys - from < kKvStrip ? a.keys - from : kKvStrip;
    n = (n + kK - 1) / kK * kK;
    const Strip keys = strip_of(a, a.key_pages, a.key_type, from, n);
    const bool last = from + kKvStrip >= a.keys;
    const KvType next_type = last ? a.value_type : a.key_type;
    Ahead ahead(last ? a.value_pages[0] : rows_at(a, a.key_pages, a.key_type, from + kKvStrip),
                kKvStrip * kv_row_bytes(next_type, a.dim), (a.queries + kQ - 1) / kQ * (n / kK));
    for (int at = 0; at < a.queries; at += kQ) {
      const float* q[kQ];  // the last one again where there are fewer
      for (int m = 0; m < kQ; ++m) q[m] = a.q[at + m < a.queries ? at + m : a.queries - 1];
      for (int t = 0; t < n; t += kK) {
        ahead.tile();
        float s[kLanes];
        store(s, products(q, keys, t, a.padded));
        for (int m = 0; m < kQ && at + m < a.queries; ++m)
          __builtin_memcpy(a.weights + static_cast<int64_t>(at + m) * a.weights_stride + from + t,
                           s + m * kK, sizeof(float) * kK);
      }
    }
  }
}

// s = e^(s - *top), *top the largest of n; returns the sum. What follows them up to a whole vector
// is overwritten.
float exponentials(float* s, int n, float* top) {
  int end = n;
  for (; end % kLanes; ++end) s[end] = -1e30f;  // adds e^-87 to a sum of at least 1
  V most = load(s);
  for (int i = kLanes; i < end; i += kLanes) most = max(most, load(s + i));
  *top = largest(most);
  V total = set1(0.0f);
  for (int i = 0; i < end; i += kLanes) {
    const V e = exp(sub(load(s + i), set1(*top)));
    store(s + i, e);
    total = add(total, e);
  }
  return sum(total);
}

// out[m] += sum over keys [begin, end) of weight value, for Q queries and C vectors of columns.
template <int Q, int C>
[[gnu::always_inline]] inline void weigh_tile(const float* weights, int64_t weights_stride,
                                              const Strip& values, int begin, int end, float* out,
                                              int64_t out_stride, int column) {
  V acc[Q][C];
  for (int m = 0; m < Q; ++m)
    for (int c = 0; c < C; ++c) acc[m][c] = load(out + m * out_stride + column + c * kLanes);
  for (int t = begin; t < end; ++t) {
    V x[C];
    for (int c = 0; c < C; ++c) x[c] = load(values[t] + column + c * kLanes);
    for (int m = 0; m < Q; ++m) {
      const V p = set1(weights[m * weights_stride + t]);
      for (int c = 0; c < C; ++c) acc[m][c] = fma(p, x[c], acc[m][c]);
    }
  }
  for (int m = 0; m < Q; ++m)
    for (int c = 0; c < C; ++c) store(out + m * out_stride + column + c * kLanes, acc[m][c]);
}

template <int Q>
void weigh_queries(const AttentionPartial& a, int at, const Strip& values, int from, int begin,
                   int end) {
  if (begin >= end) return;
  const float* weights = a.weights + static_cast<int64_t>(at) * a.weights_stride + from;
  float* out = a.out + static_cast<int64_t>(at) * a.padded;
  int column = 0;
  for (; column + kWeighColumns * kLanes <= a.padded; column += kWeighColumns * kLanes)
    weigh_tile<Q, kWeighColumns>(weights, a.weights_stride, values, begin, end, out, a.padded,
                                 column);
  for (; column < a.padded; column += kLanes)
    weigh_tile<Q, 1>(weights, a.weights_stride, values, begin, end, out, a.padded, column);
}

void weigh(const AttentionPartial& a) {
  const auto seen = [&a](int query, int from, int n) {
    const int left = a.visible[query] - from;
    return left < 0 ? 0 : left < n ? left : n;
  };
  __builtin_memset(a.out, 0, sizeof(float) * static_cast<size_t>(a.queries) * a.padded);
  for (int from = 0; from < a.keys; from += kKvStrip) {
    const int n = a.keys - from < kKvStrip ? a.keys - from : kKvStrip;
    const Strip values = strip_of(a, a.value_pages, a.value_type, from, n);
    const bool last = from + kKvStrip >= a.keys;
    const KvType next_type = last ? a.key_type : a.value_type;
    Ahead ahead(last ? a.next_key : rows_at(a, a.value_pages, a.value_type, from + kKvStrip),
                kKvStrip * kv_row_bytes(next_type, a.dim), a.queries);
    int at = 0;
    for (; at + kWeighQueries <= a.queries; at += kWeighQueries) {
      for (int m = 0; m < kWeighQueries; ++m) ahead.tile();
      int common = n;  // of the mask's diagonal, each query has the rest alone
      for (int m = 0; m < kWeighQueries; ++m) {
        const int own = seen(at + m, from, n);
        common = own < common ? own : common;
      }
      weigh_queries<kWeighQueries>(a, at, values, from, 0, common);
      for (int m = 0; m < kWeighQueries; ++m)
        weigh_queries<1>(a, at + m, values, from, common, seen(at + m, from, n));
    }
    for (; at < a.queries; ++at) {
      ahead.tile();
      weigh_queries<1>(a, at, values, from, 0, seen(at, from, n));
    }
  }
}

void attend(const AttentionPartial& a) {
  score(a);
  for (int i = 0; i < a.queries; ++i)
    a.sum[i] = exponentials(a.weights + static_cast<int64_t>(i) * a.weights_stride, a.visible[i],
                            &a.top[i]);
  weigh(a);
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
  k.store_kv[static_cast<int>(KvType::kF32)] = store_kv_row<KvType::kF32>;
  k.store_kv[static_cast<int>(KvType::kF16)] = store_kv_row<KvType::kF16>;
  k.store_kv[static_cast<int>(KvType::kBF16)] = store_kv_row<KvType::kBF16>;
  k.store_kv[static_cast<int>(KvType::kQ8_0)] = store_kv_row<KvType::kQ8_0>;
}

}  // namespace braid::BRAID_ISA
