#include "device/cpu/cpu_device.h"

#include "base/check.h"
#include "base/team.h"
#include "device/cpu/cpu_ops.h"
#include "device/cpu/kv_pages.h"
#include "device/cpu/packed_weights.h"

#include <sys/mman.h>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <deque>
#include <functional>
#include <optional>

namespace braid::cpu {
namespace {

constexpr size_t kLargePage = 2 << 20;

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// Rows of value heads in the order of the key heads that they belong to.
FileMatrix by_key_head(const FileMatrix& m, const GdnShape& shape) {
  const size_t bytes = row_bytes(m.dtype, m.cols);
  std::vector<RowRun> rows;
  for (const RowRun& run : m.runs)
    for (int64_t r = 0; r < run.rows; ++r)
      rows.push_back({run.data + static_cast<size_t>(r) * bytes, 1, run.scale});
  FileMatrix ordered{m.dtype, m.cols, {}};
  for (int key_head = 0; key_head < shape.key_heads; ++key_head)
    for (int i = 0; i < shape.ratio(); ++i)
      ordered.runs.push_back(rows[static_cast<size_t>(shape.value_head(key_head, i))]);
  return ordered;
}

class CpuDevice final : public Device {
 public:
  explicit CpuDevice(const DeviceOptions& options)
      : team_(options.threads, options.pin), pack_cache_(options.pack_cache) {
    if (options.threads_batch > 0 && options.threads_batch != team_.threads())
      batch_team_.emplace(options.threads_batch, options.pin);
    const auto most = static_cast<size_t>(std::max(team_.threads(), batch_team().threads()));
    counters_.resize(most * kOpNames.size());
    timers_.resize(most);
    const std::vector<std::string> isas = usable_isas();
    const std::string isa = options.isa.empty() ? isas.front() : options.isa;
    if (std::find(isas.begin(), isas.end(), isa) == isas.end())
      fail("--isa {}: this processor and this build have {}", isa, joined(isas));
    kernels_ = kernels_of(isa);
    name_ = fmt::format("cpu ({})", isa);
    fill_embed(ops_);
    fill_gdn_mix(ops_);
    fill_attn_mix(ops_);
    fill_linear_add(ops_);
    fill_mlp(ops_);
    fill_route(ops_);
    fill_experts(ops_);
    fill_head(ops_);
    fill_mtp(ops_);
  }

  std::string_view name() const override { return name_; }
  size_t weight_memory() const override { return weight_memory_; }
  void describe_only() override { describing_ = true; }
  int threads(int64_t rows) const override {
    return rows > 1 && batch_team_ ? batch_team_->threads() : team_.threads();
  }
  const Ops& ops() const override { return ops_; }

  void upload(void* to, const void* from, size_t bytes) override { copy(to, from, bytes); }
  void download(void* to, const void* from, size_t bytes) override { copy(to, from, bytes); }
  void copy(void* to, const void* from, size_t bytes) override {
    if (bytes > 0) std::memmove(to, from, bytes);  // an empty span may be null
  }
  void zero(void* to, size_t bytes) override { std::memset(to, 0, bytes); }
  void get_kv_rows(const KvPool& pool, const KvSpan& span, std::byte* rows) override {
    get_rows(pool, span, rows);
  }
  void put_kv_rows(const KvPool& pool, const KvSpan& span, const std::byte* rows) override {
    put_rows(pool, span, rows);
  }

  PackedVector prepare(std::span<const float> vector) override {
    const Vector& v = vectors_.emplace_back(Vector{&kernels_, {vector.begin(), vector.end()}});
    return counted(PackedVector{{&v, vector.size_bytes()}, static_cast<int64_t>(vector.size())});
  }
  PackedMatrix prepare(const FileMatrix& matrix, MatrixUse use) override {
    Matrix& m = matrices_.emplace_back();
    if (use == MatrixUse::kLookup)
      m = describe(kernels_, matrix);
    else
      keep(m, matrix);
    if (use != MatrixUse::kProduct) mapped_.push_back(&m);
    return counted(PackedMatrix{{&m, matrix.bytes()}, matrix.rows(), matrix.cols});
  }
  PackedGdn prepare(const GdnFileWeights& w) override {
    Gdn& g = gdns_.emplace_back();
    g.kernels = &kernels_;
    const int64_t keys = int64_t{w.shape.key_heads} * w.shape.key_dim;
    keep(g.qkv, w.qkv);
    g.qkv.reads = {{keys}, {keys}};
    keep(g.z, w.z);
    g.z.reads.clear();
    for (int i = 0; i < (w.shape.tiled ? w.shape.ratio() : 1); ++i) {
      const int64_t values =
          int64_t{w.shape.key_heads} * w.shape.value_dim * (w.shape.tiled ? 1 : w.shape.ratio());
      g.qkv.reads.push_back({values});
      g.z.reads.push_back({values});
    }
    keep(g.b, by_key_head(w.b, w.shape));
    keep(g.a, by_key_head(w.a, w.shape));
    const auto channels = static_cast<size_t>(w.shape.conv_dim()),
               taps = static_cast<size_t>(w.shape.taps);
    g.conv.resize(channels * taps);
    for (size_t c = 0; c < channels; ++c)
      for (size_t j = 0; j < taps; ++j) g.conv[j * channels + c] = w.conv[c * taps + j];
    g.dt_bias = w.dt_bias;
    g.decay = w.decay;
    g.norm = w.norm;
    const size_t bytes = w.qkv.bytes() + w.z.bytes() + w.b.bytes() + w.a.bytes() +
                         4 * (w.conv.size() + w.dt_bias.size() + w.decay.size() + w.norm.size());
    return counted(PackedGdn{{&g, bytes}, w.shape});
  }
  PackedAttention prepare(const AttentionFileWeights& w) override {
    Attention& a = attentions_.emplace_back();
    a.kernels = &kernels_;
    keep(a.qg, w.qg);
    keep(a.k, w.k);
    keep(a.v, w.v);
    const double units = w.shape.heads + 2 * w.shape.kv_heads;
    const double keys = w.shape.heads / units, values = keys + w.shape.kv_heads / units;
    a.qg.reads = {{w.qg.rows(), 0, keys}};
    a.k.reads = {{w.k.rows(), keys, values}};
    a.v.reads = {{w.v.rows(), values, 1}};
    a.q_norm = w.q_norm;
    a.k_norm = w.k_norm;
    for (int i = 0; i < w.shape.rope_dims / 2; ++i)
      a.frequency.push_back(
          1.0f / std::pow(w.shape.rope_theta,
                          static_cast<float>(2 * i) / static_cast<float>(w.shape.rope_dims)));
    const size_t bytes =
        w.qg.bytes() + w.k.bytes() + w.v.bytes() + 4 * (w.q_norm.size() + w.k_norm.size());
    return counted(PackedAttention{{&a, bytes}, w.shape});
  }
  PackedMlp prepare(const MlpFileWeights& w) override {
    Mlp& m = mlps_.emplace_back();
    keep(m, w);
    return counted(PackedMlp{
        {&m, bytes_of(w)}, static_cast<int>(w.gate.cols), static_cast<int>(w.gate.rows())});
  }
  PackedRouter prepare(const RouterFileWeights& w) override {
    Router& r = routers_.emplace_back();
    keep(r.router, w.router, 0, true);
    r.shared_gate = w.shared_gate;
    return counted(PackedRouter{{&r, w.router.bytes() + 4 * w.shared_gate.size()}, w.shape});
  }
  PackedExperts prepare(const ExpertsFileWeights& w) override {
    Experts& e = experts_.emplace_back();
    keep(e.gate, w.gate, w.shape.d_ff);
    keep(e.up, w.up, w.shape.d_ff);
    // Which experts are called decides who reads these two.
    e.gate.reads.clear();
    e.up.reads.clear();
    keep(e.down, w.down, w.shape.d_model);
    e.down.reads = {{w.shape.d_model}};
    keep(e.shared, w.shared);
    const size_t routed = w.gate.bytes() + w.up.bytes() + w.down.bytes();
    return counted(PackedExperts{
        {&e, routed + bytes_of(w.shared)}, w.shape, routed / static_cast<size_t>(w.shape.experts)});
  }
  PackedMtpJoint prepare(const MtpJointFileWeights& w) override {
    MtpJoint& j = joints_.emplace_back(MtpJoint{{}, w.embedding_norm, w.hidden_norm, w.eps});
    keep(j.w, w.w);
    return counted(
        PackedMtpJoint{{&j, w.w.bytes() + 4 * (w.embedding_norm.size() + w.hidden_norm.size())},
                       static_cast<int>(w.w.rows())});
  }

  void load(const LoadRequest& request) override {
    if (pending_.empty()) return;
    settle_types(pending_, describing_, batch_team(), request);
    PackPlan plan;
    for (const Pending& pending : pending_) plan.add(*pending.matrix);
    weight_memory_ += plan.bytes();
    pending_.clear();
    if (!pack_cache_.empty())
      pack_cache_file_ = PackCache::path_of(pack_cache_, request.name, plan);
    if (describing_) return;
    const Allocate memory = [&](size_t bytes) { return allocate(bytes, "packed weights"); };
    const PackedWeights& weights = weights_.emplace_back(
        pack_cache_.empty()
            ? PackedWeights{pack_into_memory(plan, batch_team(), memory, request), {}}
            : load_through_cache(pack_cache_, plan, batch_team(), memory, request));
    for (const PackPlan::Part& part : plan.parts())
      part.matrix->strips = weights.region() + part.offset;
  }
  std::string pack_cache_file() const override { return pack_cache_file_; }
  std::vector<std::span<const std::byte>> mapped_weights() const override {
    std::vector<std::span<const std::byte>> spans;
    for (const Matrix* m : mapped_)
      for (const RowRun& run : m->file.runs)
        spans.emplace_back(run.data,
                           static_cast<size_t>(run.rows) * row_bytes(m->file.dtype, m->file.cols));
    for (const PackedWeights& weights : weights_)
      if (weights.file) spans.push_back(weights.file->bytes());
    return spans;
  }

  void run(const Program& program, const Buffer& workspace,
           const std::atomic<bool>* stop) override {
    CHECK(workspace.size() >= program.workspace());
    CHECK(pending_.empty());
    Team& team = program.threads() == team_.threads() ? team_ : batch_team();
    CHECK(program.threads() == team.threads());
    phases_.clear();
    for (size_t s = 0; s < program.steps().size(); ++s)
      for (int p = 0; p < program.steps()[s].phases; ++p) phases_.push_back({s, p});
    const auto work = [&](int phase, int thread) {
      // One thread alone decides; the others hear of it as of any other exception.
      if (thread == 0 && stop && stop->load(std::memory_order_relaxed)) throw Stopped();
      const auto [step, own] = phases_[static_cast<size_t>(phase)];
      Timer& timer = timers_[static_cast<size_t>(thread)];
      Counters& counters = counters_[static_cast<size_t>(thread) * kOpNames.size() +
                                     program.steps()[step].args.index()];
      timer.begin(phase == 0, counters);
      program.steps()[step].work({own, thread, team.threads(), workspace.data(), &counters});
      timer.end();
    };
    barriers_ += phases_.size();
    try {
      team.run(static_cast<int>(phases_.size()), std::cref(work));  // a copy would allocate
    } catch (...) {  // it may have broken off in the middle of a router's count
      for (Router& r : routers_) r.arrived = 0;
      throw;
    }
  }

  uint64_t barriers() const override { return barriers_; }
  uint64_t weight_bytes_read() const override {
    uint64_t sum = 0;
    for (const Counters& c : counters_) sum += c.weight_bytes;
    return sum;
  }
  Counters counted_of(size_t op) const override {
    Counters sum;
    for (size_t i = op; i < counters_.size(); i += kOpNames.size()) sum += counters_[i];
    return sum;
  }

 protected:
  std::byte* allocate_bytes(size_t bytes) override {
    // Fresh pages: zeroed, and not taken from the machine before they are used.
    void* data = mmap(nullptr, std::max<size_t>(bytes, 1), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) return nullptr;
    // Weights and states are streamed: fewer, larger pages. Advice only; a refusal changes nothing.
    if (bytes >= kLargePage) madvise(data, bytes, MADV_HUGEPAGE);
    return static_cast<std::byte*>(data);
  }
  void release_bytes(std::byte* data, size_t bytes) override {
    munmap(data, std::max<size_t>(bytes, 1));
  }

 private:
  struct Phase {
    size_t step;
    int phase;
  };
  // A thread's clock: work from the start of a phase to its end, waiting from there to the next.
  class alignas(64) Timer {
   public:
    void begin(bool first, Counters& counters) {
      const uint64_t now = nanoseconds();
      if (!first && counters_ != nullptr) counters_->waiting_ns += now - at_;
      at_ = now;
      counters_ = &counters;
    }
    void end() {
      const uint64_t now = nanoseconds();
      counters_->busy_ns += now - at_;
      at_ = now;
    }

   private:
    static uint64_t nanoseconds() {
      return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                       std::chrono::steady_clock::now().time_since_epoch())
                                       .count());
    }
    uint64_t at_ = 0;
    Counters* counters_ = nullptr;
  };

  // Notes a matrix for load(); it stays where it is. Its strips are shared out to the threads in
  // order, if the caller says nothing else of `reads`.
  void keep(Matrix& m, const FileMatrix& file, int64_t group_rows = 0, bool exact = false) {
    m = describe(kernels_, file, group_rows);
    m.reads = {{file.rows()}};
    if (file) pending_.push_back({&m, exact});
  }
  void keep(Mlp& m, const MlpFileWeights& w) {
    keep(m.gate, w.gate);
    keep(m.up, w.up);
    keep(m.down, w.down);
  }
  static size_t bytes_of(const MlpFileWeights& w) {
    return w.gate.bytes() + w.up.bytes() + w.down.bytes();
  }

  Team& batch_team() { return batch_team_ ? *batch_team_ : team_; }

  Team team_;
  std::optional<Team>
      batch_team_;  // where steps of many rows have a number of threads of their own
  uint64_t barriers_ = 0;
  std::string pack_cache_, pack_cache_file_;
  std::vector<Counters> counters_;  // [thread][operation]
  std::vector<Timer> timers_;       // of each thread
  Kernels kernels_;
  std::string name_;
  Ops ops_;
  std::vector<Phase> phases_;
  bool describing_ = false;
  size_t weight_memory_ = 0;
  std::vector<Pending> pending_;
  std::vector<const Matrix*> mapped_;  // of which rows are looked up in the file
  std::deque<PackedWeights> weights_;
  std::deque<Vector> vectors_;
  std::deque<Matrix> matrices_;
  std::deque<Gdn> gdns_;
  std::deque<Attention> attentions_;
  std::deque<Mlp> mlps_;
  std::deque<Router> routers_;
  std::deque<Experts> experts_;
  std::deque<MtpJoint> joints_;
};

}  // namespace

std::vector<std::string> built_isas() {
#if defined(__x86_64__)
  return {"avx512vnni", "avxvnni", "avx512", "avx2", "portable"};
#elif defined(__aarch64__)
  return {"i8mm", "dotprod", "neon", "portable"};
#else
  return {"portable"};
#endif
}

std::vector<std::string> usable_isas() {
  std::vector<std::string> isas = built_isas();
#if defined(__x86_64__)
  __builtin_cpu_init();
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;  // clang 14 cannot be asked for f16c by name
  const bool f16c = __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_F16C);
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && f16c;
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  const bool avx512vnni = avx512 && __builtin_cpu_supports("avx512vnni");
  // Neither g++ 12 nor clang 14 can be asked for it by name.
  const bool avxvnni = avx2 && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax >> 4 & 1);
  const auto missing = [&](const std::string& isa) {
    return (isa == "avx2" && !avx2) || (isa == "avx512" && !avx512) ||
           (isa == "avxvnni" && !avxvnni) || (isa == "avx512vnni" && !avx512vnni);
  };
  std::erase_if(isas, missing);
#elif defined(__aarch64__)
  const bool dotprod = getauxval(AT_HWCAP) & HWCAP_ASIMDDP;
  const bool i8mm = dotprod && (getauxval(AT_HWCAP2) & HWCAP2_I8MM);
  const auto missing = [&](const std::string& isa) {
    return (isa == "dotprod" && !dotprod) || (isa == "i8mm" && !i8mm);
  };
  std::erase_if(isas, missing);
#endif
  return isas;
}

Kernels kernels_of(const std::string& isa) {
  Kernels k{};
  // From the portable ones upwards, so that a set may leave an entry to the one before it.
  const auto fill = [&k](const char* name, auto... fills) {
    k.isa = name;
    (fills(k), ...);
  };
  fill("portable", portable::fill_packed, portable::fill_packed_plain, portable::fill_rows,
       portable::fill_delta, portable::fill_delta_rows, portable::fill_attention);
#if defined(__x86_64__)
  if (isa == "avx2" || isa == "avxvnni" || isa == "avx512" || isa == "avx512vnni")
    fill("avx2", avx2::fill_packed, avx2::fill_packed_avx2, avx2::fill_rows, avx2::fill_delta,
         avx2::fill_delta_rows, avx2::fill_attention);
  if (isa == "avxvnni") fill("avxvnni", avxvnni::fill_packed_avx2, avxvnni::fill_attention);
  if (isa == "avx512" || isa == "avx512vnni")
    // Inputs must be those that the products of avx2 have room for.
    fill("avx512", avx512::fill_packed, avx2::fill_packed_avx2, avx512::fill_rows,
         avx512::fill_delta, avx512::fill_delta_rows, avx512::fill_attention);
  if (isa == "avx512vnni")
    fill("avx512vnni", avx512::fill_packed, avx512vnni::fill_packed_vnni,
         avx512vnni::fill_attention);
#elif defined(__aarch64__)
  if (isa == "neon" || isa == "dotprod" || isa == "i8mm")
    fill("neon", neon::fill_packed, neon::fill_packed_neon, neon::fill_rows, neon::fill_delta,
         neon::fill_delta_rows, neon::fill_attention);
  if (isa == "dotprod") fill("dotprod", dotprod::fill_packed_neon);
  if (isa == "i8mm") fill("i8mm", i8mm::fill_packed_neon);
#endif
  return k;
}

std::unique_ptr<Device> open_cpu(const DeviceOptions& options) {
  return std::make_unique<CpuDevice>(options);
}

}  // namespace braid::cpu
