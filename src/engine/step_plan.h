// How many rows each sequence gets in the next step, and how many a step may have.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace braid {

// What a running request could do next.
struct Work {
  int64_t pending = 0;  // tokens that have not run; 1 of a decoding one
  int64_t until = 0;    // of them, as many as may run before a snapshot must be taken
  bool decoding = false;
  int priority = 0;
  uint64_t number = 0;  // the smaller, the longer it waits
};

// Every decoding one gets its row. What is left of `budget`, but never less than kLeastPrefill
// rows, goes to prompts, those of the highest priority first. Half of it goes to the one that
// waits longest, so nobody starves; the rest to those that are nearest to their ends, so a short
// prompt is done early and a step is not cut into many small parts. No step has more than `most`
// rows, which are enough for all that decode.
inline constexpr int64_t kLeastPrefill = 16;
std::vector<int64_t> plan_rows(std::span<const Work> work, int64_t budget, int64_t most);

// Rows that take about so many seconds, learned from the steps, whatever a row costs.
class StepBudget {
 public:
  StepBudget(double seconds, int64_t most)
      : seconds_(seconds), most_(most), rows_(most < kFirst ? most : kFirst) {}

  int64_t rows() const { return rows_; }
  void note(int64_t rows, double seconds);

 private:
  static constexpr int64_t kFirst = 2 * kLeastPrefill;
  double seconds_;
  int64_t most_;
  int64_t rows_;
};

}  // namespace braid
