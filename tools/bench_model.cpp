#include "tools/bench_model.h"

#include "device/measure/measure_device.h"
#include "format/open.h"
#include "models/qwen_config.h"
#include "tools/load_progress.h"
#include "tools/loaded_model.h"
#include "tools/warm_up.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <numeric>

namespace braid {
namespace {

using Clock = std::chrono::steady_clock;

std::string weights_text(int64_t weights) {
  const double n = static_cast<double>(weights);
  if (n >= 1e9) return fmt::format("{:.2f}B", n / 1e9);
  if (n >= 1e6) return fmt::format("{:.2f}M", n / 1e6);
  return fmt::format("{:.2f}K", n / 1e3);
}

// The type that most bytes have.
std::string main_type(const TensorFile& file) {
  std::map<DType, size_t> bytes;
  for (const FileTensor& tensor : file.tensors()) bytes[tensor.dtype] += tensor.bytes.size();
  const auto most = std::max_element(
      bytes.begin(), bytes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == bytes.end() ? "" : std::string(info(most->first).name);
}

// What a decoded token touches of a sequence's recurrent state: S, which every 16th token writes;
// of the keys and updates since its block's start half a block on average; the inputs of the
// convolution.
size_t state_bytes_of(const StateSpec& spec) {
  size_t floats = 0;
  for (const LayerState& layer : spec.layers)
    if (const auto* recurrent = std::get_if<RecurrentLayout>(&layer)) {
      const size_t state = recurrent->state_floats() / 2, blocks = kRing / kBlock;
      floats += state + state / kBlock;
      floats += (recurrent->key_floats() + recurrent->update_floats()) / blocks / 2;
      floats += static_cast<size_t>(kConvHistory * recurrent->conv_dim);
    }
  return floats * sizeof(float);
}

std::array<Counters, kOpNames.size()> counters_of(const Device& device) {
  std::array<Counters, kOpNames.size()> all{};
  for (size_t op = 0; op < all.size(); ++op) all[op] = device.counted_of(op);
  return all;
}

}  // namespace

BenchModel::BenchModel(const std::string& path, const DeviceChoice& device,
                       const EngineOptions& options)
    : file_(open_model_file(find_model(path))), device_(open_device(device)) {
  engine_ = std::make_unique<Engine>(*file_, *device_, options, LoadWatch().hooks());
  for (const FileTensor& tensor : file_->tensors()) {
    weights_ += tensor.elements();
    bytes_ += tensor.bytes.size();
  }
  type_ =
      fmt::format("{} {} {}", architecture_of(*file_), weights_text(weights_), main_type(*file_));
  const StateSpec& state = engine_->spec().state;
  kv_bytes_ = StatePool::page_bytes(state, options.key_type, options.value_type) / kPageTokens;
  state_bytes_ = state_bytes_of(state);
  warm_up(*device_);
}

std::vector<int32_t> RandomTokens::next(int64_t n) {
  std::vector<int32_t> tokens(static_cast<size_t>(n));
  for (int32_t& token : tokens) token = next();
  return tokens;
}

uint64_t StepCost::bytes() const { return counted_in_all().weight_bytes + state_bytes + kv_bytes; }

Counters StepCost::counted_in_all() const {
  return std::accumulate(counted.begin(), counted.end(), Counters(),
                         [](Counters sum, const Counters& c) { return sum += c; });
}

StepCost& StepCost::operator+=(const StepCost& other) {
  steps += other.steps;
  rows += other.rows;
  seconds += other.seconds;
  matmul_ops += other.matmul_ops;
  for (size_t op = 0; op < counted.size(); ++op) counted[op] += other.counted[op];
  state_bytes += other.state_bytes;
  kv_bytes += other.kv_bytes;
  barriers += other.barriers;
  return *this;
}

void StepMeter::step(std::span<const Feed> feeds, StepCost& cost) {
  if (interrupt_ != nullptr && interrupt_->interrupted()) throw Interrupted();
  Engine& engine = model_.engine();
  const auto before = counters_of(engine.device());
  const uint64_t barriers = engine.device().barriers();
  const auto start = Clock::now();
  engine.step(feeds);
  cost.seconds += std::chrono::duration<double>(Clock::now() - start).count();
  cost.barriers += engine.device().barriers() - barriers;
  const auto after = counters_of(engine.device());
  for (size_t op = 0; op < after.size(); ++op) cost.counted[op] += after[op].since(before[op]);
  int64_t rows = 0;
  for (const Feed& feed : feeds) {
    rows += static_cast<int64_t>(feed.tokens.size());
    cost.state_bytes += model_.state_bytes();
    cost.kv_bytes += static_cast<uint64_t>(feed.sequence->length()) * model_.kv_bytes_per_token();
  }
  ++cost.steps;
  cost.rows += rows;
  cost.matmul_ops += matmul_ops(rows, engine.logit_rows());
}

void StepMeter::prompt(Sequence& sequence, std::span<const int32_t> tokens, int64_t batch,
                       StepCost& cost) {
  const int64_t ubatch = model_.engine().options().ubatch;
  const auto n = static_cast<int64_t>(tokens.size());
  for (int64_t at = 0; at < n;) {
    const int64_t left = std::min(batch - at % batch, n - at);  // of this piece
    const int64_t rows = std::min(ubatch, left);
    const Feed feed{&sequence, tokens.subspan(static_cast<size_t>(at), static_cast<size_t>(rows)),
                    rows == left ? 1 : 0};
    step({&feed, 1}, cost);
    at += rows;
  }
}

void StepMeter::generate(Sequence& sequence, std::span<const int32_t> tokens, StepCost& cost) {
  for (size_t at = 0; at < tokens.size(); ++at) {
    const Feed feed{&sequence, tokens.subspan(at, 1), 1};
    step({&feed, 1}, cost);
  }
}

// Looked up once for each size of step: 2 x the weights that a row meets.
double StepMeter::matmul_ops(int64_t rows, int64_t logit_rows) {
  const auto [found, fresh] = ops_.try_emplace({rows, logit_rows}, 0.0);
  if (fresh)
    found->second = total_cost(model_.engine().program(rows), rows, logit_rows).matmul_flops;
  return found->second;
}

}  // namespace braid
