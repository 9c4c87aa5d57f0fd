// logits = W RMS(x) for the wanted rows, in the order in which the batch lists them.
#include "device/ref/ref_ops.h"

namespace braid::ref {
namespace {

struct Scratch {
  Scratch(const HeadArgs& args, Arena& arena)
      : h(arena.take<double>(static_cast<size_t>(args.logits.rows * args.x.cols))),
        w(arena.take<float>(static_cast<size_t>(args.x.cols))) {}
  double* h;  // [logit rows, D]
  float* w;   // [D]
};

void work(const HeadArgs& args, const Share& share) {
  const int wanted = args.batch.counts->logit_rows;
  CHECK_THAT(wanted >= 0 && wanted <= args.logits.rows, "logits of {} rows, room for {}", wanted,
             args.logits.rows);
  const Scratch s = own_scratch<Scratch>(args, share);
  norm_rows(args.x, args.norm, wanted, s.h, args.batch.logit_rows);
  const int64_t begin = share.begin(args.w.rows), end = share.end(args.w.rows);
  multiply(
      impl<Matrix>(args.w), begin, end, s.h, wanted, s.w, share.counters,
      [&](int i, int64_t n, double y) { args.logits.row(i)[begin + n] = static_cast<float>(y); });
}

}  // namespace

void fill_head(Ops& ops) {
  ops.head = {[](const HeadArgs&) { return 1; },
              [](const HeadArgs& args, int threads) {
                return static_cast<size_t>(threads) * scratch_bytes<Scratch>(args);
              },
              work};
}

}  // namespace braid::ref
