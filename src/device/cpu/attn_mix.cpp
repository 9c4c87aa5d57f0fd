// Gated attention on the CPU: a phase that projects, norms and rotates the heads and appends keys
// and values, and a phase that attends (attend.h).
#include "device/cpu/attend.h"

#include <algorithm>
#include <cmath>

namespace braid::cpu {
namespace {

// A normed key is at most as long as the root of its dimensions times the largest weight.
float longest_key(const AttnMixArgs& args) {
  float most = 0;
  for (float w : impl<Attention>(args.w).k_norm) most = std::max(most, std::fabs(w));
  return most * std::sqrt(static_cast<float>(args.w.shape.head_dim));
}

InputForms forms(const AttnMixArgs& args) {
  const Attention& w = impl<Attention>(args.w);
  return InputForms().with(w.qg).with(w.k).with(w.v);
}

struct Workspace {
  Workspace(const AttnMixArgs& args, int threads, int thread, std::byte* base)
      : carver(base),
        inputs(args.x.rows, args.x.cols, forms(args), threads, carver),
        shared(args, threads, carver) {
    const AttentionShape& s = args.w.shape;
    if (base) shared.key_length = longest_key(args);
    const auto rows = static_cast<size_t>(args.x.rows), dim = static_cast<size_t>(s.head_dim);
    for (int t = 0; t <= thread; ++t) {
      head = carver.take<float>(rows * 2 * dim);
      rotation = carver.take<float>(rows * static_cast<size_t>(s.rope_dims));
      own = AttendWorkspace::Scratch(args, carver);
    }
  }
  Carver carver;
  InputRows inputs;
  AttendWorkspace shared;
  float* head = nullptr;      // [R, D] or [R, 2D]: one head's projection
  float* rotation = nullptr;  // [R, rope_dims]: cosines, then sines
  AttendWorkspace::Scratch own;
};

// Units of the projections: query heads, then key heads, then value heads.
int64_t units_of(const AttentionShape& s) { return s.heads + 2 * s.kv_heads; }

const std::byte* place_of_unit(const Attention& w, const AttentionShape& s, int64_t unit) {
  if (unit < s.heads) return place_of(w.qg, unit * 2 * s.head_dim);
  unit -= s.heads;
  return unit < s.kv_heads ? place_of(w.k, unit * s.head_dim)
                           : place_of(w.v, (unit - s.kv_heads) * s.head_dim);
}

const std::byte* first_unit(const Attention& w, const AttentionShape& s, const Share& share) {
  const int64_t unit = share.begin(units_of(s));
  return unit < share.end(units_of(s)) ? place_of_unit(w, s, unit) : nullptr;
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

  void project() {
    rotations();
    if (share_.thread == 0) ws_.shared.clear();
    const int64_t units = units_of(s_);
    for (int64_t u = share_.begin(units); u < share_.end(units); ++u) {
      const int head = static_cast<int>(u);
      const std::byte* soon = u + 1 < share_.end(units) ? place_of_unit(w_, s_, u + 1) : nullptr;
      if (head < s_.heads)
        query_head(head, soon);
      else if (head < s_.heads + s_.kv_heads)
        key_head(head - s_.heads, soon);
      else
        value_head(head - s_.heads - s_.kv_heads, soon);
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

  void project_rows(const Matrix& m, int64_t begin, int64_t count, const std::byte* soon) {
    multiply(m, begin, begin + count, ws_.inputs.inputs(share_), ws_.head, count, share_.counters,
             soon);
  }

  void query_head(int head, const std::byte* soon) {
    const int dim = s_.head_dim;
    project_rows(w_.qg, int64_t{head} * 2 * dim, 2 * dim, soon);
    for (int64_t r = 0; r < args_.batch.counts->rows; ++r) {
      float* q = ws_.head + r * 2 * dim;
      k_.rms_norm(q, w_.q_norm.data(), s_.eps, dim, q);
      rotate(q, r);
      ws_.shared.put_query(args_, k_, r, head, q);
      std::copy_n(q + dim, dim, ws_.shared.gate + (r * s_.heads + head) * dim);
    }
  }

  void key_head(int head, const std::byte* soon) {
    const int dim = s_.head_dim;
    project_rows(w_.k, int64_t{head} * dim, dim, soon);
    each_row([&](int row, int segment, int64_t position) {
      float* key = ws_.head + int64_t{row} * dim;
      k_.rms_norm(key, w_.k_norm.data(), s_.eps, dim, key);
      rotate(key, row);
      k_.store_key[static_cast<int>(kv_type(args_.kv.key_type))](
          key, dim, static_cast<int>(position % kPageTokens),
          args_.kv.keys_of(args_.batch.page(segment, position), head));
    });
  }

  void value_head(int head, const std::byte* soon) {
    const int dim = s_.head_dim;
    project_rows(w_.v, int64_t{head} * dim, dim, soon);
    each_row([&](int row, int segment, int64_t position) {
      k_.store_value[static_cast<int>(kv_type(args_.kv.value_type))](
          ws_.head + int64_t{row} * dim, dim, static_cast<int>(position % kPageTokens),
          args_.kv.values_of(args_.batch.page(segment, position), head));
    });
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
                        args.batch.counts->rows, nullptr, share,
                        first_unit(impl<Attention>(args.w), args.w.shape, share)))
    return;
  if (share.phase == first)
    Mixer(args, ws, share).project();
  else
    attend(args, *impl<Attention>(args.w).kernels, ws.shared, ws.own, share);
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
