// What `braid bench` will measure: every combination of the values that its options list.
#pragma once

#include "quant/dtype.h"
#include "tools/number_lists.h"
#include "tools/options.h"

#include <cstdint>
#include <string>
#include <vector>

namespace braid {

// As given; an empty list stands for the default.
struct BenchOptions {
  std::vector<std::string> models;
  std::vector<int64_t> prompt, generate, depth, batch, ubatch, threads;
  std::vector<NumberPair> prompt_generate, generate_after, threads_generate_batch;
  std::vector<std::string> key_types, value_types;
  int64_t repetitions = 5, warmup = 1, seed = 1, delay = 0;
  std::string output = "md", output_err = "none";
  bool no_probe = false;
  DeviceChoice device;  // its threads are those of each configuration
};

// kGenerateAfter: the prompt is read, and only what is generated after it is timed.
enum class BenchKind { kPrompt, kGenerate, kPromptGenerate, kGenerateAfter };

struct BenchTest {
  BenchKind kind = BenchKind::kPrompt;
  int64_t prompt = 0, generate = 0, depth = 0;

  int64_t tokens() const { return prompt + generate + depth; }  // of the context
  int64_t timed() const { return (kind == BenchKind::kGenerateAfter ? 0 : prompt) + generate; }
  int64_t untimed() const { return tokens() - timed(); }  // before that
  std::string label() const;                              // "pp512", "tg128 @ d1024"
};

// A test with all that it depends on.
struct BenchCase {
  std::string model;
  int64_t batch = 2048, ubatch = 512;
  int threads_generate = 0, threads_batch = 0;  // 0: Topology::default_threads()
  DType key_type = DType::F16, value_type = DType::F16;
  BenchTest test;
  int64_t context = 1;  // the most that a case of the same engine needs

  bool same_engine(const BenchCase& other) const;
};

// Throws Error for combinations that cannot be measured.
std::vector<BenchCase> bench_plan(const BenchOptions& options);

}  // namespace braid
