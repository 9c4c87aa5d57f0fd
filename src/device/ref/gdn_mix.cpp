// The gated delta rule (Yang, Kautz, Hatamizadeh, "Gated Delta Networks", 2024) as Qwen3-Next has
// it: the oracle of every fast kernel.
//
// Hk key heads of Dk, Hv value heads of Dv. A thread owns key heads with the value heads that read
// them; they need nothing of each other, so the operation is one phase. The rule runs in the form
// that device/state_view.h documents: each token from the state at the start of its block and the
// ring entries since then. What a later step may read is read back from the slot, in f32, here too.
#include "device/ref/ref_ops.h"

#include <algorithm>

namespace braid::ref {
namespace {

constexpr double kL2Eps = 1e-6;

struct Scratch {
  Scratch(const GdnMixArgs& args, Arena& arena) {
    const GdnShape& shape = args.w.shape;
    const auto rows = static_cast<size_t>(args.x.rows), dk = static_cast<size_t>(shape.key_dim),
               dv = static_cast<size_t>(shape.value_dim),
               ratio = static_cast<size_t>(shape.ratio());
    h = arena.take<double>(rows * static_cast<size_t>(args.x.cols));
    w = arena.take<float>(static_cast<size_t>(args.x.cols));
    q_raw = arena.take<double>(rows * dk);
    k_raw = arena.take<double>(rows * dk);
    v_raw = arena.take<double>(rows * ratio * dv);
    z = arena.take<double>(rows * ratio * dv);
    b = arena.take<double>(rows * ratio);
    a = arena.take<double>(rows * ratio);
    q = arena.take<double>(dk);
    k = arena.take<double>(dk);
    v = arena.take<double>(dv);
    o = arena.take<double>(dv);
  }
  double* h;              // [R, D]
  float* w;               // [D]
  double *q_raw, *k_raw;  // [R, Dk] before the convolution
  double *v_raw, *z;      // [r, R, Dv], the value heads of the key head
  double *b, *a;          // [r, R]
  double *q, *k, *v, *o;  // of one token
};

class KeyHead {
 public:
  KeyHead(const GdnMixArgs& args, const Scratch& s, int key_head, Counters* counters)
      : args_(args),
        shape_(args.w.shape),
        w_(impl<Gdn>(args.w)),
        s_(s),
        key_head_(key_head),
        counters_(counters) {}

  void run() {
    project();
    for (int i = 0; i < args_.batch.counts->segments; ++i) {
      const Segment& segment = args_.batch.segments[i];
      const RecurrentSlot slot = args_.state.slot(segment.slot);
      for (int t = 0; t < segment.rows; ++t)
        token(slot, segment.row + t, int64_t{segment.position} + t);
    }
  }

 private:
  // Channels of the convolution: all q heads, all k heads, all v heads.
  int64_t q_channel() const { return int64_t{key_head_} * shape_.key_dim; }
  int64_t k_channel() const { return (shape_.key_heads + int64_t{key_head_}) * shape_.key_dim; }
  int64_t v_channel(int head) const {
    return int64_t{2} * shape_.key_heads * shape_.key_dim + int64_t{head} * shape_.value_dim;
  }
  int64_t at(int i, int row) const { return i * args_.x.rows + row; }

  void project() {
    const auto rows_of = [&](const Matrix& m, int64_t begin, int64_t n, double* out) {
      multiply_to(m, begin, begin + n, s_.h, args_.batch.counts->rows, s_.w, counters_, out);
    };
    const int64_t dv = shape_.value_dim;
    rows_of(w_.qkv, q_channel(), shape_.key_dim, s_.q_raw);
    rows_of(w_.qkv, k_channel(), shape_.key_dim, s_.k_raw);
    for (int i = 0; i < shape_.ratio(); ++i) {
      const int head = shape_.value_head(key_head_, i);
      rows_of(w_.qkv, v_channel(head), dv, s_.v_raw + at(i, 0) * dv);
      rows_of(w_.z, head * dv, dv, s_.z + at(i, 0) * dv);
      rows_of(w_.b, head, 1, s_.b + at(i, 0));
      rows_of(w_.a, head, 1, s_.a + at(i, 0));
    }
  }

  // out = silu(sum_j w_j x_{p-3+j}), after noting x_p in the ring.
  void convolve(const RecurrentSlot& slot, int64_t position, int64_t channel, const double* raw,
                int n, double* out) {
    for (int c = 0; c < n; ++c) slot.conv(position)[channel + c] = static_cast<float>(raw[c]);
    const int taps = shape_.taps;
    for (int c = 0; c < n; ++c) {
      double sum = 0;
      for (int j = 0; j < taps; ++j)
        sum += double{w_.conv[static_cast<size_t>((channel + c) * taps + j)]} *
               double{slot.conv(position - (taps - 1) + j)[channel + c]};
      out[c] = silu(sum);
    }
  }

  void token(const RecurrentSlot& slot, int row, int64_t p) {
    const int dk = shape_.key_dim;
    convolve(slot, p, q_channel(), s_.q_raw + int64_t{row} * dk, dk, s_.q);
    convolve(slot, p, k_channel(), s_.k_raw + int64_t{row} * dk, dk, s_.k);
    l2_norm(s_.q, kL2Eps, dk);
    l2_norm(s_.k, kL2Eps, dk);
    std::transform(s_.k, s_.k + dk, slot.key(key_head_, p),
                   [](double x) { return static_cast<float>(x); });
    for (int i = 0; i < shape_.ratio(); ++i) {
      value_head(slot, i, row, p);
      if (p % kBlock == kBlock - 1) fold(slot, shape_.value_head(key_head_, i), p);
    }
  }

  // G_p = G_{p-1} + g_p inside the block, as the ring stores it.
  void accumulate_decay(const RecurrentSlot& slot, int head, int64_t p, double a) {
    const auto h = static_cast<size_t>(head);
    const double g = double{w_.decay[h]} * softplus(a + double{w_.dt_bias[h]});
    const double before = p % kBlock == 0 ? 0.0 : double{*slot.decay(head, p - 1)};
    *slot.decay(head, p) = static_cast<float>(before + g);
  }

  // u_p = beta (v_p - recalled), recalled = e^G S^T k_p + sum_{i < p} e^(G-G_i) (k_i.k_p) u_i
  // o_p = (e^G S^T q_p + sum_{i <= p} e^(G-G_i) (k_i.q_p) u_i) / sqrt(Dk)
  void value_head(const RecurrentSlot& slot, int i, int row, int64_t p) {
    const int head = shape_.value_head(key_head_, i), dv = shape_.value_dim;
    convolve(slot, p, v_channel(head), s_.v_raw + at(i, row) * dv, dv, s_.v);
    accumulate_decay(slot, head, p, s_.a[at(i, row)]);

    const double beta = sigmoid(s_.b[at(i, row)]);
    recall(slot, head, p, p, slot.key(key_head_, p), s_.o);
    float* u = slot.update(head, p);
    for (int j = 0; j < dv; ++j) u[j] = static_cast<float>(beta * (s_.v[j] - s_.o[j]));

    recall(slot, head, p, p + 1, s_.q, s_.o);
    for (int j = 0; j < dv; ++j) s_.o[j] /= std::sqrt(double(shape_.key_dim));
    rms_norm(s_.o, w_.norm.data(), double{shape_.eps}, dv, s_.o);
    float* o = args_.o.row(row) + int64_t{head} * dv;
    for (int j = 0; j < dv; ++j)
      o[j] = static_cast<float>(s_.o[j] * silu(s_.z[at(i, row) * dv + j]));
  }

  // out = S_p^T x, where S_p is the state at the start of p's block, decayed up to p, and what the
  // block's tokens before `end` wrote.
  template <class X>
  void recall(const RecurrentSlot& slot, int head, int64_t p, int64_t end, const X* x,
              double* out) const {
    const int64_t dk = shape_.key_dim, dv = shape_.value_dim;
    const double total = double{*slot.decay(head, p)};
    const float* state = slot.state(head, p / kBlock);
    std::fill_n(out, dv, 0.0);
    for (int64_t c = 0; c < dk; ++c)
      for (int64_t j = 0; j < dv; ++j)
        out[j] += double{state[c * dv + j]} * static_cast<double>(x[c]);
    for (int64_t j = 0; j < dv; ++j) out[j] *= std::exp(total);
    for (int64_t i = p / kBlock * kBlock; i < end; ++i) {
      const double decay = std::exp(total - double{*slot.decay(head, i)});
      const double match = dot(slot.key(key_head_, i), x, dk);
      const float* u = slot.update(head, i);
      for (int64_t j = 0; j < dv; ++j) out[j] += decay * match * double{u[j]};
    }
  }

  // S_{b+1} = e^G S_b + sum_i e^(G-G_i) k_i u_i^T, once the block's last token p is known.
  void fold(const RecurrentSlot& slot, int head, int64_t p) const {
    const int64_t block = p / kBlock, dv = shape_.value_dim;
    const double total = double{*slot.decay(head, p)};
    const float* old = slot.state(head, block);
    float* next = slot.state(head, block + 1);
    double decay[kBlock];
    for (int i = 0; i < kBlock; ++i)
      decay[i] = std::exp(total - double{*slot.decay(head, block * kBlock + i)});
    for (int64_t c = 0; c < shape_.key_dim; ++c)
      for (int64_t j = 0; j < dv; ++j) {
        double sum = std::exp(total) * double{old[c * dv + j]};
        for (int i = 0; i < kBlock; ++i) {
          const int64_t position = block * kBlock + i;
          sum += decay[i] * double{slot.key(key_head_, position)[c]} *
                 double{slot.update(head, position)[j]};
        }
        next[c * dv + j] = static_cast<float>(sum);
      }
  }

  const GdnMixArgs& args_;
  const GdnShape& shape_;
  const Gdn& w_;
  const Scratch& s_;
  const int key_head_;
  Counters* counters_;
};

void work(const GdnMixArgs& args, const Share& share) {
  const Scratch s = own_scratch<Scratch>(args, share);
  norm_rows(args.x, args.norm, checked_rows(args, args.x), s.h);
  const int heads = args.w.shape.key_heads;
  for (int64_t head = share.begin(heads); head < share.end(heads); ++head)
    KeyHead(args, s, static_cast<int>(head), share.counters).run();
}

}  // namespace

void fill_gdn_mix(Ops& ops) {
  ops.gdn_mix = {[](const GdnMixArgs&) { return 1; },
                 [](const GdnMixArgs& args, int threads) {
                   return static_cast<size_t>(threads) * scratch_bytes<Scratch>(args);
                 },
                 work};
}

}  // namespace braid::ref
