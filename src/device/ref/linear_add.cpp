// x += W o, the end of a mixer's half-layer.
#include "device/ref/ref_ops.h"

namespace braid::ref {
namespace {

struct Scratch {
  Scratch(const LinearAddArgs& args, Arena& arena)
      : w(arena.take<float>(static_cast<size_t>(args.o.cols))) {}
  float* w;  // [K]
};

void work(const LinearAddArgs& args, const Share& share) {
  const int rows = checked_rows(args, args.x);
  const Scratch s = own_scratch<Scratch>(args, share);
  const int64_t begin = share.begin(args.x.cols), end = share.end(args.x.cols);
  multiply(impl<Matrix>(args.w), begin, end, args.o.data, rows, s.w, share.counters,
           [&](int r, int64_t n, double y) {
             float& x = args.x.row(r)[begin + n];
             x = static_cast<float>(double{x} + y);
           });
}

}  // namespace

void fill_linear_add(Ops& ops) {
  ops.linear_add = {[](const LinearAddArgs&) { return 1; },
                    [](const LinearAddArgs& args, int threads) {
                      return static_cast<size_t>(threads) * scratch_bytes<Scratch>(args);
                    },
                    work};
}

}  // namespace braid::ref
