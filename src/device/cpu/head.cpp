// Logits of the wanted rows. Threads own rows of the vocabulary.
#include "device/cpu/cpu_ops.h"

#include <algorithm>

namespace braid::cpu {
namespace {

struct Workspace {
  Workspace(const HeadArgs& args, int threads, std::byte* base)
      : carver(base),
        inputs(args.logits.rows, args.x.cols, InputForms().with(impl<Matrix>(args.w)), threads,
               carver) {}
  Carver carver;
  InputRows inputs;
};

void work(const HeadArgs& args, const Share& share) {
  const Matrix& w = impl<Matrix>(args.w);
  Workspace ws(args, share.threads, share.workspace);
  const int rows = args.batch.counts->logit_rows;
  const int64_t strips = (args.w.rows + kStripRows - 1) / kStripRows;
  const int64_t begin = share.begin(strips) * kStripRows;
  if (ws.inputs.prepare(*w.kernels, args.x, &args.norm, rows, args.batch.logit_rows, share,
                        place_of(w, begin)))
    return;
  const int64_t end = std::min(share.end(strips) * kStripRows, args.w.rows);
  multiply(w, begin, end, ws.inputs.inputs(share), args.logits.data + begin, args.logits.cols,
           share.counters);
}

}  // namespace

void fill_head(Ops& ops) {
  ops.head = {[](const HeadArgs& args) { return InputRows::phases(args.logits.rows) + 1; },
              [](const HeadArgs& args, int threads) {
                return Workspace(args, threads, nullptr).carver.size();
              },
              work};
}

}  // namespace braid::cpu
