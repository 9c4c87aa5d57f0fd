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
constexpr int kTurnPairs = 8;  // pairs of values between two looks ahead

[[gnu::always_inline]] inline float min_of(float a, float b) { return a < b ? a : b; }
[[gnu::always_inline]] inline float max_of(float a, float b) { return a > b ? a : b; }

// x as words of length at most kLongestQuery, in the order of the keys' words; returns what one
// unit of a word is worth.
float pack_query(KvType keys, const float* x, int n, void* to) {
  auto* out = static_cast<int16_t*>(to);
  V most = set1(0.0f), squares = set1(0.0f);
  for (int i = 0; i < n; i += kLanes) {
    const V v = load(x + i);
    most = max(most, abs(v));
    squares = fma(v, v, squares);
  }
  const float by_top = kMostWord / max_of(largest(most), kTiny),
              by_length = kLongestQuery / max_of(__builtin_sqrtf(sum(squares)), kTiny);
  const V factor = set1(min_of(by_top, by_length));
  for (int i = 0; i < n; i += kWords) {
    const V a = load(x + i), b = load(x + i + kLanes);
    if (keys == KvType::kQ8_0)
      store_words(out + i, mul(a, factor), mul(b, factor));
    else
      store_pairs(out + i, a, factor, b, factor);
  }
  return 1.0f / min_of(by_top, by_length);
}

// A row of keys as words.
template <class Row>
[[gnu::always_inline]] inline void pack_key(const char* row, const AttentionPartial& a,
                                            int16_t* out) {
  const V factor = set1(a.key_factor);
  for (int i = 0; i < a.padded; i += kWords)
    store_pairs(out + i, Row::load(row, i, a.dim), factor, Row::load(row, i + kLanes, a.dim),
                factor);
}
template <>
[[gnu::always_inline]] inline void pack_key<KvRow<KvType::kQ8_0>>(const char* row,
                                                                  const AttentionPartial& a,
                                                                  int16_t* out) {
  using Row = KvRow<KvType::kQ8_0>;
  for (int b = 0; b < a.dim; b += kQ8Block, row += kQ8Bytes) {
    const W factor = same_word(Row::scale(row), 128.0f * a.key_factor);
    for (int i = 0; i < kQ8Block; i += kWords)
      store_words(out + b + i, mul_high(load_i8_high(Row::bytes_of(row) + i), factor));
  }
}

template <class Row>
void pack_keys(const AttentionPartial& a, int from, int n, Ahead& ahead) {
  const char* row = static_cast<const char*>(rows_at(a, a.key_pages, a.key_type, from));
  auto* out = static_cast<int16_t*>(a.strip);
  for (int t = 0; t < n; ++t, row += Row::bytes(a.dim), out += a.padded) {
    ahead.turn();
    pack_key<Row>(row, a, out);
  }
}
void pack_keys(const AttentionPartial& a, int from, int n, Ahead& ahead) {
  if (a.key_type == KvType::kF16) return pack_keys<KvRow<KvType::kF16>>(a, from, n, ahead);
  if (a.key_type == KvType::kBF16) return pack_keys<KvRow<KvType::kBF16>>(a, from, n, ahead);
  pack_keys<KvRow<KvType::kQ8_0>>(a, from, n, ahead);
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
    Ahead ahead =
        after_keys(a, from, kKvStrip, a.page_keys, n + (a.queries + kQ - 1) / kQ * (n / kK));
    pack_keys(a, from, n, ahead);
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
        ahead.turn();
        float s[kLanes];
        store(s, mul(word_products(q, keys + t * a.padded, a.padded), units));
        for (int m = 0; m < kQ && at + m < a.queries; ++m)
          __builtin_memcpy(a.weights + static_cast<int64_t>(at + m) * a.weights_stride + from + t,
                           s + m * kK, sizeof(float) * kK);
      }
    }
  }
}

// A value row's largest magnitude.
template <class Row>
[[gnu::always_inline]] inline float largest_value(const char* row, int dim) {
  const auto* p = reinterpret_cast<const uint16_t*>(row);
  uint16_t most = largest_magnitude(p, dim / kWords * kWords);
  for (int i = dim / kWords * kWords; i < dim; ++i) {
    const auto x = static_cast<uint16_t>(p[i] & 0x7fff);
    most = x > most ? x : most;
  }
  return Row::value(most);
}

// Two rows of values as words, which lie in turn; unit[i] is what a word of row i is worth. `both`:
// there is a second row.
template <class Row>
[[gnu::always_inline]] inline void pack_values_2(const char* row, bool both, int dim, int padded,
                                                 float* unit, int16_t* out) {
  const char* second = row + Row::bytes(dim);
  const float most[2] = {largest_value<Row>(row, dim),
                         both ? largest_value<Row>(second, dim) : 0.0f};
  V factor[2];
  for (int r = 0; r < 2; ++r) {
    factor[r] = set1(most[r] > 0.0f ? kMostValue / most[r] : 0.0f);
    unit[r] = most[r] * (1.0f / kMostValue);
  }
  for (int i = 0; i < padded; i += kLanes)
    store_pairs(out + 2 * i, Row::load(row, i, dim), factor[0], Row::load(second, i, dim),
                factor[1]);
}
template <>
[[gnu::always_inline]] inline void pack_values_2<KvRow<KvType::kQ8_0>>(const char* row, bool both,
                                                                       int dim, int, float* unit,
                                                                       int16_t* out) {
  using Row = KvRow<KvType::kQ8_0>;
  const int64_t apart = Row::bytes(dim);
  float factor[2];
  for (int r = 0; r < 2; ++r) {
    int most = 0;  // without their sign f16 numbers are in the order of their bits
    for (int64_t at = 0; at < apart && (r == 0 || both); at += kQ8Bytes) {
      const int bits = Row::scale(row + r * apart + at) & 0x7fff;
      most = bits > most ? bits : most;
    }
    unit[r] = f16_value(static_cast<uint16_t>(most)) * (127.0f / kMostValue);
    factor[r] = unit[r] > 0.0f ? 128.0f / unit[r] : 0.0f;
  }
  for (int b = 0; b < dim; b += kQ8Block, row += kQ8Bytes) {
    const W first = same_word(Row::scale(row), factor[0]),
            second = same_word(Row::scale(row + apart), factor[1]);
    for (int i = 0; i < kQ8Block; i += kWords) {
      const int8_t* q = Row::bytes_of(row) + i;
      store_pairs(out + 2 * (b + i), mul_high(load_i8_high(q), first),
                  mul_high(load_i8_high(q + apart), second));
    }
  }
}

// Values [from, from + n) as words, two rows in one: the words of a column lie beside each other.
// A value is its word times the row's unit; units up to the page's end are 0.
template <class Row>
void pack_values(const AttentionPartial& a, int from, int n, Ahead& ahead) {
  const char* row = static_cast<const char*>(rows_at(a, a.value_pages, a.value_type, from));
  auto* out = static_cast<int16_t*>(a.strip);
  for (int t = 0; t < n; t += 2, row += 2 * Row::bytes(a.dim), out += 2 * a.padded) {
    ahead.turn();
    pack_values_2<Row>(row, t + 1 < n, a.dim, a.padded, a.units + t, out);
  }
  for (int t = (n + 1) / 2 * 2; t < a.page_keys; ++t) a.units[t] = 0.0f;
}
void pack_values(const AttentionPartial& a, int from, int n, Ahead& ahead) {
  if (a.value_type == KvType::kF16) return pack_values<KvRow<KvType::kF16>>(a, from, n, ahead);
  if (a.value_type == KvType::kBF16) return pack_values<KvRow<KvType::kBF16>>(a, from, n, ahead);
  pack_values<KvRow<KvType::kQ8_0>>(a, from, n, ahead);
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
    store_words(out + t, mul(mul(load(weights + t), load(units + t)), factor),
                mul(mul(load(weights + t + kLanes), load(units + t + kLanes)), factor));
  return 1.0f / min_of(by_top, by_sum);
}

// out += weights values for kWeighQueries queries and C vectors of columns, over a page.
template <int C>
[[gnu::always_inline]] inline void weigh_words_tile(const AttentionPartial& a, int at, int pairs,
                                                    int column, Ahead& ahead) {
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
    if (t % kTurnPairs == 0) ahead.turn();
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
    const int tiles =
        (a.queries + kWeighQueries - 1) / kWeighQueries * ((a.padded + kColumns - 1) / kColumns);
    const int pairs = (n + 1) / 2;
    Ahead ahead = after_values(a, from, a.page_keys, a.page_keys,
                               pairs + tiles * ((pairs + kTurnPairs - 1) / kTurnPairs));
    pack_values(a, from, n, ahead);
    for (int i = 0; i < a.queries; ++i) {
      float* weights = a.weights + static_cast<int64_t>(i) * a.weights_stride + from;
      int seen = a.visible[i] - from;
      for (seen = seen < 0 ? 0 : seen; seen < a.page_keys; ++seen) weights[seen] = 0.0f;
      a.page_units[i] = pack_weights(weights, a.units, a.page_keys,
                                     a.page_weights + static_cast<int64_t>(i) * a.page_keys);
    }
    int column = 0;
    for (; column + kColumns <= a.padded; column += kColumns)
      for (int at = 0; at < a.queries; at += kWeighQueries)
        weigh_words_tile<kWeighColumns>(a, at, pairs, column, ahead);
    for (; column < a.padded; column += kLanes)
      for (int at = 0; at < a.queries; at += kWeighQueries)
        weigh_words_tile<1>(a, at, pairs, column, ahead);
  }
}

}  // namespace
}  // namespace braid::BRAID_ISA
