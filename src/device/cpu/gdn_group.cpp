#include "device/cpu/gdn_group.h"

#include "base/check.h"

#include <algorithm>
#include <cmath>

namespace braid::cpu {
namespace {

constexpr float kL2Eps = 1e-6f;

static_assert(kBlock == kDeltaBlock);

// Rows of one sequence that fall into one block.
struct Piece {
  RecurrentSlot slot;
  Segment segment;
  int index;  // of the segment
  int64_t position;
  int count;
  int first() const { return static_cast<int>(position % kBlock); }  // place in the block
  int64_t block() const { return position / kBlock; }
  int64_t block_start() const { return position - first(); }
  int64_t row() const { return row_of(position); }
  int64_t row_of(int64_t at) const { return segment.row + at - segment.position; }
  // Whether the ring still holds the position after the step.
  bool stays(int64_t at) const { return at >= segment.position + segment.rows - kRing; }
};

class Group {
 public:
  Group(const GdnMixArgs& args, int key_head, const GdnProjected& in, int place,
        const GdnScratch& ws)
      : args_(args),
        w_(impl<Gdn>(args.w)),
        k_(*w_.kernels),
        s_(args.w.shape),
        in_(in),
        ws_(ws),
        key_head_(key_head),
        place_(place) {}

  void run() {
    const BatchView& batch = args_.batch;
    for (int i = 0; i < s_.ratio(); ++i) {
      const auto head = static_cast<size_t>(s_.value_head(key_head_, i));
      const int64_t at = i * args_.x.rows;
      k_.delta_gates(
          {in_.b + at, in_.a + at, batch.counts->rows, w_.dt_bias[head], w_.decay[head]});
    }
    for (int i = 0; i < batch.counts->segments; ++i) {
      const Segment& segment = batch.segments[i];
      const RecurrentSlot slot = args_.state.slot(segment.slot);
      const int64_t end = int64_t{segment.position} + segment.rows;
      for (int64_t position = segment.position; position < end;) {
        const int64_t count = std::min(kBlock - position % kBlock, end - position);
        piece({slot, segment, i, position, static_cast<int>(count)});
        position += count;
      }
    }
  }

 private:
  // What is worked on after the piece: of the same sequence, of the next one, or of the next key
  // head, which is mostly this thread's too.
  struct Next {
    RecurrentSlot slot;
    int key_head;
    int64_t position;
  };
  Next next_of(const Piece& p) const {
    const int64_t end = p.position + p.count;
    if (end < int64_t{p.segment.position} + p.segment.rows) return {p.slot, key_head_, end};
    const bool last = p.index + 1 == args_.batch.counts->segments;
    const Segment& next = args_.batch.segments[last ? 0 : p.index + 1];
    return {args_.state.slot(next.slot),
            last ? std::min(key_head_ + 1, s_.key_heads - 1) : key_head_, next.position};
  }

  // The state that is swept after the i-th value head of the piece.
  const float* next_state(const Piece& p, int i) const {
    if (i + 1 < s_.ratio()) return p.slot.state(s_.value_head(key_head_, i + 1), p.block());
    const Next next = next_of(p);
    return next.slot.state(s_.value_head(next.key_head, 0), next.position / kBlock);
  }

  static void ask(const float* from, int64_t floats) {
    cpu::ask(from, static_cast<size_t>(floats) * sizeof(float));
  }
  // What the next piece needs beside the state, while this one sweeps its own.
  void ask_for_next(const Piece& p) const {
    const Next next = next_of(p);
    const int dk = s_.key_dim, dv = s_.value_dim;
    const int64_t first = next.position % kBlock;
    ask(next.slot.key(next.key_head, next.position - first), first * dk);
    for (int64_t at = next.position - s_.taps + 1; at < next.position; ++at) {
      const float* inputs = next.slot.conv(at);
      ask(inputs + int64_t{next.key_head} * dk, dk);
      ask(inputs + key_channel() + int64_t{next.key_head} * dk, dk);
      for (int i = 0; i < s_.ratio(); ++i)
        ask(inputs + 2 * key_channel() + int64_t{s_.value_head(next.key_head, i)} * dv, dv);
    }
    if (next.key_head == key_head_) return;
    for (int tap = 0; tap < s_.taps; ++tap) {
      const float* weights = w_.conv.data() + tap * s_.conv_dim();
      ask(weights + int64_t{next.key_head} * dk, dk);
      ask(weights + key_channel() + int64_t{next.key_head} * dk, dk);
      for (int i = 0; i < s_.ratio(); ++i)
        ask(weights + 2 * key_channel() + int64_t{s_.value_head(next.key_head, i)} * dv, dv);
    }
  }

  int64_t key_channel() const { return int64_t{s_.key_heads} * s_.key_dim; }

  // Notes the raw inputs of the piece in the ring and convolves `n` channels from `channel` on.
  void convolve(const Piece& p, const float* raw, int64_t stride, int64_t channel, int64_t n,
                float* to) {
    const float* in[kMaxTaps - 1 + kBlock];
    const int before = s_.taps - 1;
    for (int t = -before; t < p.count; ++t) {
      const int64_t at = p.position + t;
      in[before + t] =
          at < p.segment.position ? p.slot.conv(at) + channel : raw + p.row_of(at) * stride;
    }
    k_.conv_silu({in, w_.conv.data() + channel, s_.conv_dim(), n, s_.taps, p.count, to});
    for (int64_t at = p.position; at < p.position + p.count; ++at)
      if (p.stays(at)) std::copy_n(raw + p.row_of(at) * stride, n, p.slot.conv(at) + channel);
  }

  void piece(const Piece& p) {
    const int dk = s_.key_dim;
    const float scale = 1.0f / std::sqrt(static_cast<float>(dk));
    const int64_t at = int64_t{place_} * dk, stride = in_.key_stride();
    convolve(p, in_.q + at, stride, int64_t{key_head_} * dk, dk, ws_.q);
    k_.unit_rows(ws_.q, p.count, dk, kL2Eps, scale);
    // A block never wraps in the ring.
    float* keys = p.slot.key(key_head_, p.position);
    convolve(p, in_.k + at, stride, key_channel() + int64_t{key_head_} * dk, dk, keys);
    k_.unit_rows(keys, p.count, dk, kL2Eps, 1);
    k_.key_products({p.slot.key(key_head_, p.block_start()), ws_.q, dk, p.first(), p.count,
                     ws_.key_key, ws_.key_query, ws_.panel});
    if (p.segment.rows < kBlock) ask_for_next(p);
    for (int i = 0; i < s_.ratio(); ++i) value_head(p, i);
  }

  void value_head(const Piece& p, int i) {
    const int head = s_.value_head(key_head_, i), dv = s_.value_dim;
    const int64_t rows = i * args_.x.rows, row = p.row(), stride = in_.value_stride();
    const int64_t at = int64_t{in_.set.value_head(place_, i)} * dv;
    convolve(p, in_.v + at, stride, 2 * key_channel() + int64_t{head} * dv, dv, ws_.v);
    if (p.segment.rows < kBlock) ask(p.slot.update(head, p.block_start()), int64_t{p.first()} * dv);
    DeltaPiece d{};
    d.dk = s_.key_dim;
    d.dv = dv;
    d.first = p.first();
    d.count = p.count;
    d.state = p.slot.state(head, p.block());
    d.soon = next_state(p, i);
    d.from_memory = p.position == p.segment.position;
    d.next = p.first() + p.count == kBlock ? p.slot.state(head, p.block() + 1) : nullptr;
    d.keys = p.slot.key(key_head_, p.block_start());
    d.panel = ws_.panel;
    d.key_key = ws_.key_key;
    d.key_query = ws_.key_query;
    d.values = ws_.v;
    d.beta = in_.b + rows + row;
    d.gate = in_.a + rows + row;
    d.decay = p.slot.decay(head, p.block_start());
    d.updates = p.slot.update(head, p.block_start());
    d.products = ws_.products;
    k_.delta_rule(d);

    GatedNorm g{};
    g.x = ws_.products + dv;
    g.x_stride = int64_t{2} * dv;
    g.gate = in_.z + row * stride + at;
    g.gate_stride = stride;
    g.n = dv;
    g.weight = w_.norm.data();
    g.eps = s_.eps;
    g.rows = p.count;
    g.out = args_.o.row(row) + int64_t{head} * dv;
    g.out_stride = args_.o.cols;
    k_.gated_norm(g);
  }

  const GdnMixArgs& args_;
  const Gdn& w_;
  const Kernels& k_;
  const GdnShape& s_;
  const GdnProjected& in_;
  const GdnScratch& ws_;
  int key_head_, place_;
};

}  // namespace

GdnProjected::GdnProjected(const GdnShape& shape, int key_heads, int64_t rows, Carver& carver)
    : set(shape) {
  set.key_heads = key_heads;
  set.value_heads = key_heads * shape.ratio();
  const auto n = static_cast<size_t>(rows), ratio = static_cast<size_t>(shape.ratio()),
             keys = static_cast<size_t>(key_stride()), values = static_cast<size_t>(value_stride());
  q = carver.take<float>(n * keys);
  k = carver.take<float>(n * keys);
  v = carver.take<float>(n * values);
  z = carver.take<float>(n * values);
  b = carver.take<float>(n * ratio);
  a = carver.take<float>(n * ratio);
}

GdnScratch::GdnScratch(const GdnShape& shape, Carver& carver) {
  const auto dk = static_cast<size_t>(shape.key_dim), dv = static_cast<size_t>(shape.value_dim);
  q = carver.take<float>(kBlock * dk);
  v = carver.take<float>(kBlock * dv);
  products = carver.take<float>(2 * kBlock * dv);
  panel = carver.take<float>((dk + kDeltaPanel - 1) / kDeltaPanel * kDeltaPanel * 2 * kBlock);
  key_key = carver.take<float>(kBlock * kBlock);
  key_query = carver.take<float>(kBlock * kBlock);
}

void gdn_group(const GdnMixArgs& args, int key_head, const GdnProjected& in, int place,
               const GdnScratch& scratch) {
  CHECK(args.w.shape.taps >= 1 && args.w.shape.taps <= kMaxTaps);
  Group(args, key_head, in, place, scratch).run();
}

}  // namespace braid::cpu
