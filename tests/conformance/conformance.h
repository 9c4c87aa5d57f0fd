// Every operation of every device against device/ref, and against itself.
//
// A Subject is an operation with its weights. check() runs it over a list of plans: a device's
// numbers must be close to the reference's, and the same bits with 1, 2 and 3 threads, in a larger
// row bucket with other slots and pages, and for each sequence alone.
#pragma once

#include "device/cpu/cpu_device.h"
#include "device/ops_test_state.h"

#include <gtest/gtest.h>

#include <cstdio>

namespace braid::conformance {

using ops_test::Outcome;
using ops_test::Piece;
using ops_test::Plan;
using ops_test::RandomFile;
using ops_test::Stage;
using ops_test::Step;

// What a product with weights of a type may differ from the reference's: devices quantise the rows
// that meet quantised weights to int8, 64 or 128 columns at a time; with the scales of AVX2, whose
// neighbours are bounded too, the largest error of the small shapes here is 2.9e-2. How exact the
// products themselves are is seen in the tests of the matrices.
inline double weight_tolerance(DType type) {
  const bool plain = type == DType::F32 || type == DType::F16 || type == DType::BF16;
  return plain ? 3e-6 : 3.5e-2;
}

class Subject {
 public:
  virtual ~Subject() = default;
  // Runs the plan on a device just opened.
  virtual Outcome run(Device& device, const Plan& plan) const = 0;
  // Largest difference allowed, relative to the largest value of a part.
  virtual double tolerance(const std::string&) const { return allowed; }

  std::string name;  // of the operation and its variant, for messages
  double allowed = 3e-6;
};

// A device under test, and how many threads it is opened with.
struct Target {
  std::string device, isa;
  std::string name() const { return isa.empty() ? device : device + " (" + isa + ")"; }
  std::unique_ptr<Device> open(int threads) const { return open_device(device, {threads, isa}); }
};

// The reference is a target too: its bits must not depend on the step either.
inline std::vector<Target> targets() {
  std::vector<Target> list{{"ref", ""}};
  for (const std::string& isa : cpu::usable_isas()) list.push_back({"cpu", isa});
  return list;
}

inline Outcome run(const Subject& subject, const Target& target, int threads, const Plan& plan) {
  return subject.run(*target.open(threads), plan);
}

// Two lists compared, over all sequences and plans: so that a list of one number near zero, left by
// a cancellation, is measured by what the operation usually gives.
struct Difference {
  double product = 0, squares = 0, apart = 0, largest = 0;

  void add(const std::vector<float>& a, const std::vector<float>& b) {
    for (size_t i = 0; i < a.size(); ++i) {
      const double x = double{a[i]}, y = double{b[i]};
      product += x * y;
      squares += x * x + y * y;
      largest = std::max(largest, std::fabs(x));
      apart = std::isfinite(x) && std::isfinite(y) ? std::max(apart, std::fabs(x - y))
                                                   : std::numeric_limits<double>::infinity();
    }
  }
  // 1 - 2 <a, b> / (|a|^2 + |b|^2): 0 when equal, whatever the size of the values.
  double calc() const { return squares == 0 ? 0 : std::max(0.0, 1 - 2 * product / squares); }
  // The largest |a - b|, relative to the largest |a|.
  double max() const { return apart == 0 ? 0 : apart / largest; }
};
using Differences = std::map<std::string, Difference>;  // by part

inline void add_differences(const Outcome& expected, const Outcome& got, Differences& differences) {
  ASSERT_EQ(expected.of.size(), got.of.size());
  for (const auto& [id, parts] : expected.of)
    for (const auto& [part, values] : parts) {
      const auto& other = got.of.at(id).at(part);
      ASSERT_EQ(values.size(), other.size()) << part;
      differences[part].add(values, other);
    }
}

inline void expect_close(const Subject& subject, const std::string& target,
                         const Differences& differences) {
  for (const auto& [part, d] : differences) {
    const double tolerance = subject.tolerance(part);
    std::printf("    %-40s %-15s %-8s calc_diff %8.1e  max %8.1e\n", subject.name.c_str(),
                target.c_str(), part.c_str(), d.calc(), d.max());
    // Far smaller on average than at most: the square of the tolerance is generous.
    EXPECT_TRUE(d.calc() <= tolerance * tolerance + 1e-15 && d.max() <= tolerance)
        << subject.name << ", " << target << ", " << part << ": allowed " << tolerance;
  }
}

inline double max_difference(const std::vector<float>& a, const std::vector<float>& b) {
  Difference d;
  d.add(a, b);
  return d.max();
}

// `got` may hold fewer sequences than `expected`.
inline void expect_same_bits(const Outcome& expected, const Outcome& got, const std::string& what) {
  for (const auto& [id, parts] : got.of)
    for (const auto& [part, values] : parts) {
      const auto& other = expected.of.at(id).at(part);
      ASSERT_EQ(values.size(), other.size()) << what << ", " << part;
      EXPECT_TRUE(values.empty() ||
                  std::memcmp(values.data(), other.data(), values.size() * sizeof(float)) == 0)
          << what << ", sequence " << id << ", " << part << ": not the same bits, they differ by "
          << max_difference(other, values);
    }
}

inline Plan alone(const Plan& plan, int id) {
  Plan own;
  own.layout = plan.layout + 17;
  for (const Step& step : plan.steps)
    for (const Piece& p : step)
      if (p.id == id) own.steps.push_back({p});
  return own;
}

inline void check_bits(const Subject& subject, const Target& target, const Plan& plan,
                       const Outcome& outcome) {
  const std::string what = subject.name + ", " + target.name();
  for (int threads : {2, 3}) {
    const Outcome other = run(subject, target, threads, plan);
    expect_same_bits(outcome, other, what + fmt::format(", {} threads", threads));
    EXPECT_EQ(outcome.weight_bytes, other.weight_bytes) << what;
  }
  Plan roomy = plan;
  roomy.spare_rows = 9;
  roomy.layout += 1;
  expect_same_bits(outcome, run(subject, target, 2, roomy), what + ", a larger bucket");
  if (outcome.of.size() < 2) return;
  for (const auto& [id, parts] : outcome.of)
    expect_same_bits(outcome, run(subject, target, 1, alone(plan, id)), what + ", alone");
}

inline void check(const Subject& subject, const std::vector<Plan>& plans) {
  std::vector<Outcome> expected;
  for (const Plan& plan : plans) expected.push_back(run(subject, {"ref", ""}, 1, plan));
  for (const Target& target : targets()) {
    Differences differences;
    for (size_t i = 0; i < plans.size(); ++i) {
      const Outcome outcome = run(subject, target, 1, plans[i]);
      add_differences(expected[i], outcome, differences);
      EXPECT_EQ(expected[i].weight_bytes, outcome.weight_bytes)
          << subject.name << ", " << target.name();
      check_bits(subject, target, plans[i], outcome);
    }
    if (target.device != "ref") expect_close(subject, target.name(), differences);
  }
}

// Steps of n rows for n = 0, 1, few, and around the sizes at which devices change their ways.
inline std::vector<Plan> plans_of_rows() {
  std::vector<Plan> plans{{{{}}, 3}};
  for (int32_t n : {1, 2, 7, 8, 9, 16, 33}) plans.push_back({{{{1, 0, n}}}});
  plans.push_back({{{{1, 40, 1}, {2, 0, 5}, {3, 9, 3}, {4, 1000, 1}}}});
  return plans;
}

// Sanitizer builds take fewer shapes.
#ifdef BRAID_SMALL_TESTS
inline constexpr bool kSmall = true;
#else
inline constexpr bool kSmall = false;
#endif

// Weights of width 256 suit every type.
inline std::vector<DType> some_types() {
  if (kSmall) return {DType::Q4_K};
  return {DType::F32, DType::BF16, DType::Q8_0, DType::Q4_K, DType::Q6_K, DType::IQ3_XXS};
}

}  // namespace braid::conformance
