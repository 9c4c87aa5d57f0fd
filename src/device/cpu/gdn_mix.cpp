// Gated DeltaNet on the CPU. A thread owns key-head groups: a key head with the value heads that
// read it. Projection, convolution, delta rule and gated norm of a group need nothing from other
// threads, so the operation is one phase (and one for the norm of many rows).
//
// The delta rule runs in the one form of docs/decisions/0003: every token of a block is computed
// from the state at the block's start and the ring entries since then, whether its neighbours come
// in the same step or not. All sums run in the order of positions.
#include "device/cpu/gdn_group.h"

namespace braid::cpu {
namespace {

struct Workspace {
  Workspace(const GdnMixArgs& args, int threads, int thread, std::byte* base)
      : carver(base), normed(args.x.rows, args.x.cols, threads, carver) {
    const GdnShape& s = args.w.shape;
    const auto rows = static_cast<size_t>(args.x.rows);
    for (int t = 0; t <= thread; ++t) {
      in = carver.take<const float*>(rows);
      out = carver.take<float*>(rows);
      projected = GdnProjected(s, args.x.rows, carver);
      strip = carver.take<float>(static_cast<size_t>(s.d_model) * kStrip);
      scratch = GdnScratch(s, carver);
    }
  }
  Carver carver;
  NormedRows normed;
  const float** in = nullptr;
  float** out = nullptr;
  GdnProjected projected;
  GdnScratch scratch;
  float* strip = nullptr;
};

class Group {
 public:
  Group(const GdnMixArgs& args, const Workspace& ws, const Share& share, int key_head)
      : args_(args),
        w_(impl<Gdn>(args.w)),
        s_(args.w.shape),
        ws_(ws),
        share_(share),
        key_head_(key_head) {}

  void run() {
    project();
    gdn_group(args_, key_head_, ws_.projected, ws_.scratch);
  }

 private:
  int64_t key_channel() const { return int64_t{s_.key_heads} * s_.key_dim; }

  void project_rows(const Matrix& m, int64_t begin, int64_t count, float* to) {
    const int rows = args_.batch.counts->rows;
    point(ws_.out, to, count, rows);
    multiply(m, begin, begin + count, ws_.in, rows, ws_.out, 0, ws_.strip, share_.counters);
  }

  void project() {
    point<const float>(ws_.in, ws_.normed.row(0, share_.thread), args_.x.cols,
                       args_.batch.counts->rows);
    project_rows(w_.qkv, int64_t{key_head_} * s_.key_dim, s_.key_dim, ws_.projected.q);
    project_rows(w_.qkv, key_channel() + int64_t{key_head_} * s_.key_dim, s_.key_dim,
                 ws_.projected.k);
    for (int i = 0; i < s_.ratio(); ++i) {
      const int64_t head = s_.value_head(key_head_, i), at = head * s_.value_dim;
      project_rows(w_.qkv, 2 * key_channel() + at, s_.value_dim,
                   ws_.projected.v + i * args_.x.rows * s_.value_dim);
      project_rows(w_.z, at, s_.value_dim, ws_.projected.z + i * args_.x.rows * s_.value_dim);
      project_rows(w_.b, head, 1, ws_.projected.b + i * args_.x.rows);
      project_rows(w_.a, head, 1, ws_.projected.a + i * args_.x.rows);
    }
  }

  const GdnMixArgs& args_;
  const Gdn& w_;
  const GdnShape& s_;
  const Workspace& ws_;
  const Share& share_;
  int key_head_;
};

void work(const GdnMixArgs& args, const Share& share) {
  Workspace ws(args, share.threads, share.thread, share.workspace);
  if (ws.normed.prepare(args.x, args.norm, args.batch.counts->rows, nullptr, share)) return;
  const int heads = args.w.shape.key_heads;
  for (int64_t h = share.begin(heads); h < share.end(heads); ++h)
    Group(args, ws, share, static_cast<int>(h)).run();
}

}  // namespace

void fill_gdn_mix(Ops& ops) {
  ops.gdn_mix = {[](const GdnMixArgs& args) { return NormedRows::phases(args.x.rows) + 1; },
                 [](const GdnMixArgs& args, int threads) {
                   return Workspace(args, threads, threads - 1, nullptr).carver.size();
                 },
                 work};
}

}  // namespace braid::cpu
