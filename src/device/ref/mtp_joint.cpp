// u = W [RMS(e); RMS(h)]: an MTP layer's input from the embedding of the next token and the hidden
// vector that chose it.
#include "device/ref/ref_ops.h"

namespace braid::ref {
namespace {

struct Scratch {
  Scratch(const MtpJointArgs& args, Arena& arena)
      : both(arena.take<double>(static_cast<size_t>(args.e.rows * 2 * args.e.cols))),
        w(arena.take<float>(static_cast<size_t>(2 * args.e.cols))) {}
  double* both;  // [R, 2*D]
  float* w;      // [2*D]
};

void work(const MtpJointArgs& args, const Share& share) {
  const int rows = checked_rows(args, args.e);
  const int64_t d = args.e.cols;
  const MtpJoint& w = impl<MtpJoint>(args.w);
  const Scratch s = own_scratch<Scratch>(args, share);
  for (int64_t r = 0; r < rows; ++r) {
    rms_norm(args.e.row(r), w.embedding_norm.data(), w.eps, d, s.both + r * 2 * d);
    rms_norm(args.h.row(r), w.hidden_norm.data(), w.eps, d, s.both + r * 2 * d + d);
  }
  const int64_t begin = share.begin(args.u.cols), end = share.end(args.u.cols);
  multiply(w.w, begin, end, s.both, rows, s.w, share.counters,
           [&](int r, int64_t n, double y) { args.u.row(r)[begin + n] = static_cast<float>(y); });
}

}  // namespace

void fill_mtp_joint(Ops& ops) {
  ops.mtp_joint = {[](const MtpJointArgs&) { return 1; },
                   [](const MtpJointArgs& args, int threads) {
                     return static_cast<size_t>(threads) * scratch_bytes<Scratch>(args);
                   },
                   work};
}

}  // namespace braid::ref
