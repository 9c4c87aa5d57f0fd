// What an MTP layer needs beside a layer of the trunk: hidden vectors, and the joint of those with
// the embedding of the next token.
#include "device/cpu/cpu_ops.h"

#include <algorithm>

namespace braid::cpu {
namespace {

void norm_rows(const NormRowsArgs& args, const Share& share) {
  const Vector& weight = impl<Vector>(args.norm.weight);
  const int64_t rows = args.batch.counts->rows;
  for (int64_t r = share.begin(rows); r < share.end(rows); ++r)
    weight.kernels->rms_norm(args.x.row(r), weight.data.data(), args.norm.eps, args.x.cols,
                             args.out.row(r));
}

struct Workspace {
  Workspace(const MtpJointArgs& args, int thread, std::byte* base) : carver(base) {
    const Matrix& w = impl<MtpJoint>(args.w).w;
    const auto rows = static_cast<size_t>(args.e.rows);
    joined = take_inputs(carver, rows, 2 * args.e.cols, InputForms().with(w));
    for (int t = 0; t <= thread; ++t) row = carver.take<float>(static_cast<size_t>(joined.cols));
  }
  Carver carver;
  Inputs joined;  // the normed embedding, then the normed hidden vector
  float* row = nullptr;
};

void joint(const MtpJointArgs& args, const Share& share) {
  const MtpJoint& w = impl<MtpJoint>(args.w);
  Workspace ws(args, share.thread, share.workspace);
  const int rows = args.batch.counts->rows;
  const int64_t d_model = args.e.cols;
  ws.joined.rows = rows;
  if (share.phase == 0) {
    for (int64_t r = share.begin(rows); r < share.end(rows); ++r) {
      w.w.kernels->rms_norm(args.e.row(r), w.embedding_norm.data(), w.eps, d_model, ws.row);
      w.w.kernels->rms_norm(args.h.row(r), w.hidden_norm.data(), w.eps, d_model, ws.row + d_model);
      ws.joined.put(*w.w.kernels, static_cast<int>(r), ws.row);
    }
    return;
  }
  const int64_t strips = (d_model + kStripRows - 1) / kStripRows;
  const int64_t begin = share.begin(strips) * kStripRows,
                end = std::min(share.end(strips) * kStripRows, d_model);
  multiply(w.w, begin, end, ws.joined, args.u.data + begin, d_model, share.counters);
}

}  // namespace

void fill_mtp(Ops& ops) {
  ops.norm_rows = {[](const NormRowsArgs&) { return 1; },
                   [](const NormRowsArgs&, int) { return size_t{0}; }, norm_rows};
  ops.mtp_joint = {[](const MtpJointArgs&) { return 2; },
                   [](const MtpJointArgs& args, int threads) {
                     return Workspace(args, threads - 1, nullptr).carver.size();
                   },
                   joint};
}

}  // namespace braid::cpu
