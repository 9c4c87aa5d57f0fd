// What Gated DeltaNet does to rows around the delta rule: convolution, norms, gates, products of
// keys. Every result is one chain of its own, in the same order however many rows come at once.
#include "device/cpu/kernels/kernels.h"
#include "device/cpu/simd/simd.h"

namespace braid::BRAID_ISA {
namespace {

// N tokens from t on, over n channels from `at` on. Taps is 0 for any number of them.
template <int N, int Taps>
[[gnu::always_inline]] inline void conv_tokens(const ConvPiece& p, int t, int64_t at, int64_t n) {
  const int taps = Taps ? Taps : p.taps;
  V y[N];
  for (int j = 0; j < taps; ++j) {
    const V weight = load_upto(p.weight + j * p.stride + at, n);
    for (int k = 0; k < N; ++k) {
      const V x = load_upto(p.in[t + k + j] + at, n);
      y[k] = j == 0 ? mul(weight, x) : fma(weight, x, y[k]);
    }
  }
  silus(y);
  for (int k = 0; k < N; ++k) store_upto(p.out + (t + k) * p.channels + at, y[k], n);
}

template <int N>
void conv_rows(const ConvPiece& p, int t) {
  int64_t at = 0;
  if (p.taps == 4)
    for (; at + kLanes <= p.channels; at += kLanes) conv_tokens<N, 4>(p, t, at, kLanes);
  for (; at < p.channels; at += kLanes) conv_tokens<N, 0>(p, t, at, p.channels - at);
}

void conv_silu(const ConvPiece& p) {
  int t = 0;
  for (; t + kChains <= p.rows; t += kChains) conv_rows<kChains>(p, t);
  for (; t < p.rows; ++t) conv_rows<1>(p, t);
}

// f(i, n) for each vector of a row: n is kLanes, but for a last, partial one.
template <class F>
[[gnu::always_inline]] inline void each_vector(int64_t size, F&& f) {
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) f(i, int64_t{kLanes});
  if (i < size) f(i, size - i);
}

// The sums of squares of up to kDeltaBlock rows, four side by side; a missing one is the last
// again.
void squares(const float* x, int64_t stride, int rows, int64_t n, float* out) {
  for (int from = 0; from < rows; from += 4) {
    const float* row[4];
    V acc[4];
    for (int r = 0; r < 4; ++r) {
      row[r] = x + stride * (from + r < rows ? from + r : rows - 1);
      acc[r] = set1(0.0f);
    }
    each_vector(
        n, [&](int64_t i, int64_t lanes) __attribute__((always_inline)) {
          for (int r = 0; r < 4; ++r) {
            const V y = load_upto(row[r] + i, lanes);
            acc[r] = fma(y, y, acc[r]);
          }
        });
    sum4(acc, out + from);
  }
}

void unit_rows(float* x, int rows, int64_t n, float eps, float scale) {
  float factors[kDeltaBlock];
  squares(x, n, rows, n, factors);
  for (int r = 0; r < rows; ++r, x += n) {
    const V factor = set1(scale / __builtin_sqrtf(factors[r] + eps));
    each_vector(
        n, [=](int64_t i, int64_t lanes) __attribute__((always_inline)) {
          store_upto(x + i, mul(load_upto(x + i, lanes), factor), lanes);
        });
  }
}

// log(1 + e^x) = max(x, 0) + log(1 + z) with z = e^-|x|, and log(1 + z) = 2 atanh(s) with
// s = z / (2 + z) <= 1/3: the series of atanh up to s^15 is good to 1e-9.
[[gnu::always_inline]] inline V softplus(V x) {
  const V zero = set1(0.0f), magnitude = max(x, sub(zero, x));
  const V z = exp(sub(zero, magnitude)), s = div(z, add(set1(2.0f), z)), square = mul(s, s);
  V p = set1(1.0f / 15);
  for (int odd = 13; odd >= 1; odd -= 2) p = fma(p, square, set1(1.0f / static_cast<float>(odd)));
  return fma(add(s, s), p, max(x, zero));
}

void delta_gates(const DeltaGates& g) {
  for (int64_t i = 0; i < g.rows; i += kLanes) {
    const int64_t n = g.rows - i;
    store_upto(g.b + i, sigmoid(load_upto(g.b + i, n)), n);
    const V x = add(load_upto(g.a + i, n), set1(g.bias));
    store_upto(g.a + i, mul(set1(g.rate), softplus(x)), n);
  }
}

// Four keys with the keys and queries of T tokens. Keys after the last that is there are read and
// their products never used.
template <int T>
void four_keys(const KeyProducts& p, int t, int from) {
  const float* keys = p.keys + int64_t{from} * p.dk;
  const float* key = p.keys + int64_t{p.first + t} * p.dk;
  const float* query = p.queries + int64_t{t} * p.dk;
  V kk[T][4], kq[T][4];
  for (int a = 0; a < T; ++a)
    for (int r = 0; r < 4; ++r) kk[a][r] = kq[a][r] = set1(0.0f);
  each_vector(
      p.dk, [&](int64_t i, int64_t lanes) __attribute__((always_inline)) {
        V other[4];
        for (int r = 0; r < 4; ++r) other[r] = load_upto(keys + r * int64_t{p.dk} + i, lanes);
        for (int a = 0; a < T; ++a) {
          const V k = load_upto(key + a * int64_t{p.dk} + i, lanes),
                  q = load_upto(query + a * int64_t{p.dk} + i, lanes);
          for (int r = 0; r < 4; ++r) {
            kk[a][r] = fma(other[r], k, kk[a][r]);
            kq[a][r] = fma(other[r], q, kq[a][r]);
          }
        }
      });
  for (int a = 0; a < T; ++a) {
    sum4(kk[a], p.key_key + (t + a) * kDeltaBlock + from);
    sum4(kq[a], p.key_query + (t + a) * kDeltaBlock + from);
  }
}

void put_in_panel(const float* x, int dk, float* panel) {
  for (int from = 0; from < dk; from += kDeltaPanel, panel += 2 * kDeltaBlock * kDeltaPanel)
    for (int i = 0; i < kDeltaPanel && from + i < dk; i += kLanes)
      store(panel + i, load_upto(x + from + i, dk - from - i));
}

void key_products(const KeyProducts& p) {
  for (int t = 0; t < p.count; ++t) {
    float* panel = p.panel + 2 * t * kDeltaPanel;
    put_in_panel(p.keys + int64_t{p.first + t} * p.dk, p.dk, panel);
    put_in_panel(p.queries + int64_t{t} * p.dk, p.dk, panel + kDeltaPanel);
  }
  constexpr int kTokens = kRegisters / 16;
  int t = 0;
  for (; t + kTokens <= p.count; t += kTokens)
    for (int i = 0; i < p.first + t + kTokens; i += 4) four_keys<kTokens>(p, t, i);
  for (; t < p.count; ++t)
    for (int i = 0; i <= p.first + t; i += 4) four_keys<1>(p, t, i);
}

// N vectors of row r, the last of them of n lanes.
template <int N>
[[gnu::always_inline]] inline void norm_columns(const GatedNorm& g, int r, int64_t i, int64_t n,
                                                V factor) {
  const float *x = g.x + r * g.x_stride + i, *gate = g.gate + r * g.gate_stride + i;
  float* out = g.out + r * g.out_stride + i;
  V y[N];
  for (int j = 0; j < N; ++j) y[j] = load_upto(gate + j * kLanes, n);
  silus(y);
  for (int j = 0; j < N; ++j) {
    const V normed =
        mul(mul(load_upto(x + j * kLanes, n), factor), load_upto(g.weight + i + j * kLanes, n));
    store_upto(out + j * kLanes, mul(normed, y[j]), n);
  }
}

void gated_norm(const GatedNorm& g) {
  float factors[kDeltaBlock];
  squares(g.x, g.x_stride, g.rows, g.n, factors);
  for (int r = 0; r < g.rows; ++r)
    factors[r] = 1.0f / __builtin_sqrtf(factors[r] / static_cast<float>(g.n) + g.eps);
  for (int r = 0; r < g.rows; ++r) {
    int64_t i = 0;
    for (; i + kChains * kLanes <= g.n; i += kChains * kLanes)
      norm_columns<kChains>(g, r, i, kLanes, set1(factors[r]));
    for (; i < g.n; i += kLanes) norm_columns<1>(g, r, i, g.n - i, set1(factors[r]));
  }
}

}  // namespace

void fill_delta_rows(Kernels& k) {
  k.conv_silu = conv_silu;
  k.unit_rows = unit_rows;
  k.delta_gates = delta_gates;
  k.key_products = key_products;
  k.gated_norm = gated_norm;
}

}  // namespace braid::BRAID_ISA
