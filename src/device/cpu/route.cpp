// The router. For a few rows the thread that arrives last picks the experts, which saves a barrier;
// for many rows picking is a phase of its own.
#include "device/cpu/cpu_ops.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace braid::cpu {
namespace {

constexpr int kStretch = 32;  // experts that picking looks at together

struct Workspace {
  Workspace(const RouteArgs& args, int threads, int thread, std::byte* base)
      : carver(base),
        inputs(args.x.rows, args.x.cols, InputForms().with(impl<Router>(args.w).router), threads,
               carver) {
    const auto rows = static_cast<size_t>(args.x.rows),
               experts = static_cast<size_t>(args.w.shape.experts);
    logits = carver.take<float>(rows * experts);
    for (int t = 0; t <= thread; ++t) {
      normed = carver.take<float>(static_cast<size_t>(args.x.cols));
      scores = carver.take<float>(experts);
      bests = carver.take<float>(experts / kStretch + 1);
    }
  }
  Carver carver;
  InputRows inputs;
  float* logits = nullptr;  // [R, E]
  float* normed = nullptr;
  float *scores = nullptr, *bests = nullptr;
};

// Where the thread's rows of the router begin.
const std::byte* first_row(const RouteArgs& args, const Share& share) {
  const int64_t strips = (args.w.shape.experts + kStripRows - 1) / kStripRows;
  return place_of(impl<Router>(args.w).router, share.begin(strips) * kStripRows);
}

void score(const RouteArgs& args, const Share& share, const Workspace& ws) {
  const Router& w = impl<Router>(args.w);
  const int experts = args.w.shape.experts;
  const int64_t strips = (experts + kStripRows - 1) / kStripRows;
  const int64_t begin = share.begin(strips) * kStripRows;
  const int64_t end = std::min<int64_t>(share.end(strips) * kStripRows, experts);
  multiply(w.router, begin, end, ws.inputs.inputs(share), ws.logits + begin, experts,
           share.counters);
}

// The places of the `count` largest of n scores, ascending; of equal ones the first. The best of
// each stretch of 32 is kept, so that a pick looks at one stretch and the bests. Overwrites the
// scores that it picks. Without enough numbers above minus infinity a place may come twice.
void pick_largest(float* scores, int n, int count, float* bests, int32_t* places) {
  constexpr float kTaken = -std::numeric_limits<float>::infinity();
  const int stretches = (n + kStretch - 1) / kStretch;
  const auto best_of = [&](int s) {
    float best = kTaken;
    const int end = std::min(n, (s + 1) * kStretch);
    for (int i = s * kStretch; i < end; ++i) best = scores[i] > best ? scores[i] : best;
    return best;
  };
  for (int s = 0; s < stretches; ++s) bests[s] = best_of(s);
  for (int c = 0; c < count; ++c) {
    const int s = static_cast<int>(std::max_element(bests, bests + stretches) - bests);
    int at = s * kStretch;
    const int end = std::min(n, at + kStretch);
    while (at + 1 < end && scores[at] != bests[s]) ++at;
    places[c] = at;
    scores[at] = kTaken;
    bests[s] = best_of(s);
  }
  std::sort(places, places + count);
}

// The top_k of a row; softmax over them equals softmax over all, renormalised.
void pick(const RouteArgs& args, const Workspace& ws, int64_t row) {
  const MoeShape& s = args.w.shape;
  const Router& w = impl<Router>(args.w);
  const float* logits = ws.logits + row * s.experts;
  std::copy_n(logits, s.experts, ws.scores);
  int32_t* ids = args.routed.ids + row * s.top_k;
  pick_largest(ws.scores, s.experts, s.top_k, ws.bests, ids);
  float largest = logits[ids[0]];
  for (int i = 1; i < s.top_k; ++i) largest = std::max(largest, logits[ids[i]]);
  float* weights = args.routed.weights + row * s.top_k;
  float sum = 0;
  for (int i = 0; i < s.top_k; ++i) {
    weights[i] = std::exp(logits[ids[i]] - largest);
    sum += weights[i];
  }
  for (int i = 0; i < s.top_k; ++i) weights[i] /= sum;
  if (s.d_shared == 0) return;
  float shared = 1;
  if (!w.shared_gate.empty()) {
    const Kernels& k = *w.router.kernels;
    k.rms_norm(args.x.row(row), impl<Vector>(args.norm.weight).data.data(), args.norm.eps,
               args.x.cols, ws.normed);
    const float x = k.dot(w.shared_gate.data(), ws.normed, args.x.cols);
    shared = 1.0f / (1.0f + std::exp(-x));
  }
  args.routed.shared[row] = shared;
}

void work(const RouteArgs& args, const Share& share) {
  Workspace ws(args, share.threads, share.thread, share.workspace);
  const int64_t rows = args.batch.counts->rows;
  if (ws.inputs.prepare(*impl<Router>(args.w).router.kernels, args.x, &args.norm,
                        static_cast<int>(rows), nullptr, share, first_row(args, share)))
    return;
  if (ws.inputs.shared()) {
    if (share.phase == 1) return score(args, share, ws);
    for (int64_t r = share.begin(rows); r < share.end(rows); ++r) pick(args, ws, r);
    return;
  }
  score(args, share, ws);
  std::atomic<int>& arrived = impl<Router>(args.w).arrived;
  if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 < share.threads) return;
  arrived.store(0, std::memory_order_relaxed);  // the phase's barrier publishes it
  for (int64_t r = 0; r < rows; ++r) pick(args, ws, r);
}

}  // namespace

void fill_route(Ops& ops) {
  ops.route = {[](const RouteArgs& args) { return InputRows::phases(args.x.rows) > 0 ? 3 : 1; },
               [](const RouteArgs& args, int threads) {
                 return Workspace(args, threads, threads - 1, nullptr).carver.size();
               },
               work};
}

}  // namespace braid::cpu
