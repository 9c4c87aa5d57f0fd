// What Gated DeltaNet does to rows around the delta rule: convolution, norms, gates, products of
// keys. Every result is one chain of its own, in the same order however many rows come at once.
#include "device/cpu/kernels/kernels.h"
#include "device/cpu/simd/simd.h"

namespace braid::BRAID_ISA {

void fill_delta_rows(Kernels&);

namespace {

// One strip of channels, with the weights and the inputs that the next token needs in registers.
template <int Taps>
void conv_strip(const ConvPiece& p, int64_t at) {
  const int64_t n = p.channels - at;
  V weight[Taps], in[Taps];
  for (int j = 0; j < Taps; ++j) weight[j] = load_upto(p.weight + j * p.stride + at, n);
  for (int j = 0; j < Taps - 1; ++j) in[j + 1] = load_upto(p.in[j] + at, n);
  for (int t = 0; t < p.rows; ++t) {
    for (int j = 0; j < Taps - 1; ++j) in[j] = in[j + 1];
    in[Taps - 1] = load_upto(p.in[t + Taps - 1] + at, n);
    V y = mul(weight[0], in[0]);
    for (int j = 1; j < Taps; ++j) y = fma(weight[j], in[j], y);
    store_upto(p.out + t * p.channels + at, silu(y), n);
  }
}

void conv_strip_any(const ConvPiece& p, int64_t at) {
  const int64_t n = p.channels - at;
  for (int t = 0; t < p.rows; ++t) {
    V y = mul(load_upto(p.weight + at, n), load_upto(p.in[t] + at, n));
    for (int j = 1; j < p.taps; ++j)
      y = fma(load_upto(p.weight + j * p.stride + at, n), load_upto(p.in[t + j] + at, n), y);
    store_upto(p.out + t * p.channels + at, silu(y), n);
  }
}

void conv_silu(const ConvPiece& p) {
  for (int64_t at = 0; at < p.channels; at += kLanes)
    p.taps == 4 ? conv_strip<4>(p, at) : conv_strip_any(p, at);
}

void unit_rows(float* x, int rows, int64_t n, float eps, float scale) {
  for (int r = 0; r < rows; ++r, x += n) {
    const V factor = set1(scale / __builtin_sqrtf(dot(x, x, n) + eps));
    for (int64_t i = 0; i < n; i += kLanes)
      store_upto(x + i, mul(load_upto(x + i, n - i), factor), n - i);
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

// Four keys with a token's key and query. Keys after the last that is there are read and their
// products never used.
void four_keys(const float* keys, const float* key, const float* query, int dk, float* key_key,
               float* key_query) {
  V kk[4], kq[4];
  for (int r = 0; r < 4; ++r) kk[r] = kq[r] = set1(0.0f);
  for (int i = 0; i < dk; i += kLanes) {
    const V k = load_upto(key + i, dk - i), q = load_upto(query + i, dk - i);
    for (int r = 0; r < 4; ++r) {
      const V other = load_upto(keys + int64_t{r} * dk + i, dk - i);
      kk[r] = fma(other, k, kk[r]);
      kq[r] = fma(other, q, kq[r]);
    }
  }
  sum4(kk, key_key);
  sum4(kq, key_query);
}

void key_products(const KeyProducts& p) {
  for (int t = 0; t < p.count; ++t) {
    const int own = p.first + t;
    for (int i = 0; i <= own; i += 4)
      four_keys(p.keys + int64_t{i} * p.dk, p.keys + int64_t{own} * p.dk,
                p.queries + int64_t{t} * p.dk, p.dk, p.key_key + t * kDeltaBlock + i,
                p.key_query + t * kDeltaBlock + i);
  }
}

void gated_norm(const GatedNorm& g) {
  for (int r = 0; r < g.rows; ++r) {
    const float *x = g.x + r * g.x_stride, *gate = g.gate + r * g.gate_stride;
    float* out = g.out + r * g.out_stride;
    const V factor = set1(1.0f / __builtin_sqrtf(dot(x, x, g.n) / static_cast<float>(g.n) + g.eps));
    for (int64_t i = 0; i < g.n; i += kLanes) {
      const int64_t n = g.n - i;
      const V y = mul(mul(load_upto(x + i, n), factor), load_upto(g.weight + i, n));
      store_upto(out + i, mul(y, silu(load_upto(gate + i, n))), n);
    }
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
