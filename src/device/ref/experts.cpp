// x += sum_i weight_i * down_i(silu(gate_i h) * up_i h) + the shared expert, h = RMS(x). First the
// inner values of every (row, slot), then x. The experts of a row are summed in the order of its
// slots, the shared one last. The weights of an expert are read once, whoever called it.
#include "device/ref/ref_ops.h"

#include <algorithm>

namespace braid::ref {
namespace {

struct Inner {
  Inner(const ExpertsArgs& args, Arena& arena) {
    const MoeShape& shape = args.w.shape;
    routed = arena.take<double>(static_cast<size_t>(args.x.rows * shape.top_k * shape.d_ff));
    shared = arena.take<double>(static_cast<size_t>(args.x.rows * shape.d_shared));
  }
  double* routed;  // [R, top_k, d_ff]
  double* shared;  // [R, d_shared]
};

struct Scratch {
  Scratch(const ExpertsArgs& args, Arena& arena) {
    const MoeShape& shape = args.w.shape;
    h = arena.take<double>(static_cast<size_t>(args.x.rows * args.x.cols));
    w = arena.take<float>(
        static_cast<size_t>(std::max({shape.d_model, shape.d_ff, shape.d_shared})));
    calls = arena.take<int32_t>(static_cast<size_t>(args.x.rows * shape.top_k));
    sum = arena.take<double>(static_cast<size_t>(args.x.rows * args.x.cols));
  }
  double* h;       // [R, D]
  float* w;        // a row of weights
  int32_t* calls;  // row * top_k + slot of those that called an expert
  double* sum;     // [R, the thread's part of D]
};

class Mixture {
 public:
  Mixture(const ExpertsArgs& args, const Share& share)
      : args_(args),
        share_(share),
        shape_(args.w.shape),
        w_(impl<Experts>(args.w)),
        inner_(shared_scratch<Inner>(args, share)),
        s_(own_scratch<Scratch>(args, share, scratch_bytes<Inner>(args))),
        rows_(checked_rows(args, args.x)) {}

  void gate_and_up() {
    norm_rows(args_.x, args_.norm, rows_, s_.h);
    const int64_t begin = share_.begin(shape_.d_ff), end = share_.end(shape_.d_ff);
    for (int e = 0; e < shape_.experts; ++e) {
      const int count = find_calls(e);
      if (count == 0) continue;
      if (share_.thread == 0) {
        share_.counters->expert_calls += static_cast<uint64_t>(count);
        ++share_.counters->experts_called;
      }
      for (int64_t n = begin; n < end; ++n) {
        const int64_t row = int64_t{e} * shape_.d_ff + n;
        w_.gate.read(row, s_.w, share_.counters);
        for (int c = 0; c < count; ++c) inner_at(c, n) = silu(dot(s_.w, h_of(c), args_.x.cols));
        w_.up.read(row, s_.w, share_.counters);
        for (int c = 0; c < count; ++c) inner_at(c, n) *= dot(s_.w, h_of(c), args_.x.cols);
      }
    }
    shared_gate_and_up();
  }

  void down() {
    const int64_t begin = share_.begin(args_.x.cols), end = share_.end(args_.x.cols);
    const int64_t width = end - begin;
    std::fill_n(s_.sum, rows_ * width, 0.0);
    for (int e = 0; e < shape_.experts; ++e) {
      const int count = find_calls(e);
      if (count == 0) continue;
      for (int64_t n = begin; n < end; ++n) {
        w_.down.read(int64_t{e} * shape_.d_model + n, s_.w, share_.counters);
        for (int c = 0; c < count; ++c)
          s_.sum[row_of(c) * width + n - begin] +=
              double{args_.routed.weights[s_.calls[c]]} * dot(s_.w, &inner_at(c, 0), shape_.d_ff);
      }
    }
    if (shape_.d_shared > 0)
      multiply(w_.shared.down, begin, end, inner_.shared, rows_, s_.w, share_.counters,
               [&](int r, int64_t n, double y) {
                 s_.sum[r * width + n] += double{args_.routed.shared[r]} * y;
               });
    for (int r = 0; r < rows_; ++r)
      for (int64_t n = begin; n < end; ++n) {
        float& x = args_.x.row(r)[n];
        x = static_cast<float>(double{x} + s_.sum[r * width + n - begin]);
      }
  }

 private:
  int find_calls(int expert) {
    int count = 0;
    for (int i = 0; i < rows_ * shape_.top_k; ++i)
      if (args_.routed.ids[i] == expert) s_.calls[count++] = i;
    return count;
  }
  int64_t row_of(int call) const { return s_.calls[call] / shape_.top_k; }
  const double* h_of(int call) const { return s_.h + row_of(call) * args_.x.cols; }
  double& inner_at(int call, int64_t n) {
    return inner_.routed[int64_t{s_.calls[call]} * shape_.d_ff + n];
  }

  void shared_gate_and_up() {
    const int64_t begin = share_.begin(shape_.d_shared), end = share_.end(shape_.d_shared);
    const auto at = [&](int r, int64_t n) -> double& {
      return inner_.shared[int64_t{r} * shape_.d_shared + begin + n];
    };
    multiply(w_.shared.gate, begin, end, s_.h, rows_, s_.w, share_.counters,
             [&](int r, int64_t n, double y) { at(r, n) = silu(y); });
    multiply(w_.shared.up, begin, end, s_.h, rows_, s_.w, share_.counters,
             [&](int r, int64_t n, double y) { at(r, n) *= y; });
  }

  const ExpertsArgs& args_;
  const Share& share_;
  const MoeShape& shape_;
  const Experts& w_;
  Inner inner_;
  Scratch s_;
  int rows_;
};

void work(const ExpertsArgs& args, const Share& share) {
  Mixture mixture(args, share);
  if (share.phase == 0)
    mixture.gate_and_up();
  else
    mixture.down();
}

}  // namespace

void fill_experts(Ops& ops) {
  ops.experts = {[](const ExpertsArgs&) { return 2; },
                 [](const ExpertsArgs& args, int threads) {
                   return scratch_bytes<Inner>(args) +
                          static_cast<size_t>(threads) * scratch_bytes<Scratch>(args);
                 },
                 work};
}

}  // namespace braid::ref
