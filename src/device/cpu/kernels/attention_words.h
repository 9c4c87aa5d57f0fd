// Keys and values of the 16-bit and 8-bit caches: products of 16-bit integers, summed exactly.
//
// Keys are normed before they are cached, so the layer's norm bounds their length, and one factor
// turns all of them into integers; a query has a factor of its own. A value row has the factor of
// its largest element, and the weights, with those factors in them, have one for each page. The
// factors leave just the room that the sums of 32 bits need (numerics.md). Integer sums have no
// order, so any tile gives the same bits.
//
// A lane is a position of keys, or a dimension of values. Both products are the same loop: fours of
// words of the left side, a query or a page's weights, meet fours of vectors. Those are made of the
// cache on the spot (word_sources.h), or once for all where there are more queries than a tile has.
#pragma once

#include "device/cpu/kernels/word_sources.h"

namespace braid::BRAID_ISA {
namespace {

constexpr float kMostWeights = 262000.0f;  // of the sum of a page's weights: times 8191 below 2^31
constexpr float kLongestQuery = 65000.0f;  // times the longest key, 32767, below 2^31
constexpr int kPanel = 64;                 // words of a left side that lie together
constexpr int kPanelFours = kPanel / kKvFour;
static_assert(kPanel == kKvPage && kQueryPad == kPanel && kWordQueries <= kMostWordQueries);

[[gnu::always_inline]] inline float min_of(float a, float b) { return a < b ? a : b; }

// x as words of length at most kLongestQuery; returns what one unit of a word is worth.
float pack_query(const float* x, int n, void* to) {
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
  for (int i = 0; i < n; i += kWords)
    store_words(out + i, mul(load(x + i), factor), mul(load(x + i + kLanes), factor));
  return 1.0f / min_of(by_top, by_length);
}

// weights times units as words, up to a factor; returns what a unit of their products is worth.
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

// The sums of a tile: Q rows of the left side times kWordColumns vectors.
template <int Q>
struct Sums {
  I at[Q][kWordColumns];

  [[gnu::always_inline]] Sums() {
    unrolled<Q * kWordColumns>(
        [this]<int i>() { at[i / kWordColumns][i % kWordColumns] = zeros(); });
  }
  // Adds the products of fours [first, end) of a source, which lie in one panel of the left side.
  template <class Source>
  [[gnu::always_inline]] void add(const int16_t* left, const Source& source, int first, int end) {
    for (int i = first; i < end; ++i, left += kKvFour) {
      W w[kWordColumns][2];
      source.words(i, w);
      unrolled<2 * Q>([&]<int n>() {
        constexpr int m = n / 2, j = n % 2;
        const W y = same_pair(left + m * kPanel + 2 * j);
        unrolled<kWordColumns>([&]<int c>() { at[m][c] = dot(at[m][c], y, w[c][j]); });
      });
    }
  }
  // f.operator()<row, column>(sum as floats)
  template <class F>
  [[gnu::always_inline]] void each(F&& f) const {
    unrolled<Q * kWordColumns>([&]<int i>() {
      constexpr int m = i / kWordColumns, c = i % kWordColumns;
      f.template operator()<m, c>(to_floats(at[m][c]));
    });
  }
};

// A source's words, made once for all tiles.
template <class Source>
Prepared prepare(const AttentionPartial& a, const Source& source, int fours) {
  auto* out = static_cast<int16_t*>(a.strip);
  for (int i = 0; i < fours; ++i) {
    W w[kWordColumns][2];
    source.words(i, w);
    for (auto& column : w)
      for (const W& words : column) {
        store_words(out, words);
        out += kWords;
      }
  }
  return {static_cast<const int16_t*>(a.strip)};
}

// f.operator()<Q>(first query) for tiles of Q of the queries, of which the last may be one too
// many.
template <class F>
[[gnu::always_inline]] inline void each_tile(int queries, F&& f) {
  int at = 0;
  for (; queries - at >= kWordQueries; at += kWordQueries) f.template operator()<kWordQueries>(at);
  const int left = (queries - at + 1) / 2;
  if constexpr (kWordQueries >= 8) {
    if (left == 4) f.template operator()<8>(at);
    if (left == 3) f.template operator()<6>(at);
  }
  if constexpr (kWordQueries >= 4)
    if (left == 2) f.template operator()<4>(at);
  if (left == 1) f.template operator()<2>(at);
}

// Scores of keys [from, from + kWordColumns * kLanes), which a source has.
template <class Source>
void score_tiles(const AttentionPartial& a, const Source& source, int from) {
  const int fours = (a.dim + kKvFour - 1) / kKvFour;
  const int16_t* left = a.q_words;
  const float* units = a.query_unit;
  float* to = a.weights + from;
  const int64_t left_stride = a.padded, stride = a.weights_stride;
  each_tile(a.queries, [&]<int Q>(int at) {
    Sums<Q> sums;
    const int16_t* panel = left + at * left_stride;
    for (int i = 0; i < fours; i += kPanelFours, panel += kWordQueries * kPanel)
      sums.add(panel, source, i, fours - i < kPanelFours ? fours : i + kPanelFours);
    sums.each([&]<int m, int c>(V sum) {
      store(to + (at + m) * stride + c * kLanes, mul(sum, set1(units[at + m])));
    });
  });
}

// Queries as left sides: [tiles of kWordQueries][panels][kWordQueries][kPanel].
void gather_queries(const AttentionPartial& a) {
  for (int i = 0; i < a.queries; ++i) {
    int16_t* to = a.q_words + static_cast<int64_t>(i / kWordQueries * kWordQueries) * a.padded +
                  i % kWordQueries * kPanel;
    for (int d = 0; d < a.padded; d += kPanel, to += kWordQueries * kPanel)
      __builtin_memcpy(to, static_cast<const int16_t*>(a.q[i]) + d, sizeof(int16_t) * kPanel);
  }
}

template <class Keys>
void score_words(const AttentionPartial& a) {
  const int fours = (a.dim + kKvFour - 1) / kKvFour;
  gather_queries(a);
  for (int from = 0; from < a.keys; from += kWordColumns * kLanes) {
    const Keys keys(a, from / kKvPage, from % kKvPage);
    if (a.queries <= kWordQueries)
      score_tiles(a, keys, from);
    else
      score_tiles(a, prepare(a, keys, fours), from);
  }
}

// out += weights values of a page for columns [column, column + kWordColumns * kLanes).
template <class Source>
void weigh_tiles(const AttentionPartial& a, const Source& source, int fours, int column) {
  const int16_t* left = a.page_weights;
  const float* units = a.page_units;
  float* out = a.out + column;
  const int64_t stride = a.padded;
  each_tile(a.queries, [&]<int Q>(int at) {
    Sums<Q> sums;
    sums.add(left + at * kPanel, source, 0, fours);
    sums.each([&]<int m, int c>(V sum) {
      float* p = out + (at + m) * stride + c * kLanes;
      store(p, fma(sum, set1(units[at + m]), load(p)));
    });
  });
}

template <class Values>
void weigh_words(const AttentionPartial& a) {
  __builtin_memset(a.out, 0, sizeof(float) * static_cast<size_t>(a.queries) * a.padded);
  for (int from = 0; from < a.keys; from += kKvPage) {
    const int page = from / kKvPage;
    const int n = a.keys - from < kKvPage ? a.keys - from : kKvPage;
    const int fours = (n + kKvFour - 1) / kKvFour;
    Values::measure(a, page, n);
    for (int i = 0; i < a.queries; ++i) {
      float* weights = a.weights + static_cast<int64_t>(i) * a.weights_stride + from;
      int seen = a.visible[i] - from;
      for (seen = seen < 0 ? 0 : seen; seen < kKvPage; ++seen) weights[seen] = 0.0f;
      a.page_units[i] = pack_weights(weights, a.units, kKvPage,
                                     a.page_weights + static_cast<int64_t>(i) * kPanel);
    }
    for (int column = 0; column < a.dim; column += kWordColumns * kLanes) {
      const Values values(a, page, column);
      if (a.queries <= kWordQueries)
        weigh_tiles(a, values, fours, column);
      else
        weigh_tiles(a, prepare(a, values, fours), fours, column);
    }
  }
}

void score_words(const AttentionPartial& a) {
  if (a.key_type == KvType::kF16) return score_words<HalfKeys<KvF16>>(a);
  if (a.key_type == KvType::kBF16) return score_words<HalfKeys<KvBF16>>(a);
  score_words<Q8Keys>(a);
}
void weigh_words(const AttentionPartial& a) {
  if (a.value_type == KvType::kF16) return weigh_words<HalfValues<KvF16>>(a);
  if (a.value_type == KvType::kBF16) return weigh_words<HalfValues<KvBF16>>(a);
  weigh_words<Q8Values>(a);
}

}  // namespace
}  // namespace braid::BRAID_ISA
