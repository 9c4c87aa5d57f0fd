// What the commands that measure have in common: a model to run steps on, tokens to feed it, and a
// meter that notes what the steps took.
#pragma once

#include "device/program.h"
#include "engine/engine.h"
#include "format/tensor_file.h"
#include "tools/interrupt.h"
#include "tools/options.h"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace braid {

// A file, a device and an engine; no tokenizer, for files without one can be measured too.
class BenchModel {
 public:
  // Throws Error; Interrupted when Ctrl-C came while the file was read.
  BenchModel(const std::string& path, const DeviceChoice& device, const EngineOptions& options);
  BenchModel(const BenchModel&) = delete;
  BenchModel& operator=(const BenchModel&) = delete;

  Engine& engine() { return *engine_; }
  const std::string& path() const { return file_->path(); }
  const std::string& type() const { return type_; }  // "qwen35moe 34.7M Q4_K"
  int64_t weights() const { return weights_; }
  size_t bytes() const { return bytes_; }
  size_t kv_bytes_per_token() const { return kv_bytes_; }
  size_t state_bytes() const { return state_bytes_; }  // of a sequence, read for each token

 private:
  std::unique_ptr<TensorFile> file_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<Engine> engine_;
  std::string type_;
  int64_t weights_ = 0;
  size_t bytes_ = 0, kv_bytes_ = 0, state_bytes_ = 0;
};

// A new, uniformly random token for every position: equal tokens would call the same experts again
// and again, which flatters an engine.
class RandomTokens {
 public:
  RandomTokens(int64_t vocabulary, uint64_t seed) : vocabulary_(vocabulary), random_(seed) {}
  int32_t next() { return static_cast<int32_t>(random_() % static_cast<uint64_t>(vocabulary_)); }
  std::vector<int32_t> next(int64_t n);

 private:
  int64_t vocabulary_;
  std::mt19937_64 random_;
};

// What steps took. Bytes of weights and calls of experts are counted by the device; state, keys and
// values are reckoned: S of each sequence and every position so far, once a step.
struct StepCost {
  int64_t steps = 0, rows = 0;
  double seconds = 0;
  double matmul_ops = 0;                            // 2 x active weights x rows
  std::array<Counters, kOpNames.size()> counted{};  // by the device, of all its threads
  uint64_t state_bytes = 0, kv_bytes = 0;
  uint64_t barriers = 0;

  uint64_t bytes() const;
  Counters counted_in_all() const;
  StepCost& operator+=(const StepCost& other);
};

// Runs steps and times them, and nothing but them. Throws Interrupted before a step once Ctrl-C has
// come, where there is somebody who noticed.
class StepMeter {
 public:
  explicit StepMeter(BenchModel& model, const InterruptGuard* interrupt = nullptr)
      : model_(model), interrupt_(interrupt) {}

  void step(std::span<const Feed> feeds, StepCost& cost);
  // The tokens of a prompt of one sequence in steps as llama.cpp makes them: pieces of `batch` cut
  // into micro-batches, logits for the last token of each piece.
  void prompt(Sequence& sequence, std::span<const int32_t> tokens, int64_t batch, StepCost& cost);
  // One by one.
  void generate(Sequence& sequence, std::span<const int32_t> tokens, StepCost& cost);

 private:
  double matmul_ops(int64_t rows, int64_t logit_rows);

  BenchModel& model_;
  const InterruptGuard* interrupt_;
  std::map<std::pair<int64_t, int64_t>, double> ops_;
};

}  // namespace braid
