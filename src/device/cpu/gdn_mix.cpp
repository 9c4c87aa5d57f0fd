// Gated DeltaNet on the CPU. A thread owns key-head groups: a key head with the value heads that
// read it. Projection, convolution, delta rule and gated norm of a group need nothing from other
// threads, so the operation is one phase (and one for the norm of many rows).
//
// The delta rule runs in the one form of docs/decisions/0003: every token of a block is computed
// from the state at the block's start and the ring entries since then, whether its neighbours come
// in the same step or not. All sums run in the order of positions.
#include "device/cpu/gdn_group.h"

#include <algorithm>
#include <utility>

namespace braid::cpu {
namespace {

InputForms forms(const GdnMixArgs& args) {
  const Gdn& w = impl<Gdn>(args.w);
  return InputForms().with(w.qkv).with(w.z).with(w.b).with(w.a);
}

struct Workspace {
  Workspace(const GdnMixArgs& args, int threads, int thread, std::byte* base)
      : carver(base), inputs(args.x.rows, args.x.cols, forms(args), threads, carver) {
    const auto value_heads = static_cast<size_t>(args.w.shape.value_heads);
    // A few rows: the projections of all heads of the thread, for memory is read fastest in its
    // order. Many: a head at a time, which stays in the cache.
    const int set = inputs.shared() ? 1 : (args.w.shape.key_heads + threads - 1) / threads;
    for (int t = 0; t <= thread; ++t) {
      projected = GdnProjected(args.w.shape, set, args.x.rows, carver);
      scratch = GdnScratch(args.w.shape, carver);
      b = carver.take<float>(static_cast<size_t>(args.x.rows) * value_heads);
      a = carver.take<float>(static_cast<size_t>(args.x.rows) * value_heads);
    }
  }
  Carver carver;
  InputRows inputs;
  GdnProjected projected;
  GdnScratch scratch;
  float *b = nullptr, *a = nullptr;  // [R, value heads of the thread, by key head]
};

class Mix {
 public:
  Mix(const GdnMixArgs& args, const Workspace& ws, const Share& share)
      : args_(args),
        w_(impl<Gdn>(args.w)),
        s_(args.w.shape),
        ws_(ws),
        share_(share),
        inputs_(ws.inputs.inputs(share)),
        first_(static_cast<int>(share.begin(s_.key_heads))),
        heads_(static_cast<int>(share.end(s_.key_heads)) - first_) {}

  void run() {
    if (heads_ == 0) return;
    // Rows of b and a are few and lie by key head: all those of the thread at once.
    const int64_t ratio = s_.ratio(), begin = first_ * ratio, end = begin + heads_ * ratio;
    multiply(w_.b, begin, end, inputs_, ws_.b, end - begin, share_.counters, place_of(w_.a, begin));
    multiply(w_.a, begin, end, inputs_, ws_.a, end - begin, share_.counters,
             place_of(w_.qkv, first_ * s_.key_dim));
    const int set = std::min(heads_, ws_.projected.set.key_heads);
    for (int h = 0; h < heads_; h += set) {
      project(first_ + h, std::min(set, heads_ - h));
      for (int i = h; i < std::min(h + set, heads_); ++i) {
        gates(i);
        gdn_group(args_, first_ + i, ws_.projected, i - h, ws_.scratch);
      }
    }
  }

 private:
  int64_t key_channel() const { return int64_t{s_.key_heads} * s_.key_dim; }

  void project_rows(const Matrix& m, int64_t begin, int64_t count, float* to, int64_t stride,
                    const void* soon) {
    multiply(m, begin, begin + count, inputs_, to, stride, share_.counters, soon);
  }

  // Key heads [first, first + heads) and their value heads.
  void project(int64_t first, int64_t heads) {
    const GdnProjected& p = ws_.projected;
    const int64_t keys = heads * s_.key_dim;
    const int64_t key = first * s_.key_dim, value = s_.value_head(static_cast<int>(first), 0);
    project_rows(w_.qkv, key, keys, p.q, p.key_stride(), place_of(w_.qkv, key_channel() + key));
    project_rows(w_.qkv, key_channel() + key, keys, p.k, p.key_stride(),
                 place_of(w_.qkv, 2 * key_channel() + value * s_.value_dim));
    project_values(w_.qkv, 2 * key_channel(), first, heads, p.v,
                   place_of(w_.z, value * s_.value_dim));
    project_values(w_.z, 0, first, heads, p.z, first_state(first));
  }

  // Grouped value heads lie together; tiled ones in as many stretches as a key head has of them.
  void project_values(const Matrix& m, int64_t from, int64_t first, int64_t heads, float* to,
                      const void* soon) {
    const GdnProjected& p = ws_.projected;
    const int stretches = s_.tiled ? s_.ratio() : 1;
    for (int i = 0; i < stretches; ++i) {
      const int64_t begin = s_.value_head(static_cast<int>(first), i);
      project_rows(m, from + begin * s_.value_dim, heads * s_.ratio() / stretches * s_.value_dim,
                   to + int64_t{p.set.value_head(0, i)} * s_.value_dim, p.value_stride(), soon);
    }
  }

  // The state that is swept first.
  const float* first_state(int64_t key_head) const {
    const Segment& segment = args_.batch.segments[0];
    return args_.state.slot(segment.slot)
        .state(s_.value_head(static_cast<int>(key_head), 0), segment.position / kBlock);
  }

  void gates(int head) {
    const int ratio = s_.ratio(), all = heads_ * ratio;
    for (int64_t r = 0; r < args_.batch.counts->rows; ++r)
      for (int i = 0; i < ratio; ++i) {
        ws_.projected.b[i * args_.x.rows + r] = ws_.b[r * all + head * ratio + i];
        ws_.projected.a[i * args_.x.rows + r] = ws_.a[r * all + head * ratio + i];
      }
  }

  const GdnMixArgs& args_;
  const Gdn& w_;
  const GdnShape& s_;
  const Workspace& ws_;
  const Share& share_;
  Inputs inputs_;
  int first_, heads_;  // the thread's key heads
};

void work(const GdnMixArgs& args, const Share& share) {
  Workspace ws(args, share.threads, share.thread, share.workspace);
  const Gdn& w = impl<Gdn>(args.w);
  if (ws.inputs.prepare(
          *w.kernels, args.x, &args.norm, args.batch.counts->rows, nullptr, share,
          place_of(w.qkv, share.begin(args.w.shape.key_heads) * args.w.shape.key_dim)))
    return;
  Mix(args, ws, share).run();
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
