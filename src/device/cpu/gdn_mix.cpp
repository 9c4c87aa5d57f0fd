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
    for (int t = 0; t <= thread; ++t) {
      projected = GdnProjected(args.w.shape, args.x.rows, carver);
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

class Group {
 public:
  // The key head `key_head` of a thread that owns `heads` of them from `first_head` on.
  Group(const GdnMixArgs& args, const Workspace& ws, const Share& share, int key_head,
        int first_head, int heads)
      : args_(args),
        w_(impl<Gdn>(args.w)),
        s_(args.w.shape),
        ws_(ws),
        share_(share),
        key_head_(key_head),
        first_head_(first_head),
        heads_(heads) {}

  void run() {
    project();
    gdn_group(args_, key_head_, ws_.projected, ws_.scratch);
  }

 private:
  int64_t key_channel() const { return int64_t{s_.key_heads} * s_.key_dim; }

  void project_rows(const Matrix& m, int64_t begin, int64_t count, float* to) {
    multiply(m, begin, begin + count, ws_.inputs.inputs(share_), to, count, share_.counters);
  }

  void project() {
    project_rows(w_.qkv, int64_t{key_head_} * s_.key_dim, s_.key_dim, ws_.projected.q);
    project_rows(w_.qkv, key_channel() + int64_t{key_head_} * s_.key_dim, s_.key_dim,
                 ws_.projected.k);
    for (int i = 0; i < s_.ratio(); ++i) {
      const int64_t head = s_.value_head(key_head_, i), at = head * s_.value_dim;
      project_rows(w_.qkv, 2 * key_channel() + at, s_.value_dim,
                   ws_.projected.v + i * args_.x.rows * s_.value_dim);
      project_rows(w_.z, at, s_.value_dim, ws_.projected.z + i * args_.x.rows * s_.value_dim);
    }
    const int ratio = s_.ratio(), first = (key_head_ - first_head_) * ratio;
    for (int64_t r = 0; r < args_.batch.counts->rows; ++r)
      for (int i = 0; i < ratio; ++i) {
        ws_.projected.b[i * args_.x.rows + r] = ws_.b[r * heads_ * ratio + first + i];
        ws_.projected.a[i * args_.x.rows + r] = ws_.a[r * heads_ * ratio + first + i];
      }
  }

  const GdnMixArgs& args_;
  const Gdn& w_;
  const GdnShape& s_;
  const Workspace& ws_;
  const Share& share_;
  int key_head_, first_head_, heads_;
};

void work(const GdnMixArgs& args, const Share& share) {
  Workspace ws(args, share.threads, share.thread, share.workspace);
  const Gdn& w = impl<Gdn>(args.w);
  if (ws.inputs.prepare(*w.kernels, args.x, &args.norm, args.batch.counts->rows, nullptr, share))
    return;
  const int first = static_cast<int>(share.begin(args.w.shape.key_heads));
  const int heads = static_cast<int>(share.end(args.w.shape.key_heads)) - first;
  if (heads == 0) return;
  // Rows of b and a are few and lie by key head: all those of the thread at once.
  const int ratio = args.w.shape.ratio();
  const Inputs in = ws.inputs.inputs(share);
  for (const auto& [m, to] : {std::pair{&w.b, ws.b}, std::pair{&w.a, ws.a}})
    multiply(*m, first * ratio, (first + heads) * ratio, in, to, heads * ratio, share.counters);
  for (int h = first; h < first + heads; ++h) Group(args, ws, share, h, first, heads).run();
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
