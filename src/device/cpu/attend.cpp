#include "device/cpu/attend.h"

#include "base/check.h"
#include "device/cpu/kernels/kv_layout.h"

#include <algorithm>
#include <atomic>
#include <cmath>

namespace braid::cpu {
namespace {

constexpr int kPartialPages = kPartial / kPageTokens, kRunPages = kRun / kPageTokens;
constexpr int kRunPartials = kRun / kPartial;
static_assert(kPageTokens == kKvPage);
// Queries of a tile: 64 of 256 take 64 KiB, their weights and outputs the same again, which the
// second cache holds; a strip of keys or values is decoded once for all of them.
constexpr int kTileQueries = 128;
// Tiles a thread that are enough to keep all threads busy to the end.
constexpr int kTilesPerThread = 4;
constexpr size_t kSplitBytes = size_t{64} << 20;

// Makes words of keys; 1% for the rounding of the cache.
float key_factor(float key_length) { return 32767.0f / (1.01f * key_length); }

int tile_queries(const AttentionShape& s) { return std::max(kTileQueries, s.heads / s.kv_heads); }

// Rows [row, row + rows) of a segment times heads [head, head + heads) of one kv head.
struct Tile {
  int segment, kv_head, head, heads;
  int64_t row, position;
  int rows;
  int64_t number, first_item, items;

  int queries() const { return rows * heads; }
  int64_t last_position() const { return position + rows - 1; }
  int64_t partials() const { return last_position() / kPartial + 1; }
  int64_t runs() const { return last_position() / kRun + 1; }
};

// How the step is cut; every thread finds the same.
struct Cut {
  int heads;      // of a tile
  int tile_rows;  // at most
  bool split;     // runs are items

  Cut(const AttnMixArgs& args, int64_t split_rows, int threads) {
    const AttentionShape& s = args.w.shape;
    const int group = s.heads / s.kv_heads;
    const int rows = args.batch.counts->rows;
    heads = group;
    tile_rows = std::max(1, kTileQueries / group);
    split = rows <= split_rows && items(args, false) < kTilesPerThread * threads;
    if (!split) {
      tile_rows = std::clamp(rows * s.kv_heads / (kTilesPerThread * threads), 1, tile_rows);
      return;
    }
    // Not enough of them: then threads share keys rather than sleep.
    while (heads > 1 && items(args, true) < threads) heads = (heads + 1) / 2;
  }

  int slices(const AttentionShape& s) const { return (s.heads / s.kv_heads + heads - 1) / heads; }

  int64_t items(const AttnMixArgs& args, bool runs) const {
    int64_t sum = 0;
    for (int i = 0; i < args.batch.counts->segments; ++i) {
      const Segment& segment = args.batch.segments[i];
      for (int r = 0; r < segment.rows; r += tile_rows) {
        const int64_t last = segment.position + std::min(r + tile_rows, segment.rows) - 1;
        sum += runs ? last / kRun + 1 : 1;
      }
    }
    return sum * args.w.shape.kv_heads * slices(args.w.shape);
  }
};

// Walks the tiles of a step. Of a segment the last rows come first: they see the most keys, and
// what is left at the end should be small.
class Tiles {
 public:
  Tiles(const AttnMixArgs& args, const Cut& cut) : args_(args), cut_(cut) { enter(0); }

  // Goes on to the tile of an item, which must not lie before the current one. Null past the end.
  const Tile* find(int64_t item) {
    while (segment_ < args_.batch.counts->segments && item >= tile_.first_item + tile_.items)
      next();
    return segment_ < args_.batch.counts->segments ? &tile_ : nullptr;
  }

 private:
  void enter(int segment) {
    while (segment < args_.batch.counts->segments && args_.batch.segments[segment].rows == 0)
      ++segment;
    segment_ = segment;
    if (segment == args_.batch.counts->segments) return;
    end_ = args_.batch.segments[segment].rows;
    slice_ = 0;
    fill();
  }
  void next() {
    ++number_;
    first_item_ += tile_.items;
    if (++slice_ < args_.w.shape.kv_heads * cut_.slices(args_.w.shape)) return fill();
    slice_ = 0;
    end_ -= tile_.rows;
    if (end_ == 0) return enter(segment_ + 1);
    fill();
  }
  void fill() {
    const AttentionShape& s = args_.w.shape;
    const Segment& segment = args_.batch.segments[segment_];
    const int group = s.heads / s.kv_heads, slices = cut_.slices(s);
    const int begin = (end_ - 1) / cut_.tile_rows * cut_.tile_rows;
    const int within = slice_ % slices * cut_.heads;
    tile_.segment = segment_;
    tile_.kv_head = slice_ / slices;
    tile_.head = tile_.kv_head * group + within;
    tile_.heads = std::min(cut_.heads, group - within);
    tile_.row = int64_t{segment.row} + begin;
    tile_.position = int64_t{segment.position} + begin;
    tile_.rows = end_ - begin;
    tile_.number = number_;
    tile_.first_item = first_item_;
    tile_.items = cut_.split ? tile_.runs() : 1;
  }

  const AttnMixArgs& args_;
  const Cut& cut_;
  int segment_ = 0, end_ = 0, slice_ = 0;
  int64_t number_ = 0, first_item_ = 0;
  Tile tile_{};
};

}  // namespace

KvType kv_type(DType type) {
  switch (type) {
    case DType::F32:
      return KvType::kF32;
    case DType::F16:
      return KvType::kF16;
    case DType::BF16:
      return KvType::kBF16;
    case DType::Q8_0:
      return KvType::kQ8_0;
    default:
      CHECK_THAT(false, "a KV cache of {}", info(type).name);
  }
}

AttendWorkspace::AttendWorkspace(const AttnMixArgs& args, int threads, Carver& shared) {
  const AttentionShape& s = args.w.shape;
  const auto rows = static_cast<size_t>(args.x.rows), heads = static_cast<size_t>(s.heads),
             padded = static_cast<size_t>(query_floats(s));
  q = shared.take<float>(rows * heads * padded);
  query_unit = shared.take<float>(rows * heads);
  gate = shared.take<float>(rows * heads * static_cast<size_t>(s.head_dim));
  max_runs = std::max<int64_t>(1, (int64_t{args.batch.max_pages} + kRunPages - 1) / kRunPages);
  const int64_t most = int64_t{kTilesPerThread} * threads * tile_queries(s) / s.heads + 1;
  const auto row_bytes = heads * static_cast<size_t>(max_runs) * (padded + 2) * sizeof(float);
  split_rows = std::min({args.x.rows, most, 1 + static_cast<int64_t>(kSplitBytes / row_bytes)});
  lists = static_cast<size_t>(split_rows) * heads;
  const size_t entries = lists * static_cast<size_t>(max_runs);
  taken = shared.take<int>(1);
  done = shared.take<int>(lists);
  run_top = shared.take<float>(entries);
  run_sum = shared.take<float>(entries);
  run_out = shared.take<float>(entries * padded);
}

AttendWorkspace::Scratch::Scratch(const AttnMixArgs& args, Carver& own) {
  const AttentionShape& s = args.w.shape;
  const auto whole = static_cast<size_t>(kMostWordQueries),
             queries = (static_cast<size_t>(tile_queries(s)) + whole - 1) / whole * whole,
             padded = static_cast<size_t>(query_floats(s));
  q = own.take<const void*>(queries);
  query_unit = own.take<float>(queries);
  visible = own.take<int>(queries);
  top = own.take<float>(queries);
  sum = own.take<float>(queries);
  largest = own.take<float>(queries);
  total = own.take<float>(queries);
  strip = own.take<float>(kKvStrip * padded);
  q_words = own.take<int16_t>(queries * padded);
  scales = own.take<int16_t>(2 * padded);
  units = own.take<float>(kPageTokens);
  factors = own.take<float>(kPageTokens);
  page_weights = own.take<int16_t>(queries * kPageTokens);
  page_units = own.take<float>(queries);
  weights = own.take<float>(queries * kPartial);
  out = own.take<float>(queries * padded);
  run_top = own.take<float>(queries);
  run_sum = own.take<float>(queries);
  run_out = own.take<float>(queries * padded);
}

void AttendWorkspace::put_query(const AttnMixArgs& args, const Kernels& kernels, int64_t row,
                                int head, const float* x) const {
  const AttentionShape& s = args.w.shape;
  const int padded = query_floats(s);
  const int64_t at = row * s.heads + head;
  float* to = q + at * padded;
  kernels.scale_to(x, 1.0f / std::sqrt(static_cast<float>(s.head_dim)), s.head_dim, to);
  std::fill(to + s.head_dim, to + padded, 0.0f);
  const KvType keys = kv_type(args.kv.key_type);
  if (keys != KvType::kF32)
    query_unit[at] = kernels.pack_query(to, padded, to) / key_factor(key_length);
}

void AttendWorkspace::clear() const {
  *taken = 0;
  std::fill_n(done, lists, 0);
}

class Attender {
 public:
  Attender(const AttnMixArgs& args, const Kernels& kernels, const AttendWorkspace& ws,
           const AttendWorkspace::Scratch& own)
      : args_(args), s_(args.w.shape), k_(kernels), ws_(ws), own_(own), padded_(query_floats(s_)) {}

  void run(int threads) {
    const Cut cut(args_, ws_.split_rows, threads);
    Tiles tiles(args_, cut), later(args_, cut);
    const std::atomic_ref<int> taken(*ws_.taken);
    while (true) {
      const int64_t item = taken.fetch_add(1, std::memory_order_relaxed);
      const Tile* tile = tiles.find(item);
      if (!tile) return;
      if (!cut.split) {
        all_runs(*tile);
        continue;
      }
      // Most likely this thread's next item: its keys are asked for at the end of this one.
      const Tile* then = later.find(item + threads);
      after_ = then ? keys_at(*then, (item + threads - then->first_item) * kRunPartials) : nullptr;
      one_run(*tile, item - tile->first_item);
    }
  }

 private:
  const std::byte* keys_at(const Tile& tile, int64_t partial) const {
    return args_.kv.keys_of(args_.batch.page(tile.segment, partial * kPartial), tile.kv_head);
  }

  // Queries of the rows from `first` on against a partial: own_.top, sum and out, from the first
  // of them. Returns their number. `next`: the keys that come then.
  int attend_rows(const Tile& tile, int64_t partial, int first, const std::byte* next) {
    const int64_t from = partial * kPartial;
    int n = 0;
    for (int r = first; r < tile.rows; ++r)
      for (int h = 0; h < tile.heads; ++h, ++n) {
        const int64_t at = (tile.row + r) * s_.heads + tile.head + h;
        own_.q[n] = ws_.q + at * padded_;
        own_.query_unit[n] = ws_.query_unit[at];
        own_.visible[n] =
            static_cast<int>(std::min<int64_t>(tile.position + r + 1 - from, kPartial));
      }
    const int keys = own_.visible[n - 1];
    const void *key_pages[kPartialPages], *value_pages[kPartialPages];
    for (int i = 0; i * kPageTokens < keys; ++i) {
      const int64_t page = args_.batch.page(tile.segment, from + i * kPageTokens);
      key_pages[i] = args_.kv.keys_of(page, tile.kv_head);
      value_pages[i] = args_.kv.values_of(page, tile.kv_head);
    }
    AttentionPartial a;
    a.dim = s_.head_dim;
    a.padded = padded_;
    a.keys = keys;
    a.key_type = kv_type(args_.kv.key_type);
    a.value_type = kv_type(args_.kv.value_type);
    a.key_pages = key_pages;
    a.value_pages = value_pages;
    a.next_key = next;
    a.queries = n;
    a.q = own_.q;
    a.query_unit = own_.query_unit;
    a.key_factor = key_factor(ws_.key_length);
    a.visible = own_.visible;
    a.strip = own_.strip;
    a.q_words = own_.q_words;
    a.scales = own_.scales;
    a.units = own_.units;
    a.factors = own_.factors;
    a.page_weights = own_.page_weights;
    a.page_units = own_.page_units;
    a.weights = own_.weights;
    a.weights_stride = kPartial;
    a.top = own_.top;
    a.sum = own_.sum;
    a.out = own_.out;
    k_.attend(a);
    return n;
  }

  static int first_row(const Tile& tile, int64_t partial) {
    return static_cast<int>(std::max<int64_t>(0, partial * kPartial - tile.position));
  }

  // Combines the partials of a run; those of a query go to place(query) of top, sum and out.
  template <class Place>
  void attend_run(const Tile& tile, int64_t run, float* top, float* sum, float* out,
                  Place&& place) {
    const int64_t end = std::min((run + 1) * kRunPartials, tile.partials());
    for (int64_t partial = run * kRunPartials; partial < end; ++partial) {
      const int first = first_row(tile, partial) * tile.heads;
      const int n = attend_rows(tile, partial, first / tile.heads,
                                partial + 1 < end ? keys_at(tile, partial + 1) : after_);
      for (int i = 0; i < n; ++i) {
        const int64_t at = place(first + i);
        add(partial == run * kRunPartials, own_.out + i * padded_, own_.top[i], own_.sum[i],
            out + at * padded_, top + at, sum + at);
      }
    }
  }

  void all_runs(const Tile& tile) {
    for (int64_t run = 0; run < tile.runs(); ++run) {
      after_ = run + 1 < tile.runs() ? keys_at(tile, (run + 1) * kRunPartials) : nullptr;
      attend_run(tile, run, own_.run_top, own_.run_sum, own_.run_out,
                 [](int query) { return query; });
      for (int query = first_row(tile, run * kRunPartials) * tile.heads; query < tile.queries();
           ++query)
        add(run == 0, own_.run_out + query * padded_, own_.run_top[query], own_.run_sum[query],
            output(tile, query), own_.largest + query, own_.total + query);
    }
    for (int query = 0; query < tile.queries(); ++query) finish(tile, query, own_.total[query]);
  }

  void one_run(const Tile& tile, int64_t run) {
    attend_run(tile, run, ws_.run_top, ws_.run_sum, ws_.run_out,
               [&](int query) { return entry(tile, query) + run; });
    const std::atomic_ref<int> done(ws_.done[tile.number]);
    if (done.fetch_add(1, std::memory_order_acq_rel) + 1 < tile.runs()) return;
    for (int query = 0; query < tile.queries(); ++query) {
      const int64_t last = (tile.position + query / tile.heads) / kRun;
      float largest = 0, total = 0;
      for (int64_t r = 0; r <= last; ++r) {
        const int64_t at = entry(tile, query) + r;
        add(r == 0, ws_.run_out + at * padded_, ws_.run_top[at], ws_.run_sum[at],
            output(tile, query), &largest, &total);
      }
      finish(tile, query, total);
    }
  }

  // The place of a query's run 0.
  int64_t entry(const Tile& tile, int query) const {
    const int64_t row = tile.row + query / tile.heads;
    return (row * s_.heads + tile.head + query % tile.heads) * ws_.max_runs;
  }
  float* output(const Tile& tile, int query) const {
    return args_.o.row(tile.row + query / tile.heads) +
           int64_t{tile.head + query % tile.heads} * s_.head_dim;
  }

  // Partials and runs are added in order, whoever does it.
  void add(bool first, const float* out, float top, float sum, float* o, float* largest,
           float* total) {
    if (first) {
      std::copy_n(out, s_.head_dim, o);
      *largest = top;
      *total = sum;
      return;
    }
    const float both = std::max(*largest, top);
    const float old_factor = std::exp(*largest - both), factor = std::exp(top - both);
    k_.merge(o, old_factor, out, factor, s_.head_dim);
    *total = *total * old_factor + sum * factor;
    *largest = both;
  }

  void finish(const Tile& tile, int query, float total) {
    float* o = output(tile, query);
    const int64_t row = tile.row + query / tile.heads;
    const int64_t head = tile.head + query % tile.heads;
    k_.scale_to(o, 1.0f / total, s_.head_dim, o);
    k_.mul_sigmoid(o, ws_.gate + (row * s_.heads + head) * s_.head_dim, s_.head_dim);
  }

  const AttnMixArgs& args_;
  const AttentionShape& s_;
  const Kernels& k_;
  const AttendWorkspace& ws_;
  const AttendWorkspace::Scratch& own_;
  int padded_;
  const std::byte* after_ = nullptr;  // the first keys behind those of the item
};

void attend(const AttnMixArgs& args, const Kernels& kernels, const AttendWorkspace& workspace,
            const AttendWorkspace::Scratch& scratch, const Share& share) {
  Attender(args, kernels, workspace, scratch).run(share.threads);
}

}  // namespace braid::cpu
