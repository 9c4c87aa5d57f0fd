// Keys and values of an f32 cache: f32 products of what is there.
//
// A score is a chain of multiply-adds in each lane along the dimensions and one reduction; an
// output is a chain along the keys from the partial's first one.
#pragma once

#include "device/cpu/kernels/attention_rows.h"

namespace braid::BRAID_ISA {
namespace {

struct Strip {
  const float* row;
  int64_t stride;
  const float* operator[](int t) const { return row + t * stride; }
};

// Rows [t, t + n) of the partial, padded. Rows that belong to no query may be among them: a page is
// all there.
Strip strip_of(const AttentionPartial& a, const void* const* pages, int t, int n) {
  const float* rows =
      static_cast<const float*>(pages[t / kKvPage]) + static_cast<int64_t>(t % kKvPage) * a.dim;
  if (a.dim == a.padded) return {rows, a.dim};
  float* out = static_cast<float*>(a.strip);
  for (int i = 0; i < n; ++i, rows += a.dim)
    for (int c = 0; c < a.padded; c += kLanes)
      store(out + i * a.padded + c, c < a.dim ? load_upto(rows + c, a.dim - c) : set1(0.0f));
  return {out, a.padded};
}

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

void score_floats(const AttentionPartial& a) {
  for (int from = 0; from < a.keys; from += kKvStrip) {
    int n = a.keys - from < kKvStrip ? a.keys - from : kKvStrip;
    n = (n + kK - 1) / kK * kK;
    const Strip keys = strip_of(a, a.key_pages, from, n);
    Ahead ahead =
        after_keys(a, from / kKvStrip, kKvPage / kKvStrip, 1, (a.queries + kQ - 1) / kQ * (n / kK));
    for (int at = 0; at < a.queries; at += kQ) {
      const float* q[kQ];  // the last one again where there are fewer
      for (int m = 0; m < kQ; ++m)
        q[m] = static_cast<const float*>(a.q[at + m < a.queries ? at + m : a.queries - 1]);
      for (int t = 0; t < n; t += kK) {
        ahead.turn();
        float s[kLanes];
        store(s, products(q, keys, t, a.padded));
        for (int m = 0; m < kQ && at + m < a.queries; ++m)
          __builtin_memcpy(a.weights + static_cast<int64_t>(at + m) * a.weights_stride + from + t,
                           s + m * kK, sizeof(float) * kK);
      }
    }
  }
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

void weigh_floats(const AttentionPartial& a) {
  const auto seen = [&a](int query, int from, int n) {
    const int left = a.visible[query] - from;
    return left < 0 ? 0 : left < n ? left : n;
  };
  __builtin_memset(a.out, 0, sizeof(float) * static_cast<size_t>(a.queries) * a.padded);
  for (int from = 0; from < a.keys; from += kKvStrip) {
    const int n = a.keys - from < kKvStrip ? a.keys - from : kKvStrip;
    const Strip values = strip_of(a, a.value_pages, from, n);
    Ahead ahead = after_values(a, from / kKvStrip, kKvPage / kKvStrip, 1, a.queries);
    int at = 0;
    for (; at + kWeighQueries <= a.queries; at += kWeighQueries) {
      for (int m = 0; m < kWeighQueries; ++m) ahead.turn();
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
      ahead.turn();
      weigh_queries<1>(a, at, values, from, 0, seen(at, from, n));
    }
  }
}

}  // namespace
}  // namespace braid::BRAID_ISA
