// Gated DeltaNet behind its projections, on one thread: nanoseconds and cycles a token and value
// head in prefill and in decode, for each instruction set of the machine.
//
//   bench_gdn [key heads] [value heads] [dimension] [prefill rows] [isa] [prefill | decode]
#include "bench/core_rate.h"
#include "device/cpu/cpu_device.h"
#include "device/cpu/gdn_group.h"
#include "device/device.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace braid {
namespace {

constexpr size_t kLargePage = 2 << 20;

class Bench {
 public:
  Bench(const std::string& isa, const GdnShape& shape, int rows, int slots)
      : shape_(shape), slots_(slots), device_(cpu::open_cpu({1, isa})) {
    layout_ = {shape.key_heads, shape.value_heads, shape.key_dim, shape.value_dim,
               shape.conv_dim()};
    // In large pages, as the device takes them.
    const size_t bytes = (pool_bytes() + kLargePage - 1) / kLargePage * kLargePage;
    pool_memory_.reset(static_cast<float*>(std::aligned_alloc(kLargePage, bytes)));
    madvise(pool_memory_.get(), bytes, MADV_HUGEPAGE);
    fill(pool_memory_.get(), pool_bytes() / sizeof(float), 0.05f);
    pool_ = {layout_, pool_memory_.get()};
    make_weights();
    make_inputs(rows);
  }

  // A step of `segments` sequences with `rows` rows each, which start at `position` and live in the
  // slots from `slot` on. Notes the time of each key head.
  void step(int segments, int rows, int position, int slot) {
    std::vector<Segment> list;
    for (int i = 0; i < segments; ++i)
      list.push_back({i * rows, rows, position, (slot + i) % slots_});
    const BatchView::Counts counts{segments * rows, segments, 0};
    GdnMixArgs args;
    args.batch.counts = &counts;
    args.batch.segments = list.data();
    args.w = packed_;
    args.state = pool_;
    args.x = {x_.data(), segments * rows, shape_.d_model};
    args.o = {o_.data(), segments * rows, int64_t{shape_.value_heads} * shape_.value_dim};
    cpu::Carver inputs(reinterpret_cast<std::byte*>(inputs_.data()));
    const cpu::GdnProjected in(shape_, 1, segments * rows, inputs);
    cpu::Carver room(scratch_.get());
    const cpu::GdnScratch scratch(shape_, room);
    for (int h = 0; h < shape_.key_heads; ++h) {
      const double start = bench::now_s();
      cpu::gdn_group(args, h, in, 0, scratch);
      times_[position % kBlock].push_back(bench::now_s() - start);
    }
  }

  // Of the steps since the last question: a quantile over key heads of each place in a block, the
  // mean of the places, times key heads. On a machine with other work some head is always
  // interrupted, but not most of them.
  double step_time(double quantile) {
    double sum = 0, places = 0;
    for (std::vector<double>& times : times_) {
      if (times.empty()) continue;
      std::sort(times.begin(), times.end());
      sum += times[static_cast<size_t>(quantile * static_cast<double>(times.size()))];
      places += 1;
      times.clear();
    }
    return sum / places * shape_.key_heads;
  }

  // Bytes a second at which a plain loop reads the slots.
  double read_rate() {
    const size_t floats = pool_bytes() / sizeof(float);
    float sum = 0;
    const double seconds = bench::best_time(10, [&] { sum += bench::add_up(pool_.base, floats); });
    if (sum == 1) fmt::print(" \n");  // so that it is added up
    return static_cast<double>(pool_bytes()) / seconds;
  }

  // Each kernel over one whole block that lies in the caches: cycles a token and value head.
  void parts(double hz) {
    const Kernels& k = *cpu::impl<cpu::Gdn>(packed_).kernels;
    const int dk = shape_.key_dim, dv = shape_.value_dim, ratio = shape_.ratio();
    cpu::Carver inputs(reinterpret_cast<std::byte*>(inputs_.data())), room(scratch_.get());
    const cpu::GdnProjected in(shape_, 1, kBlock, inputs);
    const cpu::GdnScratch ws(shape_, room);
    const RecurrentSlot slot = pool_.slot(1);
    const auto part = [&](const char* name, double heads, auto&& f) {
      const double seconds = bench::best_time(2000, f);
      fmt::print("    {:<21} {:7.1f} cycles a token and value head\n", name,
                 seconds * hz / kBlock / heads);
    };
    const float* raw[kMaxTaps - 1 + kBlock];
    for (int t = 0; t < kMaxTaps - 1 + kBlock; ++t) raw[t] = in.v + t % kBlock * dv;
    const float* conv = cpu::impl<cpu::Gdn>(packed_).conv.data();
    part("convolution", 1, [&] {
      k.conv_silu({raw, conv, shape_.conv_dim(), dv, shape_.taps, kBlock, ws.v});
    });
    part("unit_rows", ratio, [&] { k.unit_rows(ws.q, kBlock, dk, 1e-6f, 1); });
    part("gates", kBlock, [&] { k.delta_gates({in.b, in.a, kBlock, 0.1f, -0.1f}); });
    float* keys = slot.key(0, 0);
    k.unit_rows(keys, kBlock, dk, 1e-6f, 1);
    part("key_products", ratio, [&] {
      k.key_products({keys, ws.q, dk, 0, kBlock, ws.key_key, ws.key_query, ws.panel});
    });
    DeltaPiece d{};
    d.dk = dk;
    d.dv = dv;
    d.count = kBlock;
    d.state = d.soon = slot.state(0, 0);
    d.keys = keys;
    d.panel = ws.panel;
    d.key_key = ws.key_key;
    d.key_query = ws.key_query;
    d.values = ws.v;
    d.beta = in.b;
    d.gate = in.a;
    d.decay = slot.decay(0, 0);
    d.updates = slot.update(0, 0);
    d.products = ws.products;
    part("delta, no fold", 1, [&] { k.delta_rule(d); });
    d.dk = 1;
    part("delta of one row of S", 1, [&] { k.delta_rule(d); });
    d.dk = dk;
    d.next = slot.state(0, 1);
    part("delta and fold", 1, [&] { k.delta_rule(d); });
    part("gated_norm", 1, [&] {
      k.gated_norm(
          {ws.products + dv, in.z, conv, int64_t{2} * dv, dv, dv, dv, kBlock, 1e-6f, o_.data()});
    });
  }

  int slots() const { return slots_; }
  std::string_view name() const { return device_->name(); }

 private:
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };

  size_t pool_bytes() const { return layout_.slot_floats() * sizeof(float) * slots_; }

  void fill(float* to, size_t n, float size) {
    std::uniform_real_distribution<float> uniform(-size, size);
    for (size_t i = 0; i < n; ++i) to[i] = i < 4096 ? uniform(random_) : to[i % 4096];
  }
  std::vector<float> values(int64_t n, float size) {
    std::vector<float> v(static_cast<size_t>(n));
    fill(v.data(), v.size(), size);
    return v;
  }
  void make_weights() {
    const int64_t values_dim = int64_t{shape_.value_heads} * shape_.value_dim;
    weights_ = values(shape_.conv_dim() * int64_t{shape_.d_model}, 0.1f);
    const auto matrix = [&](int64_t n) {
      return FileMatrix{
          DType::F32, shape_.d_model, {{reinterpret_cast<std::byte*>(weights_.data()), n, 1}}};
    };
    GdnFileWeights w;
    w.shape = shape_;
    w.qkv = matrix(shape_.conv_dim());
    w.z = matrix(values_dim);
    w.b = w.a = matrix(shape_.value_heads);
    w.conv = values(int64_t{shape_.conv_dim()} * shape_.taps, 0.5f);
    w.dt_bias = values(shape_.value_heads, 1);
    w.decay = values(shape_.value_heads, 0.1f);
    for (float& d : w.decay) d = -std::abs(d);
    w.norm = values(shape_.value_dim, 1);
    packed_ = device_->prepare(w);
    device_->load({});
  }
  void make_inputs(int rows) {
    cpu::Carver inputs(nullptr), room(nullptr);
    cpu::GdnProjected(shape_, 1, rows, inputs);
    cpu::GdnScratch(shape_, room);
    inputs_ = values(static_cast<int64_t>(inputs.size() / sizeof(float)) + 16, 1);
    scratch_.reset(static_cast<std::byte*>(std::aligned_alloc(64, room.size())));
    std::memset(scratch_.get(), 0, room.size());
    x_.resize(static_cast<size_t>(rows) * static_cast<size_t>(shape_.d_model));
    o_.resize(static_cast<size_t>(rows) * static_cast<size_t>(shape_.value_heads) *
              static_cast<size_t>(shape_.value_dim));
  }

  std::mt19937 random_{7};
  GdnShape shape_;
  int slots_;
  std::unique_ptr<Device> device_;
  RecurrentLayout layout_;
  std::unique_ptr<float, Free> pool_memory_;
  RecurrentPool pool_;
  std::vector<float> weights_, inputs_, x_, o_;
  std::unique_ptr<std::byte, Free> scratch_;
  PackedGdn packed_;
  std::vector<double> times_[kBlock];
};

struct Rates {
  double hz, flops, read;
};

void report(const Bench& bench, const GdnShape& s, const Rates& rates, const std::string& what,
            int tokens, double seconds) {
  const double each = seconds / tokens / s.value_heads;
  // What no order of the work avoids: S^T k, S^T q and the write of k u^T, a multiply-add each.
  const double flops = 2.0 * 3 * s.key_dim * s.value_dim / each;
  std::string line = fmt::format("{:<15} {:<22} {:8.1f} ns {:8.0f} cycles {:7.1f} GFLOP/s",
                                 bench.name(), what, each * 1e9, each * rates.hz, flops / 1e9);
  if (rates.flops > 0) line += fmt::format(" ({:4.1f}% of peak)", 100 * flops / rates.flops);
  if (rates.read > 0) {
    const double read = 4.0 * s.key_dim * s.value_dim / each;
    line +=
        fmt::format(" {:5.1f} GB/s of S ({:4.1f}% of read)", read / 1e9, 100 * read / rates.read);
  }
  fmt::print("{}\n", line);
}

void decode(Bench& bench, const GdnShape& s, const Rates& rates, int sequences, int rows) {
  int slot = 0;
  for (int i = 0; i < kBlock * 9 * 4; ++i) {  // every place in a block, with every slot
    bench.step(sequences, rows, i / 9, slot);
    slot = (slot + sequences) % bench.slots();
  }
  report(bench, s, rates, fmt::format("{} x {} rows", sequences, rows), sequences * rows,
         bench.step_time(0.5));
}

void run(const std::string& isa, const GdnShape& s, int rows, const std::string& only) {
  // As many slots as the layers of a large model, so that decode finds no state in a cache.
  Bench bench(isa, s, rows, 36);
  Rates rates{bench::core_hz(), bench::peak_flops(isa.c_str()), 0};
  fmt::print("{:.2f} GHz, {:.1f} GFLOP/s f32\n", rates.hz / 1e9, rates.flops / 1e9);
  if (only != "decode") {
    for (int i = 0; i < 60; ++i) bench.step(1, rows, 0, 1);
    report(bench, s, rates, fmt::format("1 x {} rows", rows), rows, bench.step_time(0.1));
    bench.parts(rates.hz);
  }
  if (only == "prefill") return;
  rates.read = bench.read_rate();
  for (const int sequences : {1, 8}) decode(bench, s, rates, sequences, 1);
  rates.read = 0;
  decode(bench, s, rates, 1, 4);
}

}  // namespace
}  // namespace braid

int main(int argc, char** argv) {
  const auto number = [&](int i, int otherwise) {
    return argc > i ? std::atoi(argv[i]) : otherwise;
  };
  braid::GdnShape s;
  s.d_model = 1;
  s.key_heads = number(1, 16);
  s.value_heads = number(2, 32);
  s.key_dim = s.value_dim = number(3, 128);
  const int rows = number(4, 512);
  if (s.key_heads < 1 || s.value_heads % s.key_heads != 0 || s.key_dim < 1 || rows < 8) {
    fmt::print(stderr,
               "bench_gdn: value heads must be a multiple of key heads, and rows 8 or more\n");
    return 1;
  }
  for (const std::string& isa : braid::cpu::usable_isas())
    if (argc <= 5 || isa == argv[5]) braid::run(isa, s, rows, argc > 6 ? argv[6] : "");
}
