// x += down(silu(gate h) * up h), h = RMS(x). First the d_ff inner values of each row, then x.
#include "device/ref/ref_ops.h"

#include <algorithm>

namespace braid::ref {
namespace {

struct Inner {
  Inner(const MlpArgs& args, Arena& arena)
      : values(arena.take<double>(static_cast<size_t>(args.x.rows * args.w.d_ff))) {}
  double* values;  // [R, d_ff]
};

struct Scratch {
  Scratch(const MlpArgs& args, Arena& arena)
      : h(arena.take<double>(static_cast<size_t>(args.x.rows * args.x.cols))),
        w(arena.take<float>(static_cast<size_t>(std::max(args.w.d_model, args.w.d_ff)))) {}
  double* h;  // [R, D]
  float* w;   // [max(D, d_ff)]
};

void work(const MlpArgs& args, const Share& share) {
  const int rows = checked_rows(args, args.x);
  const int64_t d_ff = args.w.d_ff, d_model = args.x.cols;
  const Mlp& w = impl<Mlp>(args.w);
  const Inner inner = shared_scratch<Inner>(args, share);
  const Scratch s = own_scratch<Scratch>(args, share, scratch_bytes<Inner>(args));

  if (share.phase == 0) {
    norm_rows(args.x, args.norm, rows, s.h);
    const int64_t begin = share.begin(d_ff), end = share.end(d_ff);
    const auto at = [&](int r, int64_t n) -> double& { return inner.values[r * d_ff + begin + n]; };
    multiply(w.gate, begin, end, s.h, rows, s.w, share.counters,
             [&](int r, int64_t n, double y) { at(r, n) = silu(y); });
    multiply(w.up, begin, end, s.h, rows, s.w, share.counters,
             [&](int r, int64_t n, double y) { at(r, n) *= y; });
  } else {
    const int64_t begin = share.begin(d_model), end = share.end(d_model);
    multiply(w.down, begin, end, inner.values, rows, s.w, share.counters,
             [&](int r, int64_t n, double y) {
               float& x = args.x.row(r)[begin + n];
               x = static_cast<float>(double{x} + y);
             });
  }
}

}  // namespace

void fill_mlp(Ops& ops) {
  ops.mlp = {[](const MlpArgs&) { return 2; },
             [](const MlpArgs& args, int threads) {
               return scratch_bytes<Inner>(args) +
                      static_cast<size_t>(threads) * scratch_bytes<Scratch>(args);
             },
             work};
}

}  // namespace braid::ref
