// out = RMS(x).
#include "device/ref/ref_ops.h"

namespace braid::ref {
namespace {

struct Scratch {
  Scratch(const NormRowsArgs& args, Arena& arena)
      : h(arena.take<double>(static_cast<size_t>(args.x.cols))) {}
  double* h;  // [D]
};

void work(const NormRowsArgs& args, const Share& share) {
  const int rows = checked_rows(args, args.x);
  const Scratch s = own_scratch<Scratch>(args, share);
  for (int64_t r = share.begin(rows); r < share.end(rows); ++r) {
    rms_norm(args.x.row(r), impl<Vector>(args.norm.weight).data(), args.norm.eps, args.x.cols, s.h);
    for (int64_t i = 0; i < args.x.cols; ++i) args.out.row(r)[i] = static_cast<float>(s.h[i]);
  }
}

}  // namespace

void fill_norm_rows(Ops& ops) {
  ops.norm_rows = {[](const NormRowsArgs&) { return 1; },
                   [](const NormRowsArgs& args, int threads) {
                     return static_cast<size_t>(threads) * scratch_bytes<Scratch>(args);
                   },
                   work};
}

}  // namespace braid::ref
