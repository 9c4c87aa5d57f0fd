// x += down(silu(gate h) * up h): one phase for the intermediate values, one for the sum.
#include "device/cpu/cpu_ops.h"

#include <algorithm>

namespace braid::cpu {
namespace {

struct Workspace {
  Workspace(const MlpArgs& args, int threads, int thread, std::byte* base)
      : carver(base),
        inputs(args.x.rows, args.x.cols,
               InputForms().with(impl<Mlp>(args.w).gate).with(impl<Mlp>(args.w).up), threads,
               carver),
        inner{carver.take<float>(static_cast<size_t>(args.x.rows * args.w.d_ff)), args.x.rows,
              args.w.d_ff},
        inner_inputs(args.x.rows, args.w.d_ff, InputForms().with(impl<Mlp>(args.w).down), threads,
                     carver) {
    const Mlp& w = impl<Mlp>(args.w);
    const auto rows = static_cast<size_t>(args.x.rows);
    for (int t = 0; t <= thread; ++t) {
      gate = carver.take<float>(rows * kStripRows);
      up = carver.take<float>(rows * kStripRows);
      product = carver.take<float>(kTileRows * static_cast<size_t>(rows_in_cache(w.down)));
    }
  }
  Carver carver;
  InputRows inputs;
  Tensor inner;  // [R, d_ff]
  InputRows inner_inputs;
  float *gate = nullptr, *up = nullptr, *product = nullptr;
};

// Where the thread's part of gate begins, and of the down projection.
const std::byte* gate_part(const MlpArgs& args, const Share& share) {
  const int64_t strips = (args.w.d_ff + kStripRows - 1) / kStripRows;
  return place_of(impl<Mlp>(args.w).gate, share.begin(strips) * kStripRows);
}
const std::byte* down_part(const MlpArgs& args, const Share& share) {
  const int64_t strips = (args.w.d_model + kStripRows - 1) / kStripRows;
  return place_of(impl<Mlp>(args.w).down, share.begin(strips) * kStripRows);
}

// Strip by strip: what is active of 16 values of gate and up goes on while it is in the cache.
void gate_and_up(const MlpArgs& args, const Share& share, const Workspace& ws) {
  const Mlp& w = impl<Mlp>(args.w);
  const Inputs in = ws.inputs.inputs(share);
  const int64_t d_ff = args.w.d_ff, strips = (d_ff + kStripRows - 1) / kStripRows;
  for (int64_t s = share.begin(strips); s < share.end(strips); ++s) {
    const int64_t begin = s * kStripRows, end = std::min(begin + kStripRows, d_ff);
    multiply(w.gate, begin, end, in, ws.gate, kStripRows, share.counters, place_of(w.up, begin));
    multiply(w.up, begin, end, in, ws.up, kStripRows, share.counters,
             s + 1 < share.end(strips) ? place_of(w.gate, end) : down_part(args, share));
    for (int r = 0; r < in.rows; ++r)
      w.gate.kernels->silu_mul(ws.gate + r * kStripRows, ws.up + r * kStripRows, end - begin,
                               ws.inner.row(r) + begin);
  }
}

void down(const MlpArgs& args, const Share& share, const Workspace& ws) {
  const int64_t strips = (args.w.d_model + kStripRows - 1) / kStripRows;
  const int64_t begin = share.begin(strips) * kStripRows;
  const int64_t end = std::min<int64_t>(share.end(strips) * kStripRows, args.w.d_model);
  add_product(impl<Mlp>(args.w).down, begin, end, ws.inner_inputs.inputs(share), args.x, ws.product,
              share.counters);
}

// Many rows: inputs, gate and up, inputs, down. Few: the second and the fourth.
void work(const MlpArgs& args, const Share& share) {
  Workspace ws(args, share.threads, share.thread, share.workspace);
  const Kernels& k = *impl<Mlp>(args.w).gate.kernels;
  const int rows = args.batch.counts->rows;
  const int first = InputRows::phases(args.x.rows);
  if (share.phase <= first) {
    if (ws.inputs.prepare(k, args.x, &args.norm, rows, nullptr, share, gate_part(args, share)))
      return;
    return gate_and_up(args, share, ws);
  }
  Share rest = share;
  rest.phase = share.phase - first - 1;
  if (ws.inner_inputs.prepare(k, ws.inner, nullptr, rows, nullptr, rest, down_part(args, share)))
    return;
  down(args, share, ws);
}

}  // namespace

void fill_mlp(Ops& ops) {
  ops.mlp = {[](const MlpArgs& args) { return 2 * InputRows::phases(args.x.rows) + 2; },
             [](const MlpArgs& args, int threads) {
               return Workspace(args, threads, threads - 1, nullptr).carver.size();
             },
             work};
}

}  // namespace braid::cpu
