// Where the rows of a partial lie, and asking for them ahead of time.
#pragma once

#include "device/cpu/kernels/kv_rows.h"

namespace braid::BRAID_ISA {
namespace {

// A tile of scores has as many products as a vector has lanes.
constexpr int kQ = kScoreQueries, kK = kLanes / kScoreQueries;

// Asks for the rows that come next, a few lines at each turn of the present ones: memory works
// while they are computed, and neither waits for the other.
class Ahead {
 public:
  Ahead(const void* rows, int64_t bytes, int turns)
      : at_(static_cast<const char*>(rows)),
        end_(rows ? at_ + bytes : at_),
        step_((bytes + int64_t{kLine} * turns - 1) / (int64_t{kLine} * turns) * kLine) {}
  [[gnu::always_inline]] void turn() {
    const char* to = end_ - at_ < step_ ? end_ : at_ + step_;
    for (; at_ < to; at_ += kLine) __builtin_prefetch(at_, 0, 2);
  }

 private:
  static constexpr int kLine = 64;
  const char *at_, *end_;
  int64_t step_;
};

const void* rows_at(const AttentionPartial& a, const void* const* pages, KvType type, int t) {
  return static_cast<const char*>(pages[t / a.page_keys]) +
         static_cast<int64_t>(t % a.page_keys) * kv_row_bytes(type, a.dim);
}

// What follows the rows from `from` on: the next ones, or the first of the values.
Ahead after_keys(const AttentionPartial& a, int from, int n, int turns) {
  if (from + n < a.keys)
    return {rows_at(a, a.key_pages, a.key_type, from + n), n * kv_row_bytes(a.key_type, a.dim),
            turns};
  return {a.value_pages[0], n * kv_row_bytes(a.value_type, a.dim), turns};
}
Ahead after_values(const AttentionPartial& a, int from, int n, int turns) {
  if (from + n < a.keys)
    return {rows_at(a, a.value_pages, a.value_type, from + n),
            n * kv_row_bytes(a.value_type, a.dim), turns};
  return {a.next_key, n * kv_row_bytes(a.key_type, a.dim), turns};
}

}  // namespace
}  // namespace braid::BRAID_ISA
