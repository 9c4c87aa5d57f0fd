// Gated DeltaNet on the CPU. A thread owns key-head groups: a key head with the value heads that
// read it. Projection, convolution, delta rule and gated norm of a group need nothing from other
// threads, so the operation is one phase (and one for the norm of many rows).
//
// The delta rule runs in the one form of docs/decisions/0003: every token of a block is computed
// from the state at the block's start and the ring entries since then, whether its neighbours come
// in the same step or not. All sums run in the order of positions.
#include "device/cpu/cpu_ops.h"

#include <algorithm>
#include <cmath>

namespace braid::cpu {
namespace {

constexpr float kL2Eps = 1e-6f;

InputForms forms(const GdnMixArgs& args) {
  const Gdn& w = impl<Gdn>(args.w);
  return InputForms().with(w.qkv).with(w.z).with(w.b).with(w.a);
}

struct Workspace {
  Workspace(const GdnMixArgs& args, int threads, int thread, std::byte* base)
      : carver(base), inputs(args.x.rows, args.x.cols, forms(args), threads, carver) {
    const GdnShape& s = args.w.shape;
    const Gdn& w = impl<Gdn>(args.w);
    const auto rows = static_cast<size_t>(args.x.rows);
    const auto ratio = static_cast<size_t>(s.ratio());
    const size_t key_dim = static_cast<size_t>(s.key_dim),
                 value_dim = static_cast<size_t>(s.value_dim);
    for (int t = 0; t <= thread; ++t) {
      q_raw = carver.take<float>(rows * key_dim);
      k_raw = carver.take<float>(rows * key_dim);
      v_raw = carver.take<float>(rows * ratio * value_dim);
      z = carver.take<float>(rows * ratio * value_dim);
      b = carver.take<float>(rows * ratio);
      a = carver.take<float>(rows * ratio);
      scratch = carver.take<float>(std::max({multiply_scratch(w.qkv), multiply_scratch(w.z),
                                             multiply_scratch(w.b), multiply_scratch(w.a)}));
      q = carver.take<float>(kBlock * key_dim);
      v = carver.take<float>(kBlock * value_dim);
      products = carver.take<float>(2 * kBlock * value_dim);
      key_key = carver.take<float>(kBlock * kBlock);
      key_query = carver.take<float>(kBlock * kBlock);
    }
  }
  Carver carver;
  InputRows inputs;
  float *q_raw = nullptr, *k_raw = nullptr;  // [R, Dk] of the group
  float *v_raw = nullptr, *z = nullptr;      // [r, R, Dv]
  float *b = nullptr, *a = nullptr;          // [r, R]
  float* scratch = nullptr;
  float *q = nullptr, *v = nullptr;  // [kBlock, Dk], [kBlock, Dv] after the convolution
  float* products = nullptr;         // [2*kBlock, Dv]: S^T k and S^T q of each token
  float *key_key = nullptr, *key_query = nullptr;  // [kBlock, kBlock]: k_i . k_t and k_i . q_t, by
                                                   // t's place in the piece and i's in the block
};

// Rows of one sequence that fall into one block.
struct Piece {
  RecurrentSlot slot;
  int64_t row, position;
  int count;
  int first() const { return static_cast<int>(position % kBlock); }  // place in the block
  int64_t block() const { return position / kBlock; }
  int64_t block_start() const { return position - first(); }
};

class Group {
 public:
  Group(const GdnMixArgs& args, const Workspace& ws, const Share& share, int key_head)
      : args_(args),
        w_(impl<Gdn>(args.w)),
        k_(*w_.kernels),
        s_(args.w.shape),
        ws_(ws),
        share_(share),
        key_head_(key_head) {}

  void run() {
    project();
    const BatchView& batch = args_.batch;
    for (int i = 0; i < batch.counts->segments; ++i) {
      const Segment& segment = batch.segments[i];
      const RecurrentSlot slot = args_.state.slot(segment.slot);
      for (int64_t done = 0; done < segment.rows;) {
        const int64_t position = segment.position + done;
        const int64_t count = std::min<int64_t>(kBlock - position % kBlock, segment.rows - done);
        piece({slot, segment.row + done, position, static_cast<int>(count)});
        done += count;
      }
    }
  }

 private:
  int64_t key_channel() const { return int64_t{s_.key_heads} * s_.key_dim; }

  void project_rows(const Matrix& m, int64_t begin, int64_t count, float* to) {
    multiply(m, begin, begin + count, ws_.inputs.inputs(share_), to, count, ws_.scratch,
             share_.counters);
  }

  void project() {
    project_rows(w_.qkv, int64_t{key_head_} * s_.key_dim, s_.key_dim, ws_.q_raw);
    project_rows(w_.qkv, key_channel() + int64_t{key_head_} * s_.key_dim, s_.key_dim, ws_.k_raw);
    for (int i = 0; i < s_.ratio(); ++i) {
      const int64_t head = s_.value_head(key_head_, i), at = head * s_.value_dim;
      project_rows(w_.qkv, 2 * key_channel() + at, s_.value_dim, v_raw(i));
      project_rows(w_.z, at, s_.value_dim, ws_.z + i * args_.x.rows * s_.value_dim);
      project_rows(w_.b, head, 1, ws_.b + i * args_.x.rows);
      project_rows(w_.a, head, 1, ws_.a + i * args_.x.rows);
    }
  }
  float* v_raw(int i) const { return ws_.v_raw + i * args_.x.rows * s_.value_dim; }

  // Notes the raw inputs of the piece in the ring and convolves `n` channels from `channel` on.
  void convolve(const Piece& p, const float* raw, int64_t channel, int n, float* to,
                int64_t stride) {
    for (int t = 0; t < p.count; ++t)
      std::copy_n(raw + (p.row + t) * n, n, p.slot.conv(p.position + t) + channel);
    const float* in[8];
    for (int t = 0; t < p.count; ++t) {
      for (int j = 0; j < s_.taps; ++j)
        in[j] = p.slot.conv(p.position + t - (s_.taps - 1) + j) + channel;
      k_.conv_silu(in, w_.conv.data() + channel, s_.conv_dim(), s_.taps, n, to + t * stride);
    }
  }

  void piece(const Piece& p) {
    const int dk = s_.key_dim;
    convolve(p, ws_.q_raw, int64_t{key_head_} * dk, dk, ws_.q, dk);
    for (int t = 0; t < p.count; ++t) k_.l2_norm(ws_.q + t * dk, kL2Eps, dk);
    // Keys go to the ring one by one: the end of the ring may lie inside the piece's neighbours
    // only, for a block never wraps.
    float* keys = p.slot.key(key_head_, p.position);
    convolve(p, ws_.k_raw, key_channel() + int64_t{key_head_} * dk, dk, keys, dk);
    for (int t = 0; t < p.count; ++t) k_.l2_norm(keys + t * dk, kL2Eps, dk);

    for (int t = 0; t < p.count; ++t) {
      const int own = p.first() + t;
      for (int i = 0; i <= own; ++i) {
        const float* key = p.slot.key(key_head_, p.block_start() + i);
        ws_.key_key[t * kBlock + i] = k_.dot(key, keys + t * dk, dk);
        ws_.key_query[t * kBlock + i] = k_.dot(key, ws_.q + t * dk, dk);
      }
    }
    for (int i = 0; i < s_.ratio(); ++i) value_head(p, i);
  }

  void value_head(const Piece& p, int i) {
    const int head = s_.value_head(key_head_, i), dv = s_.value_dim;
    convolve(p, v_raw(i), 2 * key_channel() + int64_t{head} * dv, dv, ws_.v, dv);
    state_products(p, head);
    for (int t = 0; t < p.count; ++t) {
      const int64_t row = p.row + t, r = i * args_.x.rows + row;
      const float beta = 1.0f / (1.0f + std::exp(-ws_.b[r]));
      accumulate_decay(p, head, t, ws_.a[r]);
      float* o = args_.o.row(row) + int64_t{head} * dv;
      token(p, head, t, beta, o);
      k_.rms_norm(o, w_.norm.data(), s_.eps, dv, o);
      k_.mul_silu(o, ws_.z + r * dv, dv);
    }
    if (p.first() + p.count == kBlock) fold(p, head);
  }

  void state_products(const Piece& p, int head) {
    const float* vectors[2 * kBlock];
    float* out[2 * kBlock];
    const int dv = s_.value_dim;
    for (int t = 0; t < p.count; ++t) {
      vectors[2 * t] = p.slot.key(key_head_, p.position + t);
      vectors[2 * t + 1] = ws_.q + t * s_.key_dim;
    }
    point(out, ws_.products, dv, 2 * p.count);
    k_.state_products(p.slot.state(head, p.block()), s_.key_dim, dv, vectors, 2 * p.count, out);
  }

  void accumulate_decay(const Piece& p, int head, int t, float a) {
    const float x = a + w_.dt_bias[static_cast<size_t>(head)];
    const float softplus = x > 20.0f ? x : std::log1p(std::exp(x));
    const float g = w_.decay[static_cast<size_t>(head)] * softplus;
    const int64_t position = p.position + t;
    const float before = p.first() + t > 0 ? *p.slot.decay(head, position - 1) : 0.0f;
    *p.slot.decay(head, position) = before + g;
  }

  // recalled = e^G S^T k + sum_{i<t} e^(G-G_i) (k_i.k) u_i;  u = beta (v - recalled)
  // o = (e^G S^T q + sum_{i<=t} e^(G-G_i) (k_i.q) u_i) / sqrt(Dk)
  void token(const Piece& p, int head, int t, float beta, float* o) {
    const int dv = s_.value_dim, own = p.first() + t;
    const float total = *p.slot.decay(head, p.position + t);
    float* recalled = ws_.products + (2 * t) * dv;
    float* answer = ws_.products + (2 * t + 1) * dv;
    k_.scale_to(recalled, std::exp(total), dv, recalled);
    k_.scale_to(answer, std::exp(total), dv, answer);
    for (int i = 0; i < own; ++i) {
      const int64_t position = p.block_start() + i;
      const float decay = std::exp(total - *p.slot.decay(head, position));
      const float* u = p.slot.update(head, position);
      k_.add_scaled(recalled, u, decay * ws_.key_key[t * kBlock + i], dv);
      k_.add_scaled(answer, u, decay * ws_.key_query[t * kBlock + i], dv);
    }
    float* u = p.slot.update(head, p.position + t);
    k_.scale_to(ws_.v + t * dv, beta, dv, u);
    k_.add_scaled(u, recalled, -beta, dv);
    k_.add_scaled(answer, u, ws_.key_query[t * kBlock + own], dv);
    k_.scale_to(answer, 1.0f / std::sqrt(static_cast<float>(s_.key_dim)), dv, o);
  }

  void fold(const Piece& p, int head) {
    const float *keys[kBlock], *updates[kBlock];
    float coefficient[kBlock];
    const float total = *p.slot.decay(head, p.block_start() + kBlock - 1);
    for (int i = 0; i < kBlock; ++i) {
      const int64_t position = p.block_start() + i;
      keys[i] = p.slot.key(key_head_, position);
      updates[i] = p.slot.update(head, position);
      coefficient[i] = std::exp(total - *p.slot.decay(head, position));
    }
    k_.state_fold(p.slot.state(head, p.block()), s_.key_dim, s_.value_dim, std::exp(total), keys,
                  updates, coefficient, kBlock, p.slot.state(head, p.block() + 1));
  }

  const GdnMixArgs& args_;
  const Gdn& w_;
  const Kernels& k_;
  const GdnShape& s_;
  const Workspace& ws_;
  const Share& share_;
  int key_head_;
};

void work(const GdnMixArgs& args, const Share& share) {
  Workspace ws(args, share.threads, share.thread, share.workspace);
  if (ws.inputs.prepare(*impl<Gdn>(args.w).kernels, args.x, &args.norm, args.batch.counts->rows,
                        nullptr, share))
    return;
  const int heads = args.w.shape.key_heads;
  for (int64_t h = share.begin(heads); h < share.end(heads); ++h)
    Group(args, ws, share, static_cast<int>(h)).run();
}

}  // namespace

void fill_gdn_mix(Ops& ops) {
  ops.gdn_mix = {[](const GdnMixArgs& args) { return InputRows::phases(args.x.rows) + 1; },
                 [](const GdnMixArgs& args, int threads) {
                   return Workspace(args, threads, threads - 1, nullptr).carver.size();
                 },
                 work};
}

}  // namespace braid::cpu
