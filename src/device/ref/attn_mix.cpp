// Gated causal attention with rotary positions and normed queries and keys, grouped queries.
//
// A thread owns kv heads with the query heads that read them; they need nothing of each other, so
// the operation is one phase. Keys and values go to the cache first, rounded to its types, and
// every query reads them back from there: what a step computes does not depend on where the
// sequence was cut.
#include "device/ref/kv_row.h"
#include "device/ref/ref_ops.h"

#include <algorithm>

namespace braid::ref {
namespace {

struct Scratch {
  Scratch(const AttnMixArgs& args, Arena& arena) {
    const AttentionShape& shape = args.w.shape;
    const auto rows = static_cast<size_t>(args.x.rows), dim = static_cast<size_t>(shape.head_dim);
    h = arena.take<double>(rows * static_cast<size_t>(args.x.cols));
    w = arena.take<float>(static_cast<size_t>(args.x.cols));
    k = arena.take<double>(rows * dim);
    v = arena.take<double>(rows * dim);
    qg = arena.take<double>(rows * 2 * dim);
    p = arena.take<double>(static_cast<size_t>(args.batch.max_pages) * kPageTokens);
    o = arena.take<double>(dim);
    cached = arena.take<float>(dim);
  }
  double* h;      // [R, D]
  float* w;       // [D]
  double *k, *v;  // [R, head_dim] of the kv head
  double* qg;     // [R, 2*head_dim] of the query head: query, then gate
  double* p;      // [positions] of one query
  double* o;      // [head_dim]
  float* cached;  // [head_dim], a decoded row of the cache
};

// Rotates pairs (i, i + n/2) of the first n = rope_dims of a head. Frequencies and angles are f32
// as in the implementations that trained the models.
void rope(const AttentionShape& shape, int64_t position, double* head) {
  const int half = shape.rope_dims / 2;
  for (int i = 0; i < half; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(shape.rope_dims);
    const float frequency = 1.0f / std::pow(shape.rope_theta, exponent);
    const double angle = double{static_cast<float>(position) * frequency};
    const double a = head[i], b = head[i + half];
    head[i] = a * std::cos(angle) - b * std::sin(angle);
    head[i + half] = a * std::sin(angle) + b * std::cos(angle);
  }
}

class KvHead {
 public:
  KvHead(const AttnMixArgs& args, const Scratch& s, int kv_head, Counters* counters)
      : args_(args),
        shape_(args.w.shape),
        w_(impl<Attention>(args.w)),
        s_(s),
        kv_head_(kv_head),
        counters_(counters) {}

  void run() {
    append();
    const int group = shape_.heads / shape_.kv_heads;
    for (int head = kv_head_ * group; head < (kv_head_ + 1) * group; ++head) query_head(head);
  }

 private:
  // f(segment, row, position) for every row of the step
  template <class F>
  void each_row(F&& f) {
    for (int i = 0; i < args_.batch.counts->segments; ++i) {
      const Segment& segment = args_.batch.segments[i];
      for (int t = 0; t < segment.rows; ++t)
        f(i, int64_t{segment.row} + t, int64_t{segment.position} + t);
    }
  }

  void project(const Matrix& m, int64_t begin, int64_t n, double* out) {
    multiply_to(m, begin, begin + n, s_.h, args_.batch.counts->rows, s_.w, counters_, out);
  }

  // A row of the cache; here they lie one after the other.
  std::byte* cached(KvSide side, int64_t page, int64_t at) const {
    return args_.kv.part(side, page, kv_head_) + static_cast<size_t>(at) * args_.kv.row(side);
  }

  void append() {
    const int64_t dim = shape_.head_dim;
    project(w_.k, kv_head_ * dim, dim, s_.k);
    project(w_.v, kv_head_ * dim, dim, s_.v);
    each_row([&](int segment, int64_t row, int64_t position) {
      double *k = s_.k + row * dim, *v = s_.v + row * dim;
      rms_norm(k, w_.k_norm.data(), double{shape_.eps}, dim, k);
      rope(shape_, position, k);
      const int64_t page = args_.batch.page(segment, position), at = position % kPageTokens;
      write_kv_row(args_.kv.key_type, k, dim, cached(KvSide::kKeys, page, at));
      write_kv_row(args_.kv.value_type, v, dim, cached(KvSide::kValues, page, at));
    });
  }

  void query_head(int head) {
    const int64_t dim = shape_.head_dim;
    project(w_.qg, int64_t{2} * head * dim, 2 * dim, s_.qg);
    each_row([&](int segment, int64_t row, int64_t position) {
      double* q = s_.qg + row * 2 * dim;
      const double* gate = q + dim;
      rms_norm(q, w_.q_norm.data(), double{shape_.eps}, dim, q);
      rope(shape_, position, q);
      attend(segment, position, q);
      float* o = args_.o.row(row) + head * dim;
      for (int64_t i = 0; i < dim; ++i) o[i] = static_cast<float>(s_.o[i] * sigmoid(gate[i]));
    });
  }

  // s.o = sum_t p_t v_t, p = softmax(q.k_t / sqrt(head_dim)) over the positions up to the query's.
  void attend(int segment, int64_t position, const double* q) {
    const int64_t dim = shape_.head_dim;
    for (int64_t t = 0; t <= position; ++t) {
      const int64_t page = args_.batch.page(segment, t);
      decode_row(args_.kv.key_type, cached(KvSide::kKeys, page, t % kPageTokens), dim, s_.cached);
      s_.p[t] = dot(q, s_.cached, dim) / std::sqrt(double(dim));
    }
    const double largest = *std::max_element(s_.p, s_.p + position + 1);
    double all = 0;
    for (int64_t t = 0; t <= position; ++t) all += s_.p[t] = std::exp(s_.p[t] - largest);

    std::fill_n(s_.o, dim, 0.0);
    for (int64_t t = 0; t <= position; ++t) {
      const int64_t page = args_.batch.page(segment, t);
      decode_row(args_.kv.value_type, cached(KvSide::kValues, page, t % kPageTokens), dim,
                 s_.cached);
      for (int64_t i = 0; i < dim; ++i) s_.o[i] += s_.p[t] / all * double{s_.cached[i]};
    }
  }

  const AttnMixArgs& args_;
  const AttentionShape& shape_;
  const Attention& w_;
  const Scratch& s_;
  const int kv_head_;
  Counters* counters_;
};

void work(const AttnMixArgs& args, const Share& share) {
  const Scratch s = own_scratch<Scratch>(args, share);
  norm_rows(args.x, args.norm, checked_rows(args, args.x), s.h);
  const int heads = args.w.shape.kv_heads;
  for (int64_t head = share.begin(heads); head < share.end(heads); ++head)
    KvHead(args, s, static_cast<int>(head), share.counters).run();
}

}  // namespace

void fill_attn_mix(Ops& ops) {
  ops.attn_mix = {[](const AttnMixArgs&) { return 1; },
                  [](const AttnMixArgs& args, int threads) {
                    return static_cast<size_t>(threads) * scratch_bytes<Scratch>(args);
                  },
                  work};
}

}  // namespace braid::ref
