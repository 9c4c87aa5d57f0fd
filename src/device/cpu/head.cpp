// Logits of the wanted rows. Threads own rows of the vocabulary.
#include "device/cpu/cpu_ops.h"

#include <algorithm>

namespace braid::cpu {
namespace {

struct Workspace {
  Workspace(const HeadArgs& args, int threads, int thread, std::byte* base)
      : carver(base), normed(args.logits.rows, args.x.cols, threads, carver) {
    const auto rows = static_cast<size_t>(args.logits.rows);
    for (int t = 0; t <= thread; ++t) {
      in = carver.take<const float*>(rows);
      out = carver.take<float*>(rows);
      strip = carver.take<float>(static_cast<size_t>(args.x.cols) * kStrip);
    }
  }
  Carver carver;
  NormedRows normed;
  const float** in = nullptr;
  float** out = nullptr;
  float* strip = nullptr;
};

void work(const HeadArgs& args, const Share& share) {
  Workspace ws(args, share.threads, share.thread, share.workspace);
  const int rows = args.batch.counts->logit_rows;
  if (ws.normed.prepare(args.x, args.norm, rows, args.batch.logit_rows, share)) return;
  point<const float>(ws.in, ws.normed.row(0, share.thread), args.x.cols, rows);
  point(ws.out, args.logits.data, args.logits.cols, rows);
  const int64_t strips = (args.w.rows + kStrip - 1) / kStrip;
  const int64_t begin = share.begin(strips) * kStrip;
  const int64_t end = std::min(share.end(strips) * kStrip, args.w.rows);
  if (begin < end)
    multiply(impl<Matrix>(args.w), begin, end, ws.in, rows, ws.out, begin, ws.strip,
             share.counters);
}

}  // namespace

void fill_head(Ops& ops) {
  ops.head = {[](const HeadArgs& args) { return NormedRows::phases(args.logits.rows) + 1; },
              [](const HeadArgs& args, int threads) {
                return Workspace(args, threads, threads - 1, nullptr).carver.size();
              },
              work};
}

}  // namespace braid::cpu
