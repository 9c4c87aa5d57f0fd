#include "device/ref/ref_device.h"

#include "base/team.h"
#include "device/ref/ref_ops.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <new>

namespace braid::ref {
namespace {

constexpr std::align_val_t kAlignment{64};

size_t bytes_of(const Vector& v) { return v.size() * sizeof(float); }
size_t bytes_of(const MlpFileWeights& w) { return w.gate.bytes() + w.up.bytes() + w.down.bytes(); }
Mlp mlp_of(const MlpFileWeights& w) { return {Matrix(w.gate), Matrix(w.up), Matrix(w.down)}; }

class RefDevice final : public Device {
 public:
  explicit RefDevice(const DeviceOptions& options)
      : team_(options.threads), counters_(static_cast<size_t>(team_.threads()) * kOpNames.size()) {
    if (!options.isa.empty())
      fail("device ref has no instruction sets, \"{}\" was asked for: leave the option out",
           options.isa);
    for (const auto fill : {fill_embed, fill_gdn_mix, fill_attn_mix, fill_linear_add, fill_mlp,
                            fill_route, fill_experts, fill_norm_rows, fill_mtp_joint, fill_head})
      fill(ops_);
  }

  std::string_view name() const override { return "ref"; }
  int threads(int64_t) const override { return team_.threads(); }
  const Ops& ops() const override { return ops_; }

  void upload(void* to, const void* from, size_t bytes) override { copy(to, from, bytes); }
  void download(void* to, const void* from, size_t bytes) override { copy(to, from, bytes); }
  void copy(void* to, const void* from, size_t bytes) override {
    if (bytes > 0) std::memmove(to, from, bytes);
  }
  void zero(void* to, size_t bytes) override {
    if (bytes > 0) std::memset(to, 0, bytes);
  }

  PackedVector prepare(std::span<const float> vector) override {
    const Vector& v = vectors_.emplace_back(vector.begin(), vector.end());
    return {{&v, bytes_of(v)}, static_cast<int64_t>(v.size())};
  }
  PackedMatrix prepare(const FileMatrix& m, MatrixUse) override {
    return {{&matrices_.emplace_back(m), m.bytes()}, m.rows(), m.cols};
  }
  PackedGdn prepare(const GdnFileWeights& w) override {
    const Gdn& gdn = gdns_.emplace_back(Gdn{Matrix(w.qkv), Matrix(w.z), Matrix(w.b), Matrix(w.a),
                                            w.conv, w.dt_bias, w.decay, w.norm});
    const size_t bytes = w.qkv.bytes() + w.z.bytes() + w.b.bytes() + w.a.bytes() +
                         bytes_of(w.conv) + bytes_of(w.dt_bias) + bytes_of(w.decay) +
                         bytes_of(w.norm);
    return {{&gdn, bytes}, w.shape};
  }
  PackedAttention prepare(const AttentionFileWeights& w) override {
    const Attention& attention = attentions_.emplace_back(
        Attention{Matrix(w.qg), Matrix(w.k), Matrix(w.v), w.q_norm, w.k_norm});
    const size_t bytes =
        w.qg.bytes() + w.k.bytes() + w.v.bytes() + bytes_of(w.q_norm) + bytes_of(w.k_norm);
    return {{&attention, bytes}, w.shape};
  }
  PackedMlp prepare(const MlpFileWeights& w) override {
    const Mlp& mlp = mlps_.emplace_back(mlp_of(w));
    return {{&mlp, bytes_of(w)}, static_cast<int>(w.gate.cols), static_cast<int>(w.gate.rows())};
  }
  PackedRouter prepare(const RouterFileWeights& w) override {
    const Router& router = routers_.emplace_back(Router{Matrix(w.router), w.shared_gate});
    return {{&router, w.router.bytes() + bytes_of(w.shared_gate)}, w.shape};
  }
  PackedExperts prepare(const ExpertsFileWeights& w) override {
    const Experts& experts = experts_.emplace_back(
        Experts{Matrix(w.gate), Matrix(w.up), Matrix(w.down), mlp_of(w.shared)});
    const size_t routed = w.gate.bytes() + w.up.bytes() + w.down.bytes();
    return counted(PackedExperts{{&experts, routed + bytes_of(w.shared)},
                                 w.shape,
                                 routed / static_cast<size_t>(w.shape.experts)});
  }
  PackedMtpJoint prepare(const MtpJointFileWeights& w) override {
    const MtpJoint& joint =
        joints_.emplace_back(MtpJoint{Matrix(w.w), w.embedding_norm, w.hidden_norm, w.eps});
    return {{&joint, w.w.bytes() + bytes_of(w.embedding_norm) + bytes_of(w.hidden_norm)},
            static_cast<int>(w.w.rows())};
  }

  void run(const Program& program, const Buffer& workspace,
           const std::atomic<bool>* stop) override {
    CHECK_THAT(workspace.size() >= program.workspace(), "a workspace of {} bytes, {} needed",
               workspace.size(), program.workspace());
    for (const Program::Step& step : program.steps())
      team_.run(step.phases, [&](int phase, int thread) {
        if (thread == 0 && stop && stop->load(std::memory_order_relaxed)) throw Stopped();
        step.work({phase, thread, team_.threads(), workspace.data(),
                   &counters_[static_cast<size_t>(thread) * kOpNames.size() + step.args.index()]});
      });
  }

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
    void* data = ::operator new(bytes, kAlignment, std::nothrow);
    if (data) std::memset(data, 0, bytes);
    return static_cast<std::byte*>(data);
  }
  void release_bytes(std::byte* data, size_t) override { ::operator delete(data, kAlignment); }

 private:
  Team team_;
  std::vector<Counters> counters_;  // [thread][operation]
  Ops ops_;
  // What prepare() handed out lives here; a deque never moves its elements.
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

std::unique_ptr<Device> open_ref(const DeviceOptions& options) {
  return std::make_unique<RefDevice>(options);
}

}  // namespace braid::ref
