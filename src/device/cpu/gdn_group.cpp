#include "device/cpu/gdn_group.h"

#include <algorithm>
#include <cmath>

namespace braid::cpu {
namespace {

constexpr float kL2Eps = 1e-6f;

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
  Group(const GdnMixArgs& args, int key_head, const GdnProjected& in, const GdnScratch& ws)
      : args_(args),
        w_(impl<Gdn>(args.w)),
        k_(*w_.kernels),
        s_(args.w.shape),
        in_(in),
        ws_(ws),
        key_head_(key_head) {}

  void run() {
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
    convolve(p, in_.q, int64_t{key_head_} * dk, dk, ws_.q, dk);
    for (int t = 0; t < p.count; ++t) k_.l2_norm(ws_.q + t * dk, kL2Eps, dk);
    // Keys go to the ring one by one: the end of the ring may lie inside the piece's neighbours
    // only, for a block never wraps.
    float* keys = p.slot.key(key_head_, p.position);
    convolve(p, in_.k, key_channel() + int64_t{key_head_} * dk, dk, keys, dk);
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
    convolve(p, in_.v + i * args_.x.rows * s_.value_dim, 2 * key_channel() + int64_t{head} * dv, dv,
             ws_.v, dv);
    state_products(p, head);
    for (int t = 0; t < p.count; ++t) {
      const int64_t row = p.row + t, r = i * args_.x.rows + row;
      const float beta = 1.0f / (1.0f + std::exp(-in_.b[r]));
      accumulate_decay(p, head, t, in_.a[r]);
      float* o = args_.o.row(row) + int64_t{head} * dv;
      token(p, head, t, beta, o);
      k_.rms_norm(o, w_.norm.data(), s_.eps, dv, o);
      k_.mul_silu(o, in_.z + r * dv, dv);
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
  const GdnProjected& in_;
  const GdnScratch& ws_;
  int key_head_;
};

}  // namespace

GdnProjected::GdnProjected(const GdnShape& shape, int64_t rows, Carver& carver) {
  const auto n = static_cast<size_t>(rows), ratio = static_cast<size_t>(shape.ratio()),
             dk = static_cast<size_t>(shape.key_dim), dv = static_cast<size_t>(shape.value_dim);
  q = carver.take<float>(n * dk);
  k = carver.take<float>(n * dk);
  v = carver.take<float>(n * ratio * dv);
  z = carver.take<float>(n * ratio * dv);
  b = carver.take<float>(n * ratio);
  a = carver.take<float>(n * ratio);
}

GdnScratch::GdnScratch(const GdnShape& shape, Carver& carver) {
  const auto dk = static_cast<size_t>(shape.key_dim), dv = static_cast<size_t>(shape.value_dim);
  q = carver.take<float>(kBlock * dk);
  v = carver.take<float>(kBlock * dv);
  products = carver.take<float>(2 * kBlock * dv);
  key_key = carver.take<float>(kBlock * kBlock);
  key_query = carver.take<float>(kBlock * kBlock);
}

void gdn_group(const GdnMixArgs& args, int key_head, const GdnProjected& in,
               const GdnScratch& scratch) {
  Group(args, key_head, in, scratch).run();
}

}  // namespace braid::cpu
