// x += W o. Threads own rows of W, which are columns of x: nobody writes where another reads.
#include "device/cpu/cpu_ops.h"

#include <algorithm>

namespace braid::cpu {
namespace {

struct Workspace {
  Workspace(const LinearAddArgs& args, int threads, int thread, std::byte* base)
      : carver(base),
        inputs(args.x.rows, args.o.cols, InputForms().with(impl<Matrix>(args.w)), threads, carver) {
    const Matrix& w = impl<Matrix>(args.w);
    for (int t = 0; t <= thread; ++t)
      product = carver.take<float>(kTileRows * static_cast<size_t>(rows_in_cache(w)));
  }
  Carver carver;
  InputRows inputs;
  float* product = nullptr;
};

void work(const LinearAddArgs& args, const Share& share) {
  const Matrix& w = impl<Matrix>(args.w);
  Workspace ws(args, share.threads, share.thread, share.workspace);
  const int rows = args.batch.counts->rows;
  const int64_t strips = (args.w.rows + kStripRows - 1) / kStripRows;
  const int64_t begin = share.begin(strips) * kStripRows;
  if (ws.inputs.prepare(*w.kernels, args.o, nullptr, rows, nullptr, share, place_of(w, begin)))
    return;
  const int64_t end = std::min(share.end(strips) * kStripRows, args.w.rows);
  add_product(w, begin, end, ws.inputs.inputs(share), args.x, ws.product, share.counters);
}

}  // namespace

void fill_linear_add(Ops& ops) {
  ops.linear_add = {[](const LinearAddArgs& args) { return InputRows::phases(args.x.rows) + 1; },
                    [](const LinearAddArgs& args, int threads) {
                      return Workspace(args, threads, threads - 1, nullptr).carver.size();
                    },
                    work};
}

}  // namespace braid::cpu
