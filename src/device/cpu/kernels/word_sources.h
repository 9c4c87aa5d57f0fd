// Where words of keys and values come from: fours of vectors, kWordColumns of them side by side.
//
// words(four, w) leaves in w[c][0] the pair of the first and second, in w[c][1] that of the third
// and fourth of its dimensions (keys) or positions (values), for each lane of column c. A lane of
// what was never written may hold anything: it stays in its lane, or meets a weight of 0.
#pragma once

#include "device/cpu/kernels/attention_rows.h"

namespace braid::BRAID_ISA {
namespace {

constexpr float kMostWord = 32767.0f;
constexpr float kMostValue = 8191.0f;  // of a value row's elements
constexpr float kTiny = 1e-30f;        // in place of a largest number of 0
constexpr int16_t kNoWords[2] = {};
constexpr int kWords = 2 * kLanes;
constexpr int kWordColumns = 2;
static_assert(kKvTile % (kWordColumns * kLanes) == 0);

[[gnu::always_inline]] inline float max_of(float a, float b) { return a > b ? a : b; }

using FourWords = W[kWordColumns][2];

// From a page's part to the one that is read after it, which is asked for while this one is looked
// at: keys page by page, values, then the next partial's keys.
[[gnu::always_inline]] inline int64_t ahead_of_key(const AttentionPartial& a, int page) {
  const bool more = page + 1 < pages_of(a);
  return static_cast<const char*>(more ? a.key_pages[page + 1] : a.value_pages[0]) -
         static_cast<const char*>(a.key_pages[page]);
}
[[gnu::always_inline]] inline int64_t ahead_of_value(const AttentionPartial& a, int page) {
  const bool more = page + 1 < pages_of(a);
  const void* next = more ? a.value_pages[page + 1] : a.next_key;
  if (!next) return 0;
  return static_cast<const char*>(next) - static_cast<const char*>(a.value_pages[page]);
}
[[gnu::always_inline]] inline void ask(const void* p, int64_t ahead) {
  __builtin_prefetch(static_cast<const char*>(p) + ahead, 0, 3);
}

// Words that were made before.
struct Prepared {
  const int16_t* at;

  [[gnu::always_inline]] void words(int four, FourWords& w) const {
    const int16_t* p = at + static_cast<int64_t>(four) * 2 * kWordColumns * kWords;
    for (int c = 0; c < kWordColumns; ++c)
      for (int j = 0; j < 2; ++j) w[c][j] = load_words(p + (2 * c + j) * kWords);
  }
};

template <class Type>
class HalfKeys {
 public:
  HalfKeys(const AttentionPartial& a, int page, int position)
      : at_(static_cast<const uint16_t*>(a.key_pages[page]) + kv_at::key_word(a.dim, position, 0)),
        ahead_(ahead_of_key(a, page)),
        last_(a.dim - 1),
        factor_(set1(a.key_factor)) {}

  [[gnu::always_inline]] void words(int four, FourWords& w) const {
    for (int c = 0; c < kWordColumns; ++c)
      for (int j = 0; j < 2; ++j)
        w[c][j] = pairs(dimension(4 * four + 2 * j, c), factor_, dimension(4 * four + 2 * j + 1, c),
                        factor_);
  }

 private:
  // Past the end queries are zeros: any numbers will do.
  [[gnu::always_inline]] V dimension(int d, int column) const {
    const uint16_t* p = at_ + static_cast<int64_t>(d < last_ ? d : last_) * kKvTile;
    if (column == 0) ask(p, ahead_);
    return Type::load(p + column * kLanes);
  }
  const uint16_t* at_;
  int64_t ahead_;
  int last_;
  V factor_;
};

class Q8Keys {
 public:
  Q8Keys(const AttentionPartial& a, int page, int position)
      : at_(static_cast<const int8_t*>(a.key_pages[page]) + kv_at::key_byte(a.dim, position, 0)),
        ahead_(ahead_of_key(a, page)),
        scales_(a.scales) {
    const V factor = set1(128.0f * a.key_factor);
    int16_t* to = a.scales;
    for (int b = 0; b < a.dim / kQ8Block; ++b)
      for (int c = 0; c < kWordColumns; ++c, to += kWords) {
        const void* p = static_cast<const char*>(a.key_pages[page]) +
                        kv_at::scale(a.dim, position + c * kLanes, b);
        if (c == 0) ask(p, ahead_);
        const V scale = load_f16(static_cast<const uint16_t*>(p));
        store_words(to, pairs(scale, factor, scale, factor));
      }
  }

  [[gnu::always_inline]] void words(int four, FourWords& w) const {
    const int8_t* p = at_ + static_cast<int64_t>(four) * kKvTile * kKvFour;
    const int16_t* scale = scales_ + four / (kQ8Block / kKvFour) * kWordColumns * kWords;
    for (int c = 0; c < kWordColumns; ++c) {
      ask(p + c * kLanes * kKvFour, ahead_);
      const W x = load_bytes(p + c * kLanes * kKvFour), s = load_words(scale + c * kWords);
      w[c][0] = mul_high(first_bytes(x), s);
      w[c][1] = mul_high(second_bytes(x), s);
    }
  }

 private:
  const int8_t* at_;
  int64_t ahead_;
  const int16_t* scales_;
};

// The largest magnitude of a row of numbers of 16 bits: without their sign they are in the order of
// their bits.
template <class Type>
[[gnu::always_inline]] inline float largest_value(const uint16_t* part, int dim, int position) {
  W most = same_pair(kNoWords);
  int from = 0;
  for (; from + kKvTile <= dim; from += kKvTile)
    for (int i = 0; i < kKvTile; i += kWords)
      most = larger(most, load_words(reinterpret_cast<const int16_t*>(
                              part + kv_at::value_word(dim, position, from) + i)));
  uint16_t bits = largest(most);
  for (const uint16_t* p = part + kv_at::value_word(dim, position, from); from < dim; ++from, ++p) {
    const auto x = static_cast<uint16_t>(*p & 0x7fff);
    bits = x > bits ? x : bits;
  }
  return Type::value(bits);
}

template <class Type>
class HalfValues {
 public:
  // Before the values of a page: a.units, what a word of each of its first n rows is worth, 0 for
  // the others; a.factors, what makes words of them.
  static void measure(const AttentionPartial& a, int page, int n) {
    const auto* p = static_cast<const uint16_t*>(a.value_pages[page]);
    float most[kKvPage] = {};
    for (int t = 0; t < n; ++t) most[t] = largest_value<Type>(p, a.dim, t);
    for (int t = 0; t < kKvPage; t += kLanes) {
      const V m = load(most + t);
      store(a.units + t, mul(m, set1(1.0f / kMostValue)));
      store(a.factors + t, div(set1(kMostValue), max(m, set1(kTiny))));
    }
  }

  HalfValues(const AttentionPartial& a, int page, int column)
      : at_(static_cast<const uint16_t*>(a.value_pages[page]) +
            kv_at::value_word(a.dim, 0, column)),
        ahead_(ahead_of_value(a, page)),
        width_(kv_at::value_word(a.dim, 1, column) - kv_at::value_word(a.dim, 0, column)),
        left_(a.dim - column),
        factors_(a.factors) {}

  [[gnu::always_inline]] void words(int four, FourWords& w) const {
    for (int j = 0; j < 2; ++j) {
      const int t = 4 * four + 2 * j;
      const V first = set1(factors_[t]), second = set1(factors_[t + 1]);
      for (int c = 0; c < kWordColumns; ++c)
        w[c][j] = pairs(row(t, c), first, row(t + 1, c), second);
    }
  }

 private:
  [[gnu::always_inline]] V row(int t, int column) const {
    const uint16_t* p = at_ + t * width_ + column * kLanes;
    if (column == 0) ask(p, ahead_);
    const int left = left_ - column * kLanes;
    return left >= kLanes ? Type::load(p) : part_of(p, left);
  }
  [[gnu::noinline]] static V part_of(const uint16_t* p, int n) {
    uint16_t piece[kLanes] = {};
    for (int i = 0; i < n; ++i) piece[i] = p[i];
    return Type::load(piece);
  }
  const uint16_t* at_;
  int64_t ahead_;
  int64_t width_;
  int left_;
  const float* factors_;
};

class Q8Values {
 public:
  // As above, and the words of all scales: a.scales.
  static void measure(const AttentionPartial& a, int page, int n) {
    const auto* scales = reinterpret_cast<const uint16_t*>(
        static_cast<const char*>(a.value_pages[page]) + kv_at::scale(a.dim, 0, 0));
    const int blocks = a.dim / kQ8Block;
    const int64_t ahead = ahead_of_value(a, page);
    for (int b = 0; b < blocks; ++b)
      for (int t = 0; t < kKvPage; t += kKvTile) ask(scales + b * kKvPage + t, ahead);
    for (int t = 0; t < kKvPage; t += kWords) {
      V factor[2];
      for (int i = 0; i < 2; ++i) {
        const int at = t + i * kLanes;
        V most = set1(0.0f);
        for (int b = 0; b < blocks; ++b) most = max(most, abs(load_f16(scales + b * kKvPage + at)));
        const V unit = mul(most, set1(127.0f / kMostValue));
        store(a.units + at, unit);
        factor[i] = div(set1(128.0f), max(unit, set1(kTiny)));
      }
      for (int b = 0; b < blocks; ++b) {
        const uint16_t* p = scales + b * kKvPage + t;
        store_words(a.scales + b * kKvPage + t, mul(load_f16(p), factor[0]),
                    mul(load_f16(p + kLanes), factor[1]));
      }
    }
    for (int t = n; t < kKvPage; ++t) a.units[t] = 0.0f;
  }

  Q8Values(const AttentionPartial& a, int page, int column)
      : at_(static_cast<const int8_t*>(a.value_pages[page]) + kv_at::value_byte(0, column)),
        ahead_(ahead_of_value(a, page)),
        scales_(a.scales + column / kQ8Block * kKvPage) {}

  [[gnu::always_inline]] void words(int four, FourWords& w) const {
    const int8_t* p = at_ + static_cast<int64_t>(four) * kKvTile * kKvFour;
    const W first = same_pair(scales_ + 4 * four), second = same_pair(scales_ + 4 * four + 2);
    for (int c = 0; c < kWordColumns; ++c) {
      ask(p + c * kLanes * kKvFour, ahead_);
      const W x = load_bytes(p + c * kLanes * kKvFour);
      w[c][0] = mul_high(first_bytes(x), first);
      w[c][1] = mul_high(second_bytes(x), second);
    }
  }

 private:
  const int8_t* at_;
  int64_t ahead_;
  const int16_t* scales_;
};

}  // namespace
}  // namespace braid::BRAID_ISA
