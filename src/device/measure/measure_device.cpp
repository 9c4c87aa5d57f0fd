#include "device/measure/measure_device.h"

#include <algorithm>
#include <cstring>
#include <variant>

namespace braid {
namespace {

class MeasureDevice final : public Device {
 public:
  explicit MeasureDevice(std::unique_ptr<Device> like)
      : like_(std::move(like)), name_("measure of " + std::string(like_->name())) {
    like_->describe_only();
  }

  std::string_view name() const override { return name_; }
  int threads(int64_t rows) const override { return like_->threads(rows); }
  size_t weight_memory() const override { return like_->weight_memory(); }
  const Ops& ops() const override { return like_->ops(); }

  void upload(void*, const void*, size_t) override {}
  void download(void* to, const void*, size_t bytes) override { std::memset(to, 0, bytes); }
  void copy(void*, const void*, size_t) override {}
  void zero(void*, size_t) override {}

  PackedVector prepare(std::span<const float> v) override { return counted(like_->prepare(v)); }
  PackedMatrix prepare(const FileMatrix& w, MatrixUse use) override {
    return counted(like_->prepare(w, use));
  }
  PackedGdn prepare(const GdnFileWeights& w) override { return counted(like_->prepare(w)); }
  PackedAttention prepare(const AttentionFileWeights& w) override {
    return counted(like_->prepare(w));
  }
  PackedMlp prepare(const MlpFileWeights& w) override { return counted(like_->prepare(w)); }
  PackedRouter prepare(const RouterFileWeights& w) override { return counted(like_->prepare(w)); }
  PackedExperts prepare(const ExpertsFileWeights& w) override { return counted(like_->prepare(w)); }
  PackedMtpJoint prepare(const MtpJointFileWeights& w) override {
    return counted(like_->prepare(w));
  }

  void load(const LoadRequest& request) override { like_->load(request); }
  void run(const Program&, const Buffer&, const std::atomic<bool>*) override {}
  uint64_t weight_bytes_read() const override { return 0; }

 protected:
  std::byte* allocate_bytes(size_t bytes) override {
    std::byte* address = next_;
    next_ += (bytes + 63) / 64 * 64 + 64;
    return address;
  }
  void release_bytes(std::byte*, size_t) override {}

 private:
  std::unique_ptr<Device> like_;
  std::string name_;
  std::byte* next_ =
      reinterpret_cast<std::byte*>(uintptr_t{1} << 40);  // nobody's: never dereferenced
};

// Weights of a block as numbers, for the flops: 2 each and row.
struct Counter {
  int64_t rows, logit_rows;
  OpCost cost;

  void dense(const PackedBlock& block, double weights, double used_by) {
    cost.least_bytes += block.bytes;
    cost.most_bytes += block.bytes;
    cost.matmul_flops += 2 * weights * used_by;
  }
  double r() const { return static_cast<double>(rows); }

  void operator()(const EmbedArgs& a) {
    const size_t row = a.w.bytes / static_cast<size_t>(a.w.rows);
    cost.least_bytes += row * static_cast<size_t>(rows);
    cost.most_bytes = cost.least_bytes;
  }
  void operator()(const GdnMixArgs& a) {
    const GdnShape& s = a.w.shape;
    dense(a.w,
          double(s.d_model) *
              (s.conv_dim() + double(s.value_heads) * s.value_dim + 2.0 * s.value_heads),
          r());
  }
  void operator()(const AttnMixArgs& a) {
    const AttentionShape& s = a.w.shape;
    dense(a.w, double(s.d_model) * s.head_dim * 2 * (s.heads + s.kv_heads), r());
  }
  void operator()(const LinearAddArgs& a) { dense(a.w, double(a.w.rows) * double(a.w.cols), r()); }
  void operator()(const MlpArgs& a) { dense(a.w, 3.0 * a.w.d_model * a.w.d_ff, r()); }
  void operator()(const RouteArgs& a) {
    dense(a.w, double(a.w.shape.experts) * a.w.shape.d_model, r());
  }
  void operator()(const ExpertsArgs& a) {
    const MoeShape& s = a.w.shape;
    const size_t shared = a.w.bytes - a.w.expert_bytes * static_cast<size_t>(s.experts);
    const auto called = static_cast<size_t>(std::min<int64_t>(s.experts, rows * s.top_k));
    cost.least_bytes += shared + a.w.expert_bytes * static_cast<size_t>(rows > 0 ? s.top_k : 0);
    cost.most_bytes += shared + a.w.expert_bytes * called;
    cost.matmul_flops += 2 * 3.0 * s.d_model * (double(s.top_k) * s.d_ff + s.d_shared) * r();
  }
  void operator()(const NormRowsArgs&) {}
  void operator()(const MtpJointArgs& a) { dense(a.w, 2.0 * a.w.d_model * a.w.d_model, r()); }
  void operator()(const HeadArgs& a) {
    if (logit_rows > 0)
      dense(a.w, double(a.w.rows) * double(a.w.cols), static_cast<double>(logit_rows));
  }
};

}  // namespace

std::unique_ptr<Device> open_measure_device(std::unique_ptr<Device> like) {
  return std::make_unique<MeasureDevice>(std::move(like));
}

std::vector<OpCost> op_costs(const Program& program, int64_t rows, int64_t logit_rows) {
  std::vector<OpCost> costs;
  for (const Program::Step& step : program.steps()) {
    Counter counter{rows, logit_rows, {step.name, step.phases, step.workspace}};
    std::visit(counter, step.args);
    costs.push_back(counter.cost);
  }
  return costs;
}

OpCost total_cost(const Program& program, int64_t rows, int64_t logit_rows) {
  OpCost total{"total"};
  for (const OpCost& c : op_costs(program, rows, logit_rows)) {
    total.phases += c.phases;
    total.workspace = std::max(total.workspace, c.workspace);
    total.least_bytes += c.least_bytes;
    total.most_bytes += c.most_bytes;
    total.matmul_flops += c.matmul_flops;
  }
  return total;
}

}  // namespace braid
