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
    const auto rows = static_cast<size_t>(args.e.rows),
               width = 2 * static_cast<size_t>(args.e.cols);
    joined = carver.take<float>(rows * width);
    for (int t = 0; t <= thread; ++t) {
      in = carver.take<const float*>(rows);
      out = carver.take<float*>(rows);
      strip = carver.take<float>(width * kStrip);
    }
  }
  Carver carver;
  float* joined = nullptr;  // [R, 2D]: the normed embedding, then the normed hidden vector
  const float** in = nullptr;
  float** out = nullptr;
  float* strip = nullptr;
};

void joint(const MtpJointArgs& args, const Share& share) {
  const MtpJoint& w = impl<MtpJoint>(args.w);
  const Workspace ws(args, share.thread, share.workspace);
  const int rows = args.batch.counts->rows;
  const int64_t d_model = args.e.cols;
  if (share.phase == 0) {
    for (int64_t r = share.begin(rows); r < share.end(rows); ++r) {
      float* to = ws.joined + r * 2 * d_model;
      w.w.kernels->rms_norm(args.e.row(r), w.embedding_norm.data(), w.eps, d_model, to);
      w.w.kernels->rms_norm(args.h.row(r), w.hidden_norm.data(), w.eps, d_model, to + d_model);
    }
    return;
  }
  point<const float>(ws.in, ws.joined, 2 * d_model, rows);
  point(ws.out, args.u.data, d_model, rows);
  const int64_t strips = (d_model + kStrip - 1) / kStrip;
  const int64_t begin = share.begin(strips) * kStrip,
                end = std::min(share.end(strips) * kStrip, d_model);
  if (begin < end) multiply(w.w, begin, end, ws.in, rows, ws.out, begin, ws.strip, share.counters);
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
