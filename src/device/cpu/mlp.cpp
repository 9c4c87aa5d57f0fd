// x += down(silu(gate h) * up h): one phase for the intermediate values, one for the sum.
#include "device/cpu/cpu_ops.h"

#include <algorithm>

namespace braid::cpu {
namespace {

struct Workspace {
  Workspace(const MlpArgs& args, int threads, int thread, std::byte* base)
      : carver(base), normed(args.x.rows, args.x.cols, threads, carver) {
    const auto rows = static_cast<size_t>(args.x.rows);
    inner = carver.take<float>(rows * static_cast<size_t>(args.w.d_ff));
    for (int t = 0; t <= thread; ++t) {
      in = carver.take<const float*>(rows);
      out = carver.take<float*>(rows);
      gate = carver.take<float>(rows * kStrip);
      up = carver.take<float>(rows * kStrip);
      strip =
          carver.take<float>(static_cast<size_t>(std::max(args.w.d_model, args.w.d_ff)) * kStrip);
    }
  }
  Carver carver;
  NormedRows normed;
  float* inner = nullptr;  // [R, d_ff]
  const float** in = nullptr;
  float** out = nullptr;
  float *gate = nullptr, *up = nullptr, *strip = nullptr;
};

void gate_and_up(const MlpArgs& args, const Share& share, const Workspace& ws, int rows) {
  const Mlp& w = impl<Mlp>(args.w);
  point<const float>(ws.in, ws.normed.row(0, share.thread), args.x.cols, rows);
  const int64_t d_ff = args.w.d_ff, strips = (d_ff + kStrip - 1) / kStrip;
  for (int64_t s = share.begin(strips); s < share.end(strips); ++s) {
    const int64_t begin = s * kStrip, end = std::min(begin + kStrip, d_ff);
    point(ws.out, ws.gate, kStrip, rows);
    multiply(w.gate, begin, end, ws.in, rows, ws.out, 0, ws.strip, share.counters);
    point(ws.out, ws.up, kStrip, rows);
    multiply(w.up, begin, end, ws.in, rows, ws.out, 0, ws.strip, share.counters);
    for (int r = 0; r < rows; ++r)
      w.gate.kernels->silu_mul(ws.gate + r * kStrip, ws.up + r * kStrip, end - begin,
                               ws.inner + r * d_ff + begin);
  }
}

void down(const MlpArgs& args, const Share& share, const Workspace& ws, int rows) {
  const Mlp& w = impl<Mlp>(args.w);
  point<const float>(ws.in, ws.inner, args.w.d_ff, rows);
  point(ws.out, ws.gate, kStrip, rows);
  const int64_t d_model = args.w.d_model, strips = (d_model + kStrip - 1) / kStrip;
  for (int64_t s = share.begin(strips); s < share.end(strips); ++s) {
    const int64_t begin = s * kStrip, end = std::min(begin + kStrip, d_model);
    multiply(w.down, begin, end, ws.in, rows, ws.out, 0, ws.strip, share.counters);
    for (int r = 0; r < rows; ++r)
      for (int64_t n = begin; n < end; ++n) args.x.row(r)[n] += ws.gate[r * kStrip + n - begin];
  }
}

void work(const MlpArgs& args, const Share& share) {
  Workspace ws(args, share.threads, share.thread, share.workspace);
  const int rows = args.batch.counts->rows;
  const int first = NormedRows::phases(args.x.rows);
  if (share.phase <= first && ws.normed.prepare(args.x, args.norm, rows, nullptr, share)) return;
  if (share.phase == first)
    gate_and_up(args, share, ws, rows);
  else
    down(args, share, ws, rows);
}

}  // namespace

void fill_mlp(Ops& ops) {
  ops.mlp = {[](const MlpArgs& args) { return NormedRows::phases(args.x.rows) + 2; },
             [](const MlpArgs& args, int threads) {
               return Workspace(args, threads, threads - 1, nullptr).carver.size();
             },
             work};
}

}  // namespace braid::cpu
