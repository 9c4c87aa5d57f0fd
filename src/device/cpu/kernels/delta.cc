// The delta rule of one value head over the tokens of one block (docs/decisions/0003):
//
//   products  P_t = S^T k_t and Q_t = S^T q_t for all tokens in one sweep of S
//   solve     u_t = beta_t v_t - beta_t e^(G_t) P_t - sum_{i<t} beta_t e^(G_t - G_i) (k_i.k_t) u_i
//             o_t = e^(G_t) Q_t + sum_{i<=t} e^(G_t - G_i) (k_i.q_t) u_i
//   fold      S' = e^G S + sum_i k_i (e^(G - G_i) u_i)^T when the block is complete
//
// A column of v needs nothing of other columns, and each number is one chain over rows of S or
// positions in their order: tiles only choose which chains run side by side.
#include "device/cpu/kernels/kernels.h"
#include "device/cpu/simd/simd.h"

namespace braid::BRAID_ISA {
namespace {

constexpr int kManyVectors = kRegisters / 4;  // times 2 columns: half of the registers add up
constexpr int kPairColumns = kRegisters / 4;  // for a pair of vectors

// Rows of S that are asked for ahead of their turn: 4 KiB when they are of 128.
constexpr int kAhead = 8;
static_assert(kDeltaPanel % kAhead == 0);

// C vectors of columns of `rows` rows of S, added to the products of M vectors of the panel. Fetch
// is for an S that comes from memory.
template <int M, int C, bool Fetch>
[[gnu::always_inline]] inline void sweep_tile(const DeltaPiece& p, int row, int rows,
                                              const float* panel, float* out, int at, int width) {
  V acc[M][C];
  for (int m = 0; m < M; ++m)
    for (int c = 0; c < C; ++c)
      acc[m][c] = row == 0
                      ? set1(0.0f)
                      : load_upto(out + m * int64_t{p.dv} + at + c * kLanes, width - c * kLanes);
  const float* state = p.state + row * int64_t{p.dv} + at;
  const int64_t dv = p.dv;
  const int left = p.dk - row - kAhead;
  const float* ahead = left > 0 ? state + kAhead * dv : p.soon + at - left * dv;
  for (int i = 0; i < rows; ++i, state += dv, ++panel) {
    if constexpr (Fetch) {
      if (i == left) ahead = p.soon + at;
      for (int c = 0; c < C; ++c) __builtin_prefetch(ahead + c * kLanes);
      ahead += dv;
    }
    V s[C];
    for (int c = 0; c < C; ++c) s[c] = load_upto(state + c * kLanes, width - c * kLanes);
    for (int m = 0; m < M; ++m) {
      const V y = set1(panel[m * kDeltaPanel]);
      for (int c = 0; c < C; ++c) acc[m][c] = fma(s[c], y, acc[m][c]);
    }
  }
  for (int m = 0; m < M; ++m)
    for (int c = 0; c < C; ++c)
      store_upto(out + m * int64_t{p.dv} + at + c * kLanes, acc[m][c], width - c * kLanes);
}

template <int M, int C, bool Fetch>
void sweep_columns(const DeltaPiece& p, int row, int rows, int m) {
  const float* panel = p.panel + m * kDeltaPanel + row % kDeltaPanel +
                       row / kDeltaPanel * int64_t{2 * kDeltaBlock * kDeltaPanel};
  float* out = p.products + m * int64_t{p.dv};
  int at = 0;
  for (; at + C * kLanes <= p.dv; at += C * kLanes)
    sweep_tile<M, C, Fetch>(p, row, rows, panel, out, at, C * kLanes);
  for (; at < p.dv; at += kLanes) sweep_tile<M, 1, Fetch>(p, row, rows, panel, out, at, p.dv - at);
}

// From place m on, as many vectors as a tile takes; returns how many.
template <bool Fetch>
int sweep_vectors(const DeltaPiece& p, int row, int rows, int m) {
  if (m + kManyVectors <= 2 * p.count) {
    sweep_columns<kManyVectors, 2, Fetch>(p, row, rows, m);
    return kManyVectors;
  }
  sweep_columns<2, kPairColumns, Fetch>(p, row, rows, m);
  return 2;
}

// An S that comes from memory is taken a few whole rows at a time, with all vectors: memory likes
// to be read in order. One that lies in a cache is taken as a whole by each tile.
void products(const DeltaPiece& p) {
  const bool one_tile = p.count == 1 && p.dv <= kPairColumns * kLanes;
  const int step = p.from_memory && !one_tile ? kAhead : kDeltaPanel;
  for (int row = 0; row < p.dk; row += step) {
    const int rows = p.dk - row < step ? p.dk - row : step;
    int m = p.from_memory ? sweep_vectors<true>(p, row, rows, 0) : 0;
    while (m < 2 * p.count) m += sweep_vectors<false>(p, row, rows, m);
  }
}

// Coefficients of one token: of its products with S, and of the updates of its block.
struct Row {
  float recall[kDeltaBlock], answer[kDeltaBlock];
  float start, beta, recall_start;
};
constexpr int kRowFloats = sizeof(Row) / sizeof(float);

[[gnu::noinline]] void coefficients(const DeltaPiece& p, Row* rows) {
  float since_start[kDeltaBlock];
  for (int i = 0; i < kDeltaBlock; i += kLanes) store(since_start + i, exp(load(p.decay + i)));
  for (int t = 0; t < p.count; ++t) {
    Row& row = rows[t];
    const int own = p.first + t;
    row.beta = p.beta[t];
    row.start = since_start[own];
    row.recall_start = -p.beta[t] * row.start;
    for (int i = 0; i <= own; i += kLanes) {
      const V decay = exp(sub(set1(p.decay[own]), load(p.decay + i)));
      const int at = t * kDeltaBlock + i;
      store(row.recall + i, mul(mul(set1(-p.beta[t]), decay), load(p.key_key + at)));
      store(row.answer + i, mul(decay, load(p.key_query + at)));
    }
  }
}

template <int Value>
struct Index {
  static constexpr int value = Value;
};
// f(Index<0>), f(Index<1>), ...: a loop that is unrolled whatever the compiler thinks of it, so
// that arrays of vectors stay in registers.
template <int N, class F>
[[gnu::always_inline]] inline void each(F&& f) {
  if constexpr (N > 0) {
    each<N - 1>(f);
    f(Index<N - 1>{});
  }
}

// T tokens from t on and C vectors of columns: first what the updates before them give, for all of
// them at once, then the tokens one after the other.
template <int T, int C>
[[gnu::always_inline]] inline void solve_tile(const DeltaPiece& p, const Row* rows, int t, int at,
                                              int width) {
  V u[T][C], o[T][C];
  for (int k = 0; k < T; ++k) {
    const Row& row = rows[t + k];
    const float* v = p.values + int64_t{t + k} * p.dv + at;
    const float* product = p.products + int64_t{2} * (t + k) * p.dv + at;
    for (int c = 0; c < C; ++c) {
      const int from = c * kLanes, n = width - from;
      u[k][c] = mul(set1(row.beta), load_upto(v + from, n));
      u[k][c] = fma(set1(row.recall_start), load_upto(product + from, n), u[k][c]);
      o[k][c] = mul(set1(row.start), load_upto(product + p.dv + from, n));
    }
  }
  const int own = p.first + t;
  const float *update = p.updates + at, *coefficient = rows[t].recall;
  for (int i = 0; i < own; ++i, update += p.dv, ++coefficient) {
    V other[C];
    for (int c = 0; c < C; ++c) other[c] = load_upto(update + c * kLanes, width - c * kLanes);
    for (int k = 0; k < T; ++k) {
      const V recall = set1(coefficient[k * kRowFloats]),
              answer = set1(coefficient[k * kRowFloats + kDeltaBlock]);
      for (int c = 0; c < C; ++c) {
        u[k][c] = fma(recall, other[c], u[k][c]);
        o[k][c] = fma(answer, other[c], o[k][c]);
      }
    }
  }
  float* to = p.updates + int64_t{own} * p.dv + at;
  float* answers = p.products + (2 * int64_t{t} + 1) * p.dv + at;
  const Row* row = rows + t;
  each<T>([&](auto token) __attribute__((always_inline)) {
    constexpr int k = token.value;
    for (int c = 0; c < C; ++c) {
      const int64_t from = c * kLanes, n = width - from;
      store_upto(to + k * int64_t{p.dv} + from, u[k][c], n);
      o[k][c] = fma(set1(row[k].answer[own + k]), u[k][c], o[k][c]);
      store_upto(answers + 2 * k * int64_t{p.dv} + from, o[k][c], n);
      for (int later = k + 1; later < T; ++later) {
        u[later][c] = fma(set1(row[later].recall[own + k]), u[k][c], u[later][c]);
        o[later][c] = fma(set1(row[later].answer[own + k]), u[k][c], o[later][c]);
      }
    }
  });
}

template <int T, int C>
[[gnu::always_inline]] inline void solve_tokens(const DeltaPiece& p, const Row* rows, int t) {
  int at = 0;
  for (; at + C * kLanes <= p.dv; at += C * kLanes) solve_tile<T, C>(p, rows, t, at, C * kLanes);
  for (; at < p.dv; at += kLanes) solve_tile<T, 1>(p, rows, t, at, p.dv - at);
}

[[gnu::noinline]] void solve(const DeltaPiece& p, const Row* rows) {
  constexpr int kTokens = kRegisters / 8;
  int t = 0;
  for (; t + kTokens <= p.count; t += kTokens) solve_tokens<kTokens, 2>(p, rows, t);
  for (; t < p.count; ++t) solve_tokens<1, 4>(p, rows, t);
}

// R rows and C vectors of columns of the next S.
template <int R, int C>
[[gnu::always_inline]] inline void fold_tile(const DeltaPiece& p, const float* weighted, V decay,
                                             int row, int at, int width) {
  const int64_t offset = int64_t{row} * p.dv + at;
  V acc[R][C];
  for (int r = 0; r < R; ++r)
    for (int c = 0; c < C; ++c)
      acc[r][c] = mul(
          decay, load_upto(p.state + offset + r * int64_t{p.dv} + c * kLanes, width - c * kLanes));
  const float* keys = p.keys + row;
  weighted += at;
  for (int i = 0; i < kDeltaBlock; ++i, keys += p.dk, weighted += 2 * int64_t{p.dv}) {
    V u[C];
    for (int c = 0; c < C; ++c) u[c] = load_upto(weighted + c * kLanes, width - c * kLanes);
    for (int r = 0; r < R; ++r) {
      const V k = set1(keys[r]);
      for (int c = 0; c < C; ++c) acc[r][c] = fma(k, u[c], acc[r][c]);
    }
  }
  for (int r = 0; r < R; ++r)
    for (int c = 0; c < C; ++c)
      store_upto(p.next + offset + r * int64_t{p.dv} + c * kLanes, acc[r][c], width - c * kLanes);
}

template <int R>
void fold_rows(const DeltaPiece& p, const float* weighted, V decay, int row) {
  int at = 0;
  for (; at + 2 * kLanes <= p.dv; at += 2 * kLanes)
    fold_tile<R, 2>(p, weighted, decay, row, at, 2 * kLanes);
  for (; at < p.dv; at += kLanes) fold_tile<R, 1>(p, weighted, decay, row, at, p.dv - at);
}

[[gnu::noinline]] void fold(const DeltaPiece& p) {
  // The updates as they are at the end of the block take the rows of the products with keys.
  float until_end[kDeltaBlock], whole[kLanes];
  const V end = set1(p.decay[kDeltaBlock - 1]);
  for (int i = 0; i < kDeltaBlock; i += kLanes)
    store(until_end + i, exp(sub(end, load(p.decay + i))));
  store(whole, exp(end));
  for (int i = 0; i < kDeltaBlock; ++i) {
    const float* u = p.updates + int64_t{i} * p.dv;
    float* to = p.products + 2 * int64_t{i} * p.dv;
    for (int at = 0; at < p.dv; at += kLanes)
      store_upto(to + at, mul(set1(until_end[i]), load_upto(u + at, p.dv - at)), p.dv - at);
  }
  constexpr int kRows = kRegisters / 4;
  int row = 0;
  for (; row + kRows <= p.dk; row += kRows) fold_rows<kRows>(p, p.products, set1(whole[0]), row);
  for (; row < p.dk; ++row) fold_rows<1>(p, p.products, set1(whole[0]), row);
}

void delta_rule(const DeltaPiece& p) {
  float total = p.first > 0 ? p.decay[p.first - 1] : 0.0f;
  for (int t = 0; t < p.count; ++t) p.decay[p.first + t] = total += p.gate[t];
  Row rows[kDeltaBlock];
  products(p);
  coefficients(p, rows);
  solve(p, rows);
  if (p.next) fold(p);
}

}  // namespace

void fill_delta(Kernels& k) { k.delta_rule = delta_rule; }

}  // namespace braid::BRAID_ISA
