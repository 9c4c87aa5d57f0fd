// Attention behind its projections: 512 rows of prefill and one row of decode at depth, for each
// type of the cache. Arithmetic is 4 operations for each pair of a query and a key it sees, each
// dimension; its share is of the peak of f32 for an f32 cache, else of words where that is known.
// Bytes are those of the cached rows that the step must read once; theirs is of a plain read.
//
//   bench_attention [threads] [isa] [types, as f16,q8_0] [heads] [kv heads] [dimension]
//                   [rows] [depth]
#include "base/team.h"
#include "bench/core_rate.h"
#include "device/cpu/attend.h"
#include "device/cpu/cpu_device.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace braid {
namespace {

struct Shape {
  int heads = 16, kv_heads = 2, dim = 256;
};

// Memory of the cache: pages in no order, as a pool that has lived for a while deals them.
class Cache {
 public:
  Cache(Device& device, const Kernels& kernels, const Shape& s, DType type, int64_t positions) {
    const int64_t pages = positions / kPageTokens + 2;
    pool_.kv_heads = s.kv_heads;
    pool_.head_dim = s.dim;
    pool_.key_type = pool_.value_type = type;
    const size_t bytes = static_cast<size_t>(pages + 1) * pool_.page_bytes(type);
    memory_ = device.allocate(2 * bytes, "the cache");
    pool_.keys = memory_.data();
    pool_.values = memory_.data() + bytes;
    std::vector<float> row(static_cast<size_t>(s.dim));
    const int kind = static_cast<int>(cpu::kv_type(type));
    for (int head = 0; head < s.kv_heads; ++head)
      for (int at = 0; at < kPageTokens; ++at) {
        for (float& v : row) v = normal_(random_);
        kernels.store_key[kind](row.data(), s.dim, at, pool_.keys_of(0, head));
        for (float& v : row) v = normal_(random_);
        kernels.store_value[kind](row.data(), s.dim, at, pool_.values_of(0, head));
      }
    for (int64_t page = 1; page <= pages; ++page)
      for (std::byte* half : {pool_.keys, pool_.values})
        std::memcpy(half + static_cast<size_t>(page) * pool_.page_bytes(type), half,
                    pool_.page_bytes(type));
    for (int64_t page = 1; page <= pages; ++page) table_.push_back(static_cast<int32_t>(page));
    std::shuffle(table_.begin(), table_.end(), random_);
  }
  const KvPool& pool() const { return pool_; }
  const std::vector<int32_t>& table() const { return table_; }

 private:
  std::mt19937 random_{1};
  std::normal_distribution<float> normal_;
  KvPool pool_;
  Buffer memory_;
  std::vector<int32_t> table_;
};

class Bench {
 public:
  Bench(const Shape& s, const Kernels& kernels, Team& team, const Cache& cache)
      : shape_(s), kernels_(kernels), team_(team), cache_(cache) {}

  // Seconds for `rows` rows from position `depth` on.
  double seconds(int rows, int depth) {
    const BatchView::Counts counts{rows, 1, 0};
    const Segment segment{0, rows, depth, 0};
    std::vector<float> o(static_cast<size_t>(rows) * shape_.heads * shape_.dim);
    AttnMixArgs args;
    args.batch.counts = &counts;
    args.batch.segments = &segment;
    args.batch.pages = cache_.table().data();
    args.batch.max_pages = static_cast<int32_t>(cache_.table().size());
    args.x = {nullptr, rows, 0};
    args.w.shape = {0, shape_.heads, shape_.kv_heads, shape_.dim, 0, 0, 0};
    args.kv = cache_.pool();
    args.o = {o.data(), rows, int64_t{shape_.heads} * shape_.dim};

    const int threads = team_.threads();
    memory_.resize(layout(args, nullptr, threads - 1).size() + 64);
    const auto at = reinterpret_cast<uintptr_t>(memory_.data());
    std::byte* base = memory_.data() + (64 - at % 64) % 64;
    cpu::Carver first(base);
    cpu::AttendWorkspace workspace(args, threads, first);
    workspace.key_length = 2 * std::sqrt(static_cast<float>(shape_.dim));
    std::mt19937 random(2);
    std::normal_distribution<float> normal;
    std::vector<float> query(static_cast<size_t>(shape_.dim));
    for (int64_t i = 0; i < int64_t{rows} * shape_.heads; ++i) {
      for (float& v : query) v = normal(random);
      workspace.put_query(args, kernels_, i / shape_.heads, static_cast<int>(i % shape_.heads),
                          query.data());
    }
    std::fill_n(workspace.gate, o.size(), 0.5f);

    const Team::Work work = [&](int, int thread) {
      cpu::Carver carver(base);
      cpu::AttendWorkspace shared(args, threads, carver);
      shared.key_length = workspace.key_length;
      cpu::AttendWorkspace::Scratch own;
      for (int t = 0; t <= thread; ++t) own = cpu::AttendWorkspace::Scratch(args, carver);
      cpu::attend(args, kernels_, shared, own, Share{0, thread, threads, base, nullptr});
    };
    const auto once = [&] {
      workspace.clear();
      team_.run(1, work);
    };
    double best = seconds_of(once), all = best;
    for (int i = 0; i < 200 && (i < 3 || all < 1); ++i) {
      const double now = seconds_of(once);
      best = std::min(best, now);
      all += now;
    }
    return best;
  }

 private:
  // One thread is timed by the time that it has run, which others on the machine disturb less.
  template <class F>
  double seconds_of(F&& f) {
    const bool alone = team_.threads() == 1;
    const std::clock_t cpu = std::clock();
    const double start = bench::now_s();
    f();
    return alone ? static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC
                 : bench::now_s() - start;
  }
  static cpu::Carver layout(const AttnMixArgs& args, std::byte* base, int thread) {
    cpu::Carver carver(base);
    const cpu::AttendWorkspace shared(args, thread + 1, carver);
    for (int t = 0; t <= thread; ++t) cpu::AttendWorkspace::Scratch(args, carver);
    return carver;
  }

  const Shape shape_;
  const Kernels& kernels_;
  Team& team_;
  const Cache& cache_;
  std::vector<std::byte> memory_;
};

#if defined(__x86_64__)
[[gnu::target("avx512f,avx512vnni")]] void multiply_words_512(int loops) {
  __m512i acc[16];
  for (__m512i& a : acc) a = _mm512_setzero_si512();
  const __m512i x = _mm512_set1_epi16(1);
  for (int i = 0; i < loops; ++i)
#pragma GCC unroll 16
    for (__m512i& a : acc) asm volatile("vpdpwssd %1, %1, %0" : "+v"(a) : "v"(x));
}
#endif

// Operations a second on words of 16 bits, as many as on bf16 where there is an instruction for it;
// 0 where it is not known how to ask.
double word_peak(const std::string& isa) {
#if defined(__x86_64__)
  constexpr int kLoops = 100000;
  if (isa == "avx512vnni")
    return 2.0 * 32 * 16 * kLoops / bench::best_time(20, [] { multiply_words_512(kLoops); });
#endif
  (void)isa;
  return 0;
}

// Bytes a second of a team that reads 256 MiB, asked for ahead of time as the kernels do.
double read_rate(Team& team) {
  std::vector<uint64_t> memory(size_t{32} << 20, 1);
  std::vector<uint64_t> sums(static_cast<size_t>(team.threads()) * 8);
  const Team::Work work = [&](int, int thread) {
    const size_t share = memory.size() / static_cast<size_t>(team.threads());
    const uint64_t* p = memory.data() + share * static_cast<size_t>(thread);
    uint64_t sum[8] = {};
    for (size_t i = 0; i + 8 <= share; i += 8) {
      __builtin_prefetch(p + i + 1024);
      for (size_t j = 0; j < 8; ++j) sum[j] += p[i + j];
    }
    for (size_t j = 0; j < 8; ++j) sums[static_cast<size_t>(thread) * 8] += sum[j];
  };
  return static_cast<double>(memory.size() * 8) / bench::best_time(7, [&] { team.run(1, work); });
}

int run(int argc, char** argv) {
  const auto number = [&](int i, int otherwise) {
    return argc > i ? std::atoi(argv[i]) : otherwise;
  };
  const int threads = number(1, 1);
  const std::string isa = argc > 2 ? argv[2] : cpu::usable_isas().front();
  const std::string wanted = argc > 3 ? argv[3] : "f16,bf16,f32,q8_0";
  const Shape shape{number(4, 16), number(5, 2), number(6, 256)};
  const std::unique_ptr<Device> device = cpu::open_cpu({1, isa});
  const float one = 1;
  const Kernels& kernels =
      *static_cast<const cpu::Vector*>(device->prepare(std::span(&one, 1)).impl)->kernels;
  Team team(threads);
  const double peak = bench::peak_flops(isa.c_str()) * threads, rate = read_rate(team);
  const double words = word_peak(isa) * threads;
  fmt::print(
      "{}, {} threads, {} heads, {} kv heads, dim {}; f32 {:.0f} GFLOP/s, words {:.0f}, read "
      "{:.1f} GB/s\n",
      device->name(), threads, shape.heads, shape.kv_heads, shape.dim, peak / 1e9, words / 1e9,
      rate / 1e9);
  fmt::print("{:>5} {:>5} {:>6} {:>9} {:>9} {:>6} {:>8} {:>6}\n", "type", "rows", "depth", "ms",
             "GFLOP/s", "share", "KV GB/s", "share");
  const std::vector<std::pair<std::string, DType>> types = {
      {"f16", DType::F16}, {"bf16", DType::BF16}, {"f32", DType::F32}, {"q8_0", DType::Q8_0}};
  std::vector<std::pair<int, int>> steps = {
      {512, 0}, {512, 2048}, {512, 8192}, {1, 8192}, {1, 32768}};
  if (argc > 8) steps = {{number(7, 0), number(8, 0)}};
  for (const auto& [name, type] : types) {
    if (("," + wanted + ",").find("," + name + ",") == std::string::npos) continue;
    const Cache cache(*device, kernels, shape, type, 32768 + 512);
    Bench bench(shape, kernels, team, cache);
    const double most = type == DType::F32 || words == 0 ? peak : words;
    for (const auto& [rows, depth] : steps) {
      const double s = bench.seconds(rows, depth);
      const double pairs = rows * (depth + (rows + 1) / 2.0);
      const double flops = 4 * pairs * shape.heads * shape.dim / s;
      const double bytes = 2.0 * (depth + rows) * shape.kv_heads *
                           static_cast<double>(row_bytes(type, shape.dim)) / s;
      fmt::print("{:>5} {:>5} {:>6} {:>9.3f} {:>9.1f} {:>5.0f}% {:>8.1f} {:>5.0f}%\n", name, rows,
                 depth, s * 1e3, flops / 1e9, 100 * flops / most, bytes / 1e9, 100 * bytes / rate);
      std::fflush(stdout);
    }
  }
  return 0;
}

}  // namespace
}  // namespace braid

int main(int argc, char** argv) { return braid::run(argc, argv); }
