// Keys and values of the 16-bit and 8-bit caches: products of 16-bit integers, summed exactly.
//
// Keys are normed before they are cached, so the layer's norm bounds their length, and one factor
// turns all of them into integers; a query has a factor of its own. A value row has the factor of
// its largest element, and the weights, with those factors in them, have one for each page. The
// factors leave just the room that the sums of 32 bits need (numerics.md). Integer sums have no
// order, so any tile gives the same bits.
#pragma once

#include "device/cpu/kernels/attention_rows.h"

namespace braid::BRAID_ISA {
namespace {

constexpr float kMostWord = 32767.0f;
constexpr float kMostValue = 8191.0f;      // of a value row's elements
constexpr float kMostWeights = 262000.0f;  // of the sum of a page's weights: times 8191 below 2^31
constexpr float kLongestQuery = 65000.0f;  // times the longest key, 32767, below 2^31
constexpr float kTiny = 1e-30f;            // in place of a largest number of 0
constexpr int kWords = 2 * kLanes;

[[gnu::always_inline]] inline float min_of(float a, float b) { return a < b ? a : b; }
[[gnu::always_inline]] inline float max_of(float a, float b) { return a > b ? a : b; }

// x as words of length at most kLongestQuery; returns what one unit of a word is worth.
float pack_query(const float* x, int n, void* to) {
  auto* out = static_cast<int16_t*>(to);
  V most = set1(0.0f), squares = set1(0.0f);
  for (int i = 0; i < n; i += kLanes) {
    const V v = load(x + i);
    most = max(most, abs(v));
    squares = fma(v, v, squares);
  }
  const float top = largest(most), length = __builtin_sqrtf(sum(squares));
  const float by_top = kMostWord / max_of(top, kTiny),
              by_length = kLongestQuery / max_of(length, kTiny);
  const V factor = set1(min_of(by_top, by_length));
  for (int i = 0; i < n; i += kWords)
    store_words(out + i, mul(load(x + i), factor), mul(load(x + i + kLanes), factor));
  return 1.0f / min_of(by_top, by_length);
}

// Keys [from, from + n) as words, row by row.
void pack_keys(const AttentionPartial& a, int from, int n) {
  with_row(a.key_type, [&]<class Row>(Row) {
    const char* row = static_cast<const char*>(rows_at(a, a.key_pages, a.key_type, from));
    auto* out = static_cast<int16_t*>(a.strip);
    const V factor = set1(a.key_factor);
    for (int t = 0; t < n; ++t, row += Row::bytes(a.dim), out += a.padded)
      for (int i = 0; i < a.padded; i += kWords)
        store_words(out + i, mul(Row::load(row, i, a.dim), factor),
                    mul(Row::load(row, i + kLanes, a.dim), factor));
  });
}

[[gnu::always_inline]] inline V word_products(const int16_t* const* q, const int16_t* keys,
                                              int padded) {
  I acc[kLanes];
  for (I& s : acc) s = zeros();
  for (int i = 0; i < padded; i += kWords) {
    W x[kK];
    for (int j = 0; j < kK; ++j) x[j] = load_words(keys + j * padded + i);
    for (int m = 0; m < kQ; ++m) {
      const W y = load_words(q[m] + i);
      for (int j = 0; j < kK; ++j) acc[m * kK + j] = dot(acc[m * kK + j], y, x[j]);
    }
  }
  return to_floats(sums(acc));
}

void score_words(const AttentionPartial& a) {
  const auto* keys = static_cast<const int16_t*>(a.strip);
  for (int from = 0; from < a.keys; from += kKvStrip) {
    int n = a.keys - from < kKvStrip ? a.keys - from : kKvStrip;
    n = (n + kK - 1) / kK * kK;
    pack_keys(a, from, n);
    Ahead ahead = after_keys(a, from, kKvStrip, (a.queries + kQ - 1) / kQ * (n / kK));
    for (int at = 0; at < a.queries; at += kQ) {
      const int16_t* q[kQ];  // the last one again where there are fewer
      float unit[kLanes];
      for (int m = 0; m < kQ; ++m) {
        const int query = at + m < a.queries ? at + m : a.queries - 1;
        q[m] = static_cast<const int16_t*>(a.q[query]);
        for (int j = 0; j < kK; ++j) unit[m * kK + j] = a.query_unit[query];
      }
      const V units = load(unit);
      for (int t = 0; t < n; t += kK) {
        ahead.tile();
        float s[kLanes];
        store(s, mul(word_products(q, keys + t * a.padded, a.padded), units));
        for (int m = 0; m < kQ && at + m < a.queries; ++m)
          __builtin_memcpy(a.weights + static_cast<int64_t>(at + m) * a.weights_stride + from + t,
                           s + m * kK, sizeof(float) * kK);
      }
    }
  }
}

// Values [from, from + n) as words, two rows in one: the words of a column lie beside each other.
// A value is its word times the row's unit; units up to the page's end are 0.
void pack_values(const AttentionPartial& a, int from, int n) {
  with_row(a.value_type, [&]<class Row>(Row) {
    const char* row = static_cast<const char*>(rows_at(a, a.value_pages, a.value_type, from));
    auto* out = static_cast<int16_t*>(a.strip);
    const int64_t bytes = Row::bytes(a.dim);
    for (int t = 0; t < n; t += 2, row += 2 * bytes, out += 2 * a.padded) {
      float factor[2];
      for (int r = 0; r < 2; ++r) {
        const float most = t + r < n ? Row::largest(row + r * bytes, a.dim) : 0.0f;
        factor[r] = most > 0.0f ? kMostValue / most : 0.0f;
        a.units[t + r] = most / kMostValue;
      }
      const V first = set1(factor[0]), second = set1(factor[1]);
      for (int i = 0; i < a.padded; i += kLanes)
        store_pairs(out + 2 * i, mul(Row::load(row, i, a.dim), first),
                    mul(Row::load(row + bytes, i, a.dim), second));
    }
  });
  for (int t = (n + 1) / 2 * 2; t < a.page_keys; ++t) a.units[t] = 0.0f;
}

// A query's weights of the page as words; returns what one unit of their products is worth.
float pack_weights(const float* weights, const float* units, int n, int16_t* out) {
  V all = set1(0.0f), most = set1(0.0f);
  for (int t = 0; t < n; t += kLanes) {
    const V p = mul(load(weights + t), load(units + t));
    all = add(all, p);
    most = max(most, p);
  }
  const float top = max_of(largest(most), kTiny), by_top = kMostWord / top,
              by_sum = kMostWeights / max_of(sum(all), kTiny);
  const V factor = set1(min_of(by_top, by_sum));
  for (int t = 0; t < n; t += kWords)
    store_words_in_order(out + t, mul(mul(load(weights + t), load(units + t)), factor),
                         mul(mul(load(weights + t + kLanes), load(units + t + kLanes)), factor));
  return 1.0f / min_of(by_top, by_sum);
}

// out += weights values for kWeighQueries queries and C vectors of columns, over a page.
template <int C>
[[gnu::always_inline]] inline void weigh_words_tile(const AttentionPartial& a, int at, int pairs,
                                                    int column) {
  const int16_t* p[kWeighQueries];  // the last one again where there are fewer
  for (int m = 0; m < kWeighQueries; ++m) {
    const int query = at + m < a.queries ? at + m : a.queries - 1;
    p[m] = a.page_weights + static_cast<int64_t>(query) * a.page_keys;
  }
  const int16_t* values = static_cast<const int16_t*>(a.strip) + 2 * column;
  I acc[kWeighQueries][C];
  for (auto& row : acc)
    for (I& s : row) s = zeros();
  for (int t = 0; t < pairs; ++t) {
    W x[C];
    for (int c = 0; c < C; ++c)
      x[c] = load_words(values + static_cast<int64_t>(2 * t) * a.padded + 2 * c * kLanes);
    for (int m = 0; m < kWeighQueries; ++m) {
      const W y = same_pair(p[m] + 2 * t);
      for (int c = 0; c < C; ++c) acc[m][c] = dot(acc[m][c], y, x[c]);
    }
  }
  for (int m = 0; m < kWeighQueries && at + m < a.queries; ++m) {
    const V unit = set1(a.page_units[at + m]);
    float* out = a.out + static_cast<int64_t>(at + m) * a.padded + column;
    for (int c = 0; c < C; ++c)
      store(out + c * kLanes, fma(to_floats(acc[m][c]), unit, load(out + c * kLanes)));
  }
}

void weigh_words(const AttentionPartial& a) {
  constexpr int kColumns = kWeighColumns * kLanes;
  __builtin_memset(a.out, 0, sizeof(float) * static_cast<size_t>(a.queries) * a.padded);
  for (int from = 0; from < a.keys; from += a.page_keys) {
    const int n = a.keys - from < a.page_keys ? a.keys - from : a.page_keys;
    pack_values(a, from, n);
    for (int i = 0; i < a.queries; ++i) {
      float* weights = a.weights + static_cast<int64_t>(i) * a.weights_stride + from;
      int seen = a.visible[i] - from;
      for (seen = seen < 0 ? 0 : seen; seen < a.page_keys; ++seen) weights[seen] = 0.0f;
      a.page_units[i] = pack_weights(weights, a.units, a.page_keys,
                                     a.page_weights + static_cast<int64_t>(i) * a.page_keys);
    }
    const int tiles = (a.queries + kWeighQueries - 1) / kWeighQueries;
    Ahead ahead = after_values(a, from, a.page_keys, tiles * (a.padded / kColumns + 1));
    int column = 0;
    for (; column + kColumns <= a.padded; column += kColumns)
      for (int at = 0; at < a.queries; at += kWeighQueries) {
        ahead.tile();
        weigh_words_tile<kWeighColumns>(a, at, (n + 1) / 2, column);
      }
    for (; column < a.padded; column += kLanes)
      for (int at = 0; at < a.queries; at += kWeighQueries)
        weigh_words_tile<1>(a, at, (n + 1) / 2, column);
  }
}

}  // namespace
}  // namespace braid::BRAID_ISA
