// For the tests of isolation: small models, the logits of a timeline that runs alone, and poison.
//
// The measure of everything is Solo: one token a step, one sequence, one thread, never stepped
// back. Whatever an engine does with a timeline (cuts, company, slots, threads, forks, rewinds,
// restores), its logits must be Solo's, bit by bit. Sums in another order differ in the last bits
// already, so equal bits mean equal order. Each test runs on every instruction set that this
// machine has.
#pragma once

#include "base/check.h"
#include "device/cpu/cpu_device.h"
#include "engine/engine.h"
#include "format/tensor_file.h"
#include "state/snapshot.h"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace braid::isolation {

#ifdef BRAID_SMALL_TESTS
inline constexpr bool kSmall = true;
#else
inline constexpr bool kSmall = false;
#endif

// What a test runs on, beside the instruction sets.
struct Setup {
  const char* model;  // "qwen3next", "qwen35_r3", "qwen35moe", "quantised"
  DType cache;
  int threads;
};
// Every model, the cache types F16, F32 and BF16, and 1, 2 and 3 threads.
std::vector<Setup> setups();
std::vector<Setup> setups_with_mtp();
std::string name_of(const testing::TestParamInfo<Setup>& info);
void PrintTo(const Setup& setup, std::ostream* out);  // for gtest

// Checkpoints of tests/golden; "quantised" is one of them in Q8_0 and Q4_0.
const TensorFile& model_file(const std::string& name);

// Instruction sets to test: all that this machine has, the best one first. Threads know nothing of
// them, so a setup of several threads takes the best one alone.
std::vector<std::string> isas(const Setup& setup);
std::string best_isa();
// Whether a sweep should be as long as it is worth: elsewhere a part of it will do.
bool in_full(const Setup& setup, const std::string& isa);

using Tokens = std::vector<int32_t>;
// The first n tokens of a timeline; timelines have nothing in common.
Tokens timeline(int which, int64_t n);
Tokens joined(std::span<const int32_t> a, std::span<const int32_t> b);
inline std::span<const int32_t> part(const Tokens& tokens, int64_t begin, int64_t end) {
  return std::span(tokens).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
}
inline int32_t token_at(const Tokens& tokens, int64_t i) { return tokens[static_cast<size_t>(i)]; }

// A device and an engine with the setup's cache type on it. `change` may plant something in the
// device's op table before the engine records its programs.
struct Bench {
  Bench(const Setup& setup, const std::string& isa, EngineOptions options,
        void (*change)(Ops&) = nullptr);
  std::unique_ptr<Device> device;
  Engine engine;
};

// Logits by position.
class Rows {
 public:
  explicit Rows(size_t width = 0) : width_(width) {}
  void add(std::span<const float> row);
  std::span<const float> operator[](int64_t position) const;
  int64_t count() const { return static_cast<int64_t>(values_.size() / width_); }

 private:
  size_t width_;
  std::vector<float> values_;
};

class Solo {
 public:
  Solo(const Setup& setup, const std::string& isa);
  // Row p: the logits after tokens[0..p].
  const Rows& logits(const Tokens& tokens);
  // Element n: the state after the first n tokens.
  std::vector<Snapshot> states(const Tokens& tokens);

 private:
  struct Run {
    Tokens tokens;
    Rows rows;
  };
  Bench bench_;
  Sequence sequence_;
  std::deque<Run> runs_;  // the last one is that of sequence_
};

testing::AssertionResult same_bits(std::span<const float> a, std::span<const float> b);
inline bool differ(std::span<const float> a, std::span<const float> b) { return !same_bits(a, b); }

// Runs the tokens as one step of this sequence alone, all logits wanted, and compares them.
testing::AssertionResult goes_on(Engine& engine, Sequence& sequence,
                                 std::span<const int32_t> tokens, const Rows& expected);

// Everything in the sequence's slot that no later token may look at becomes NaN, and so do the keys
// and values behind its last position. (Those of an MTP layer stay: the trunk neither reads nor
// writes them.)
void poison_rest(const Engine& engine, Sequence& sequence);
// Everything in the slots and pages that are free or trash becomes NaN.
void poison_free(StatePool& pool);

}  // namespace braid::isolation
