// Gated attention on the CPU: a phase that projects, norms and rotates the heads and appends keys
// and values, and a phase in which each (row, head) attends. Keys are looked at in partials of
// kPartial, aligned to the absolute position and combined in order.
#include "device/cpu/cpu_ops.h"

#include "base/half.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace braid::cpu {
namespace {

InputForms forms(const AttnMixArgs& args) {
  const Attention& w = impl<Attention>(args.w);
  return InputForms().with(w.qg).with(w.k).with(w.v);
}

struct Workspace {
  Workspace(const AttnMixArgs& args, int threads, int thread, std::byte* base)
      : carver(base), inputs(args.x.rows, args.x.cols, forms(args), threads, carver) {
    const AttentionShape& s = args.w.shape;
    const Attention& w = impl<Attention>(args.w);
    const auto rows = static_cast<size_t>(args.x.rows);
    const size_t dim = static_cast<size_t>(s.head_dim), heads = static_cast<size_t>(s.heads);
    q = carver.take<float>(rows * heads * dim);
    gate = carver.take<float>(rows * heads * dim);
    for (int t = 0; t <= thread; ++t) {
      head = carver.take<float>(rows * 2 * dim);
      rotation = carver.take<float>(rows * static_cast<size_t>(s.rope_dims));
      scratch = carver.take<float>(
          std::max({multiply_scratch(w.qg), multiply_scratch(w.k), multiply_scratch(w.v)}));
      partial = carver.take<float>(dim);
      scores = carver.take<float>(kPartial);
    }
  }
  Carver carver;
  InputRows inputs;
  float *q = nullptr, *gate = nullptr;  // [R, heads*D]
  float* head = nullptr;                // [R, D] or [R, 2D]: one head's projection
  float* rotation = nullptr;            // [R, rope_dims]: cosines, then sines
  float *scratch = nullptr, *partial = nullptr, *scores = nullptr;
};

KvType kv_type(DType type) {
  return type == DType::F32 ? KvType::kF32 : type == DType::F16 ? KvType::kF16 : KvType::kBF16;
}

void store_row(DType type, const float* x, int n, std::byte* to) {
  if (type == DType::F32) {
    std::memcpy(to, x, sizeof(float) * static_cast<size_t>(n));
    return;
  }
  auto* half = reinterpret_cast<uint16_t*>(to);
  for (int i = 0; i < n; ++i)
    half[i] = type == DType::F16 ? f16_from_f32(x[i]) : bf16_from_f32(x[i]);
}

class Mixer {
 public:
  Mixer(const AttnMixArgs& args, const Workspace& ws, const Share& share)
      : args_(args),
        w_(impl<Attention>(args.w)),
        k_(*w_.kernels),
        s_(args.w.shape),
        ws_(ws),
        share_(share) {}

  // Units: query heads, then key heads, then value heads.
  void project() {
    rotations();
    const int64_t units = s_.heads + 2 * s_.kv_heads;
    for (int64_t u = share_.begin(units); u < share_.end(units); ++u) {
      const int head = static_cast<int>(u);
      if (head < s_.heads)
        query_head(head);
      else if (head < s_.heads + s_.kv_heads)
        key_head(head - s_.heads);
      else
        value_head(head - s_.heads - s_.kv_heads);
    }
  }

  void attend() {
    const BatchView& batch = args_.batch;
    const int64_t units = int64_t{batch.counts->rows} * s_.heads;
    const int64_t begin = share_.begin(units), end = share_.end(units);
    for (int i = 0; i < batch.counts->segments; ++i) {
      const Segment& segment = batch.segments[i];
      const int64_t from = std::max(begin, int64_t{segment.row} * s_.heads);
      const int64_t to = std::min(end, int64_t{segment.row + segment.rows} * s_.heads);
      for (int64_t u = from; u < to; ++u) {
        const int64_t row = u / s_.heads;
        attend_head(i, row, segment.position + row - segment.row, static_cast<int>(u % s_.heads));
      }
    }
  }

 private:
  // f(row, segment index, absolute position)
  template <class F>
  void each_row(F&& f) {
    const BatchView& batch = args_.batch;
    for (int i = 0; i < batch.counts->segments; ++i) {
      const Segment& segment = batch.segments[i];
      for (int r = 0; r < segment.rows; ++r) f(segment.row + r, i, int64_t{segment.position} + r);
    }
  }

  void rotations() {
    const int half = s_.rope_dims / 2;
    each_row([&](int row, int, int64_t position) {
      float* cosine = ws_.rotation + int64_t{row} * s_.rope_dims;
      for (int i = 0; i < half; ++i) {
        // The product is rounded to f32 as in the reference implementations; the cosine is exact.
        const float angle = static_cast<float>(position) * w_.frequency[static_cast<size_t>(i)];
        cosine[i] = static_cast<float>(std::cos(static_cast<double>(angle)));
        cosine[half + i] = static_cast<float>(std::sin(static_cast<double>(angle)));
      }
    });
  }

  void rotate(float* x, int64_t row) {
    const int half = s_.rope_dims / 2;
    const float* cosine = ws_.rotation + row * s_.rope_dims;
    const float* sine = cosine + half;
    for (int i = 0; i < half; ++i) {
      const float a = x[i], b = x[i + half];
      x[i] = a * cosine[i] - b * sine[i];
      x[i + half] = a * sine[i] + b * cosine[i];
    }
  }

  void project_rows(const Matrix& m, int64_t begin, int64_t count) {
    multiply(m, begin, begin + count, ws_.inputs.inputs(share_), ws_.head, count, ws_.scratch,
             share_.counters);
  }

  void query_head(int head) {
    const int dim = s_.head_dim;
    project_rows(w_.qg, int64_t{head} * 2 * dim, 2 * dim);
    for (int64_t r = 0; r < args_.batch.counts->rows; ++r) {
      const int64_t at = (r * s_.heads + head) * dim;
      k_.rms_norm(ws_.head + r * 2 * dim, w_.q_norm.data(), s_.eps, dim, ws_.q + at);
      rotate(ws_.q + at, r);
      std::copy_n(ws_.head + r * 2 * dim + dim, dim, ws_.gate + at);
    }
  }

  void key_head(int head) {
    const int dim = s_.head_dim;
    project_rows(w_.k, int64_t{head} * dim, dim);
    each_row([&](int row, int segment, int64_t position) {
      float* key = ws_.head + int64_t{row} * dim;
      k_.rms_norm(key, w_.k_norm.data(), s_.eps, dim, key);
      rotate(key, row);
      const int64_t page = args_.batch.page(segment, position);
      store_row(args_.kv.key_type, key, dim, args_.kv.key(page, head, position % kPageTokens));
    });
  }

  void value_head(int head) {
    const int dim = s_.head_dim;
    project_rows(w_.v, int64_t{head} * dim, dim);
    each_row([&](int row, int segment, int64_t position) {
      const int64_t page = args_.batch.page(segment, position);
      store_row(args_.kv.value_type, ws_.head + int64_t{row} * dim, dim,
                args_.kv.value(page, head, position % kPageTokens));
    });
  }

  void attend_head(int segment, int64_t row, int64_t position, int head) {
    const int dim = s_.head_dim, kv_head = head / (s_.heads / s_.kv_heads);
    const float* q = ws_.q + (row * s_.heads + head) * dim;
    float* o = args_.o.row(row) + int64_t{head} * dim;
    float largest = 0, total = 0;
    for (int64_t from = 0; from <= position; from += kPartial) {
      const int n = static_cast<int>(std::min<int64_t>(kPartial, position + 1 - from));
      float sum = 0;
      const float top = partial(segment, from, n, q, kv_head, &sum);
      if (from == 0) {
        std::copy_n(ws_.partial, dim, o);
        largest = top;
        total = sum;
        continue;
      }
      const float both = std::max(largest, top);
      const float old_factor = std::exp(largest - both), new_factor = std::exp(top - both);
      k_.scale_to(o, old_factor, dim, o);
      k_.add_scaled(o, ws_.partial, new_factor, dim);
      total = total * old_factor + sum * new_factor;
      largest = both;
    }
    k_.scale_to(o, 1.0f / total, dim, o);
    k_.mul_sigmoid(o, ws_.gate + (row * s_.heads + head) * dim, dim);
  }

  // Keys [from, from + n): ws.partial = sum of e^(score - top) value, *sum of the weights; returns
  // top.
  float partial(int segment, int64_t from, int n, const float* q, int kv_head, float* sum) {
    const int dim = s_.head_dim;
    const float factor = 1.0f / std::sqrt(static_cast<float>(dim));
    const auto scores = k_.scores[static_cast<int>(kv_type(args_.kv.key_type))];
    const auto weigh = k_.weigh[static_cast<int>(kv_type(args_.kv.value_type))];
    for (int i = 0; i < n; i += kPageTokens) {
      const int64_t page = args_.batch.page(segment, from + i);
      scores(q, args_.kv.key(page, kv_head, 0), std::min(kPageTokens, n - i), dim, factor,
             ws_.scores + i);
    }
    const float top = *std::max_element(ws_.scores, ws_.scores + n);
    *sum = k_.exp_sum(ws_.scores, n, top);
    std::fill_n(ws_.partial, dim, 0.0f);
    for (int i = 0; i < n; i += kPageTokens) {
      const int64_t page = args_.batch.page(segment, from + i);
      weigh(ws_.scores + i, args_.kv.value(page, kv_head, 0), std::min(kPageTokens, n - i), dim,
            ws_.partial);
    }
    return top;
  }

  const AttnMixArgs& args_;
  const Attention& w_;
  const Kernels& k_;
  const AttentionShape& s_;
  const Workspace& ws_;
  const Share& share_;
};

void work(const AttnMixArgs& args, const Share& share) {
  Workspace ws(args, share.threads, share.thread, share.workspace);
  const int first = InputRows::phases(args.x.rows);
  if (share.phase <= first &&
      ws.inputs.prepare(*impl<Attention>(args.w).kernels, args.x, &args.norm,
                        args.batch.counts->rows, nullptr, share))
    return;
  Mixer mixer(args, ws, share);
  if (share.phase == first)
    mixer.project();
  else
    mixer.attend();
}

}  // namespace

void fill_attn_mix(Ops& ops) {
  ops.attn_mix = {[](const AttnMixArgs& args) { return InputRows::phases(args.x.rows) + 2; },
                  [](const AttnMixArgs& args, int threads) {
                    return Workspace(args, threads, threads - 1, nullptr).carver.size();
                  },
                  work};
}

}  // namespace braid::cpu
