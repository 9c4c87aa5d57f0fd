// Mixture of experts on the CPU: a phase for the intermediate values of every (row, slot), a phase
// in which each thread sums the down projections of its own columns. Weights of a called expert are
// read once, whatever the number of rows that called it.
#include "device/cpu/cpu_ops.h"

#include <algorithm>

namespace braid::cpu {
namespace {

// The (row, slot) pairs of a step, sorted by expert. Every thread makes its own: cheaper than a
// barrier.
struct Calls {
  int32_t* pairs = nullptr;   // row * top_k + slot
  int32_t* begin = nullptr;   // [E + 1]
  int32_t* called = nullptr;  // experts with at least one pair, ascending
  int count = 0;
};

struct Workspace {
  Workspace(const ExpertsArgs& args, int threads, int thread, std::byte* base)
      : carver(base), normed(args.x.rows, args.x.cols, threads, carver) {
    const MoeShape& s = args.w.shape;
    const auto rows = static_cast<size_t>(args.x.rows), top_k = static_cast<size_t>(s.top_k);
    inner = carver.take<float>(rows * top_k * static_cast<size_t>(s.d_ff));
    shared = carver.take<float>(rows * static_cast<size_t>(s.d_shared));
    for (int t = 0; t <= thread; ++t) {
      calls.pairs = carver.take<int32_t>(rows * top_k);
      calls.begin = carver.take<int32_t>(static_cast<size_t>(s.experts) + 1);
      calls.called = carver.take<int32_t>(static_cast<size_t>(s.experts));
      in = carver.take<const float*>(rows);
      out = carver.take<float*>(rows);
      gate = carver.take<float>(rows * kStrip);
      up = carver.take<float>(rows * kStrip);
      sum = carver.take<float>(rows * kStrip);
      strip = carver.take<float>(static_cast<size_t>(std::max({s.d_model, s.d_ff, s.d_shared})) *
                                 kStrip);
    }
  }
  Carver carver;
  NormedRows normed;
  float* inner = nullptr;   // [R, top_k, d_ff]
  float* shared = nullptr;  // [R, d_shared]
  Calls calls;
  const float** in = nullptr;
  float** out = nullptr;
  float *gate = nullptr, *up = nullptr, *sum = nullptr, *strip = nullptr;
};

void sort_calls(const ExpertsArgs& args, Calls& calls) {
  const MoeShape& s = args.w.shape;
  const int n = args.batch.counts->rows * s.top_k;
  std::fill_n(calls.begin, s.experts + 1, 0);
  for (int i = 0; i < n; ++i) ++calls.begin[args.routed.ids[i] + 1];
  calls.count = 0;
  for (int e = 0; e < s.experts; ++e) {
    if (calls.begin[e + 1] > 0) calls.called[calls.count++] = e;
    calls.begin[e + 1] += calls.begin[e];
  }
  // Filling moves each start to its end; reading begin[e-1] below undoes that shift.
  for (int i = 0; i < n; ++i) calls.pairs[calls.begin[args.routed.ids[i]]++] = i;
  std::copy_backward(calls.begin, calls.begin + s.experts, calls.begin + s.experts + 1);
  calls.begin[0] = 0;
}

class Mixture {
 public:
  Mixture(const ExpertsArgs& args, const Workspace& ws, const Share& share)
      : args_(args),
        w_(impl<Experts>(args.w)),
        k_(*w_.gate.kernels),
        s_(args.w.shape),
        ws_(ws),
        share_(share) {}

  // Units: strips of intermediate values, called expert by called expert, then those of the shared
  // one.
  void gate_and_up() {
    const int64_t strips = (s_.d_ff + kStrip - 1) / kStrip,
                  shared = (s_.d_shared + kStrip - 1) / kStrip;
    const int64_t units = ws_.calls.count * strips + shared;
    for (int64_t u = share_.begin(units); u < share_.end(units); ++u) {
      if (u < ws_.calls.count * strips)
        routed_strip(ws_.calls.called[u / strips], u % strips * kStrip);
      else
        shared_strip((u - ws_.calls.count * strips) * kStrip);
    }
  }

  void down() {
    const int64_t strips = (s_.d_model + kStrip - 1) / kStrip;
    for (int64_t s = share_.begin(strips); s < share_.end(strips); ++s)
      down_strip(s * kStrip, std::min<int64_t>((s + 1) * kStrip, s_.d_model));
  }

 private:
  int rows() const { return args_.batch.counts->rows; }

  // to[i] + begin receives silu(gate x) * up x for `count` rows whose inputs are in ws.in.
  template <class To>
  void activate(const Matrix& gate, const Matrix& up, int64_t first, int64_t n, int count,
                To&& to) {
    point(ws_.out, ws_.gate, kStrip, count);
    multiply(gate, first, first + n, ws_.in, count, ws_.out, 0, ws_.strip, share_.counters);
    point(ws_.out, ws_.up, kStrip, count);
    multiply(up, first, first + n, ws_.in, count, ws_.out, 0, ws_.strip, share_.counters);
    for (int i = 0; i < count; ++i)
      k_.silu_mul(ws_.gate + i * kStrip, ws_.up + i * kStrip, n, to(i));
  }

  void routed_strip(int expert, int64_t at) {
    const int32_t* pair = ws_.calls.pairs + ws_.calls.begin[expert];
    const int count = ws_.calls.begin[expert + 1] - ws_.calls.begin[expert];
    for (int i = 0; i < count; ++i) ws_.in[i] = ws_.normed.row(pair[i] / s_.top_k, share_.thread);
    activate(w_.gate, w_.up, int64_t{expert} * s_.d_ff + at,
             std::min<int64_t>(kStrip, s_.d_ff - at), count,
             [&](int i) { return ws_.inner + int64_t{pair[i]} * s_.d_ff + at; });
  }

  void shared_strip(int64_t at) {
    point<const float>(ws_.in, ws_.normed.row(0, share_.thread), args_.x.cols, rows());
    activate(w_.shared.gate, w_.shared.up, at, std::min<int64_t>(kStrip, s_.d_shared - at), rows(),
             [&](int i) { return ws_.shared + int64_t{i} * s_.d_shared + at; });
  }

  // Experts in ascending order, the shared one last: the same order for a row in any batch.
  void down_strip(int64_t begin, int64_t end) {
    const int64_t n = end - begin;
    std::fill_n(ws_.sum, int64_t{rows()} * kStrip, 0.0f);
    for (int c = 0; c < ws_.calls.count; ++c) {
      const int expert = ws_.calls.called[c];
      const int32_t* pair = ws_.calls.pairs + ws_.calls.begin[expert];
      const int count = ws_.calls.begin[expert + 1] - ws_.calls.begin[expert];
      for (int i = 0; i < count; ++i) ws_.in[i] = ws_.inner + int64_t{pair[i]} * s_.d_ff;
      point(ws_.out, ws_.gate, kStrip, count);
      const int64_t first = int64_t{expert} * s_.d_model + begin;
      multiply(w_.down, first, first + n, ws_.in, count, ws_.out, 0, ws_.strip, share_.counters);
      for (int i = 0; i < count; ++i)
        k_.add_scaled(ws_.sum + int64_t{pair[i] / s_.top_k} * kStrip, ws_.gate + i * kStrip,
                      args_.routed.weights[pair[i]], n);
    }
    if (s_.d_shared > 0) {
      point<const float>(ws_.in, ws_.shared, s_.d_shared, rows());
      point(ws_.out, ws_.gate, kStrip, rows());
      multiply(w_.shared.down, begin, end, ws_.in, rows(), ws_.out, 0, ws_.strip, share_.counters);
      for (int r = 0; r < rows(); ++r)
        k_.add_scaled(ws_.sum + r * kStrip, ws_.gate + r * kStrip, args_.routed.shared[r], n);
    }
    for (int r = 0; r < rows(); ++r)
      for (int64_t i = 0; i < n; ++i) args_.x.row(r)[begin + i] += ws_.sum[r * kStrip + i];
  }

  const ExpertsArgs& args_;
  const Experts& w_;
  const Kernels& k_;
  const MoeShape& s_;
  const Workspace& ws_;
  const Share& share_;
};

void work(const ExpertsArgs& args, const Share& share) {
  Workspace ws(args, share.threads, share.thread, share.workspace);
  const int first = NormedRows::phases(args.x.rows);
  if (share.phase <= first &&
      ws.normed.prepare(args.x, args.norm, args.batch.counts->rows, nullptr, share))
    return;
  sort_calls(args, ws.calls);
  if (share.thread == 0 && share.phase == first) {
    share.counters->expert_calls +=
        static_cast<uint64_t>(args.batch.counts->rows) * args.w.shape.top_k;
    share.counters->experts_called += static_cast<uint64_t>(ws.calls.count);
  }
  Mixture mixture(args, ws, share);
  if (share.phase == first)
    mixture.gate_and_up();
  else
    mixture.down();
}

}  // namespace

void fill_experts(Ops& ops) {
  ops.experts = {[](const ExpertsArgs& args) { return NormedRows::phases(args.x.rows) + 2; },
                 [](const ExpertsArgs& args, int threads) {
                   return Workspace(args, threads, threads - 1, nullptr).carver.size();
                 },
                 work};
}

}  // namespace braid::cpu
