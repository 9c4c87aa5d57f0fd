// The experts of each row: softmax over all, the top_k of them, their weights made to sum to 1.
// Ties go to the lower index. First the scores of all experts, then the choice of each row.
#include "device/ref/ref_ops.h"

#include <algorithm>
#include <numeric>

namespace braid::ref {
namespace {

struct Scores {
  Scores(const RouteArgs& args, Arena& arena)
      : logits(arena.take<double>(static_cast<size_t>(args.x.rows * args.w.shape.experts))) {}
  double* logits;  // [R, E]
};

struct Scratch {
  Scratch(const RouteArgs& args, Arena& arena)
      : h(arena.take<double>(static_cast<size_t>(args.x.rows * args.x.cols))),
        w(arena.take<float>(static_cast<size_t>(args.x.cols))),
        order(arena.take<int32_t>(static_cast<size_t>(args.w.shape.experts))) {}
  double* h;       // [R, D]
  float* w;        // [D]
  int32_t* order;  // [E]
};

void choose(const RouteArgs& args, const Scratch& s, double* p, int64_t row) {
  const MoeShape& shape = args.w.shape;
  const double largest = *std::max_element(p, p + shape.experts);
  double all = 0;
  for (int e = 0; e < shape.experts; ++e) all += p[e] = std::exp(p[e] - largest);
  for (int e = 0; e < shape.experts; ++e) p[e] /= all;

  std::iota(s.order, s.order + shape.experts, 0);
  std::stable_sort(s.order, s.order + shape.experts,
                   [p](int32_t a, int32_t b) { return p[a] > p[b]; });
  std::sort(s.order, s.order + shape.top_k);
  double sum = 0;
  for (int i = 0; i < shape.top_k; ++i) sum += p[s.order[i]];
  for (int i = 0; i < shape.top_k; ++i) {
    args.routed.ids[row * shape.top_k + i] = s.order[i];
    args.routed.weights[row * shape.top_k + i] = static_cast<float>(p[s.order[i]] / sum);
  }
}

void weigh_shared(const RouteArgs& args, const Scratch& s, int64_t row) {
  const Vector& gate = impl<Router>(args.w).shared_gate;
  double weight = 1;
  if (!gate.empty()) {
    rms_norm(args.x.row(row), impl<Vector>(args.norm.weight).data(), args.norm.eps, args.x.cols,
             s.h);
    weight = sigmoid(dot(gate.data(), s.h, args.x.cols));
  }
  args.routed.shared[row] = static_cast<float>(weight);
}

void work(const RouteArgs& args, const Share& share) {
  const int rows = checked_rows(args, args.x);
  const MoeShape& shape = args.w.shape;
  const Scores scores = shared_scratch<Scores>(args, share);
  const Scratch s = own_scratch<Scratch>(args, share, scratch_bytes<Scores>(args));

  if (share.phase == 0) {
    norm_rows(args.x, args.norm, rows, s.h);
    const int64_t begin = share.begin(shape.experts), end = share.end(shape.experts);
    multiply(impl<Router>(args.w).router, begin, end, s.h, rows, s.w, share.counters,
             [&](int r, int64_t e, double y) {
               scores.logits[int64_t{r} * shape.experts + begin + e] = y;
             });
  } else {
    for (int64_t r = share.begin(rows); r < share.end(rows); ++r) {
      choose(args, s, scores.logits + r * shape.experts, r);
      if (shape.d_shared > 0) weigh_shared(args, s, r);
    }
  }
}

}  // namespace

void fill_route(Ops& ops) {
  ops.route = {[](const RouteArgs&) { return 2; },
               [](const RouteArgs& args, int threads) {
                 return scratch_bytes<Scores>(args) +
                        static_cast<size_t>(threads) * scratch_bytes<Scratch>(args);
               },
               work};
}

}  // namespace braid::ref
