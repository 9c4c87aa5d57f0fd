// Mixture of experts on the CPU. A phase for the intermediate values of every (row, slot), expert
// by expert; a phase in which each thread adds the down projections of its own columns. Weights of
// a called expert are read once, whatever the number of rows that called it. With many rows each of
// the two has a phase before it that makes its inputs.
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
      : carver(base),
        x(args.x.rows, args.x.cols, in_forms(args), threads, carver, true),
        many(InputRows::phases(args.x.rows) > 0) {
    const Experts& w = impl<Experts>(args.w);
    const MoeShape& s = args.w.shape;
    const auto rows = static_cast<size_t>(args.x.rows), top_k = static_cast<size_t>(s.top_k);
    inner = carver.take<float>(rows * top_k * static_cast<size_t>(s.d_ff));
    shared = carver.take<float>(rows * static_cast<size_t>(s.d_shared));
    const InputForms routed_forms = InputForms().with(w.down);
    const InputForms shared_forms =
        s.d_shared > 0 ? InputForms().with(w.shared.down) : InputForms();
    if (many) {
      inner_inputs = take_inputs(carver, rows * top_k, s.d_ff, routed_forms);
      shared_inputs = take_inputs(carver, rows, s.d_shared, shared_forms);
    }
    for (int t = 0; t <= thread; ++t) {
      if (!many) {
        inner_inputs = take_inputs(carver, rows * top_k, s.d_ff, routed_forms);
        shared_inputs = take_inputs(carver, rows, s.d_shared, shared_forms);
      }
      calls.pairs = carver.take<int32_t>(rows * top_k);
      calls.begin = carver.take<int32_t>(static_cast<size_t>(s.experts) + 1);
      calls.called = carver.take<int32_t>(static_cast<size_t>(s.experts));
      tile = take_inputs(carver, rows, s.d_model, in_forms(args));
      const int values = many ? kStripRows : std::max(s.d_ff, s.d_shared);
      gate = carver.take<float>(rows * static_cast<size_t>(values));
      up = carver.take<float>(rows * static_cast<size_t>(values));
      product = carver.take<float>(kTileRows * kDownCols);
    }
  }
  static InputForms in_forms(const ExpertsArgs& args) {
    const Experts& w = impl<Experts>(args.w);
    InputForms forms = InputForms().with(w.gate).with(w.up);
    if (args.w.shape.d_shared > 0) forms.with(w.shared.gate).with(w.shared.up);
    return forms;
  }
  // Columns of a thread that are multiplied with one tile before the next.
  static constexpr int64_t kDownCols = 1024;

  Carver carver;
  InputRows x;
  bool many;
  float* inner = nullptr;              // [R * top_k, d_ff], in the order of calls.pairs
  float* shared = nullptr;             // [R, d_shared]
  Inputs inner_inputs, shared_inputs;  // the same as inputs; an expert's pairs lie together
  Calls calls;
  Inputs tile;  // the rows of an expert
  float *gate = nullptr, *up = nullptr, *product = nullptr;
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

  // Strips of intermediate values, called expert by called expert, then those of the shared one,
  // shared out by what they cost.
  void gate_and_up() {
    const int64_t strips = (s_.d_ff + kStripRows - 1) / kStripRows;
    const int64_t shared = (s_.d_shared + kStripRows - 1) / kStripRows;
    int64_t total = shared * cost(rows());
    for (int c = 0; c < ws_.calls.count; ++c) total += strips * cost(calls_of(ws_.calls.called[c]));
    const int64_t begin = share_.begin(total), end = share_.end(total);
    int64_t at = 0;  // what the strips so far cost
    // Those of the next `count` strips whose cost begins in the thread's part.
    const auto next = [&](int64_t count, int64_t each, auto&& run) {
      const auto strip_at = [&](int64_t place) {
        return std::clamp<int64_t>((place - at + each - 1) / each, 0, count);
      };
      const int64_t first = strip_at(begin), last = strip_at(end);
      const bool goes_on = at + count * each < end;
      if (first < last) run(first, last, goes_on);
      at += count * each;
    };
    for (int c = 0; c < ws_.calls.count; ++c) {
      const int32_t expert = ws_.calls.called[c];
      next(strips, cost(calls_of(expert)), [&](int64_t first, int64_t last, bool goes_on) {
        routed_strips(c, first, last, goes_on ? gate_after(c) : first_down());
      });
    }
    if (shared > 0)
      next(shared, cost(rows()),
           [&](int64_t first, int64_t last, bool) { shared_strips(first, last, first_down()); });
  }

  // Intermediate values as inputs of the down projections.
  void make_inputs() {
    const int64_t pairs = int64_t{rows()} * s_.top_k, shared = s_.d_shared > 0 ? rows() : 0;
    const int64_t units = pairs + shared;
    const int64_t begin = ws_.many ? share_.begin(units) : 0;
    const int64_t end = ws_.many ? share_.end(units) : units;
    for (int c = 0; c < ws_.calls.count; ++c) {
      const int32_t first = ws_.calls.begin[ws_.calls.called[c]];
      const Inputs to = of_expert(ws_.calls.called[c]);
      const int64_t from = std::max<int64_t>(begin - first, 0);
      for (int64_t i = from; i < std::min<int64_t>(end - first, to.rows); ++i)
        to.put(k_, static_cast<int>(i), ws_.inner + (first + i) * s_.d_ff);
    }
    Inputs to = ws_.shared_inputs;
    to.rows = rows();
    for (int64_t r = std::max(begin, pairs) - pairs; r < end - pairs; ++r)
      to.put(k_, static_cast<int>(r), ws_.shared + r * s_.d_shared);
  }

  // Experts in ascending order, the shared one last: the same order for a row in any batch.
  void down() {
    const int64_t strips = (s_.d_model + kStripRows - 1) / kStripRows;
    const int64_t begin = share_.begin(strips) * kStripRows;
    const int64_t end = std::min<int64_t>(share_.end(strips) * kStripRows, s_.d_model);
    for (int64_t n = begin; n < end; n += Workspace::kDownCols) {
      const int64_t stop = std::min(end, n + Workspace::kDownCols);
      for (int c = 0; c < ws_.calls.count; ++c) routed_down(c, n, stop);
      if (s_.d_shared > 0) shared_down(n, stop);
    }
  }

 private:
  // Of a strip that is multiplied with `rows` rows, in rows: unpacking is worth about three.
  static int64_t cost(int rows) { return rows + 3; }

  // The gate of the called expert behind the one at `place`, or of the shared one.
  const std::byte* gate_after(int place) const {
    if (place + 1 < ws_.calls.count)
      return place_of(w_.gate, int64_t{ws_.calls.called[place + 1]} * s_.d_ff);
    return s_.d_shared > 0 ? place_of(w_.shared.gate, 0) : nullptr;
  }
  // The down projection of the called expert at `place`, or of the shared one behind the last.
  const std::byte* down_of(int place, int64_t row) const {
    if (place < ws_.calls.count)
      return place_of(w_.down, int64_t{ws_.calls.called[place]} * s_.d_model + row);
    return s_.d_shared > 0 ? place_of(w_.shared.down, row) : nullptr;
  }
  const std::byte* first_down() const {
    return down_of(0, share_.begin((s_.d_model + kStripRows - 1) / kStripRows) * kStripRows);
  }

  int rows() const { return args_.batch.counts->rows; }
  int calls_of(int expert) const { return ws_.calls.begin[expert + 1] - ws_.calls.begin[expert]; }
  const int32_t* pairs_of(int expert) const { return ws_.calls.pairs + ws_.calls.begin[expert]; }
  Inputs of_expert(int expert) const {
    return ws_.inner_inputs.from(static_cast<size_t>(ws_.calls.begin[expert]), calls_of(expert));
  }

  // Tile t of the rows whose places row(i) tells. Rows lie as tiles of one; one alone is used as it
  // lies.
  template <class Row>
  Inputs gather(int count, Row&& row) const {
    if (count == 1) return ws_.x.single(row(0), share_);
    Inputs to = ws_.tile;
    to.rows = count;
    for (int t = 0; t < to.tiling().tiles(); ++t) {
      const Inputs tile = to.tile(t);
      for (int y = 0; y < tile.rows; ++y) {
        const int i = to.tiling().first(t) + y;
        const Inputs from = ws_.x.single(row(i), share_);
        if (i + 1 < count) ws_.x.single(row(i + 1), share_).ask();
        if (to.quantised)
          k_.copy_quantised(from.quantised, 1, 0, Inputs::subs(to.cols), tile.quantised, tile.rows,
                            y);
        if (to.plain)
          for (int64_t c = 0; c < to.cols; ++c) tile.plain[c * tile.rows + y] = from.plain[c];
      }
    }
    return to;
  }

  // inner[i][16 s ..] = silu(gate x) * up x for the strips [first, last) of a matrix whose rows
  // begin at `base`, d wide. For a few rows all strips of one matrix before those of the other:
  // memory is read fastest in its order. For many a strip of each in turn.
  void activate(const Matrix& gate, const Matrix& up, int64_t base, int64_t d, int64_t first,
                int64_t last, const Inputs& in, float* inner, const void* soon) {
    const int64_t together = ws_.many ? 1 : last - first;
    for (int64_t s = first; s < last; s += together) {
      const int64_t at = s * kStripRows, n = std::min(d - at, together * kStripRows);
      multiply(gate, base + at, base + at + n, in, ws_.gate, n, share_.counters,
               place_of(up, base + at));
      multiply(up, base + at, base + at + n, in, ws_.up, n, share_.counters,
               s + together < last ? place_of(gate, base + at + n) : soon);
      k_.silu_mul(ws_.gate, ws_.up, in.rows * n, ws_.gate);
      for (int i = 0; i < in.rows; ++i) std::copy_n(ws_.gate + i * n, n, inner + i * d + at);
    }
  }

  void routed_strips(int place, int64_t first, int64_t last, const void* soon) {
    const int expert = ws_.calls.called[place];
    const int32_t* pair = pairs_of(expert);
    const Inputs in = gather(calls_of(expert), [&](int i) { return pair[i] / s_.top_k; });
    activate(w_.gate, w_.up, int64_t{expert} * s_.d_ff, s_.d_ff, first, last, in,
             ws_.inner + int64_t{ws_.calls.begin[expert]} * s_.d_ff, soon);
  }

  void shared_strips(int64_t first, int64_t last, const void* soon) {
    const Inputs in = gather(rows(), [](int i) { return i; });
    activate(w_.shared.gate, w_.shared.up, 0, s_.d_shared, first, last, in, ws_.shared, soon);
  }

  void routed_down(int place, int64_t begin, int64_t end) {
    const int expert = ws_.calls.called[place];
    const int32_t* pair = pairs_of(expert);
    const int64_t base = int64_t{expert} * s_.d_model;
    add(
        w_.down, base + begin, base + end, of_expert(expert), begin,
        [&](int i) { return pair[i] / s_.top_k; },
        [&](int i) { return args_.routed.weights[pair[i]]; }, down_of(place + 1, begin));
  }

  void shared_down(int64_t begin, int64_t end) {
    Inputs in = ws_.shared_inputs;
    in.rows = rows();
    add(
        w_.shared.down, begin, end, in, begin, [](int i) { return i; },
        [&](int i) { return args_.routed.shared[i]; }, nullptr);
  }

  // x[row(i)][to ..] += weight(i) * (rows [begin, end) of m) . in[i]
  template <class Row, class Weight>
  void add(const Matrix& m, int64_t begin, int64_t end, const Inputs& in, int64_t to, Row&& row,
           Weight&& weight, const void* soon) {
    const int64_t width = end - begin;
    for (int t = 0; t < in.tiling().tiles(); ++t) {
      const Inputs tile = in.tile(t);
      multiply(m, begin, end, tile, ws_.product, width, t == 0 ? share_.counters : nullptr, soon);
      for (int y = 0; y < tile.rows; ++y) {
        const int i = in.tiling().first(t) + y;
        k_.add_scaled(args_.x.row(row(i)) + to, ws_.product + y * width, weight(i), width);
      }
    }
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
  const Kernels& k = *impl<Experts>(args.w).gate.kernels;
  const int last = ws.many ? 3 : 1;
  const int gate_phase = ws.many ? 1 : 0;
  if (share.phase <= gate_phase &&
      ws.x.prepare(k, args.x, &args.norm, args.batch.counts->rows, nullptr, share))
    return;
  sort_calls(args, ws.calls);
  if (share.thread == 0 && share.phase == gate_phase) {
    share.counters->expert_calls +=
        static_cast<uint64_t>(args.batch.counts->rows) * args.w.shape.top_k;
    share.counters->experts_called += static_cast<uint64_t>(ws.calls.count);
  }
  Mixture mixture(args, ws, share);
  if (share.phase == gate_phase) return mixture.gate_and_up();
  if (!ws.many || share.phase == last - 1) mixture.make_inputs();
  if (share.phase == last) mixture.down();
}

}  // namespace

void fill_experts(Ops& ops) {
  ops.experts = {[](const ExpertsArgs& args) { return InputRows::phases(args.x.rows) > 0 ? 4 : 2; },
                 [](const ExpertsArgs& args, int threads) {
                   return Workspace(args, threads, threads - 1, nullptr).carver.size();
                 },
                 work};
}

}  // namespace braid::cpu
