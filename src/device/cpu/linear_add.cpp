// x += W o. Threads own rows of W, which are columns of x: nobody writes where another reads.
#include "device/cpu/cpu_ops.h"

#include <algorithm>

namespace braid::cpu {
namespace {

struct Workspace {
  Workspace(const LinearAddArgs& args, int thread, std::byte* base) : carver(base) {
    const auto rows = static_cast<size_t>(args.x.rows);
    for (int t = 0; t <= thread; ++t) {
      o = carver.take<const float*>(rows);
      out = carver.take<float*>(rows);
      product = carver.take<float>(rows * kStrip);
      strip = carver.take<float>(static_cast<size_t>(args.w.cols) * kStrip);
    }
  }
  Carver carver;
  const float** o = nullptr;
  float** out = nullptr;
  float *product = nullptr, *strip = nullptr;
};

void work(const LinearAddArgs& args, const Share& share) {
  const Matrix& w = impl<Matrix>(args.w);
  const Workspace ws(args, share.thread, share.workspace);
  const int rows = args.batch.counts->rows;
  point<const float>(ws.o, args.o.data, args.o.cols, rows);
  point(ws.out, ws.product, kStrip, rows);
  const int64_t strips = (args.w.rows + kStrip - 1) / kStrip;
  for (int64_t s = share.begin(strips); s < share.end(strips); ++s) {
    const int64_t begin = s * kStrip, end = std::min(begin + kStrip, args.w.rows);
    multiply(w, begin, end, ws.o, rows, ws.out, 0, ws.strip, share.counters);
    for (int r = 0; r < rows; ++r)
      for (int64_t n = begin; n < end; ++n) args.x.row(r)[n] += ws.product[r * kStrip + n - begin];
  }
}

}  // namespace

void fill_linear_add(Ops& ops) {
  ops.linear_add = {[](const LinearAddArgs&) { return 1; },
                    [](const LinearAddArgs& args, int threads) {
                      return Workspace(args, threads - 1, nullptr).carver.size();
                    },
                    work};
}

}  // namespace braid::cpu
