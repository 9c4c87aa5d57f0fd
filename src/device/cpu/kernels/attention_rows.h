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
        end_(at_ + bytes),
        step_((bytes + int64_t{kLine} * turns - 1) / (int64_t{kLine} * turns) * kLine) {}
  [[gnu::always_inline]] void turn() {
    const char* to = end_ - at_ < step_ ? end_ : at_ + step_;
    for (; at_ < to; at_ += kLine) __builtin_prefetch(at_, 0, 3);
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

// What to ask for while n keys from `from` on are looked at: those `distance` further on, and at
// the end the first values.
Ahead after_keys(const AttentionPartial& a, int from, int n, int distance, int turns) {
  const int key = from + distance;
  if (key < a.keys)
    return {rows_at(a, a.key_pages, a.key_type, key), n * kv_row_bytes(a.key_type, a.dim), turns};
  const int value = key - (a.keys + n - 1) / n * n;
  if (value < 0 || value >= a.keys) return {nullptr, 0, turns};
  return {rows_at(a, a.value_pages, a.value_type, value), n * kv_row_bytes(a.value_type, a.dim),
          turns};
}
// The same for values, at the end of which the keys of the next partial follow.
Ahead after_values(const AttentionPartial& a, int from, int n, int distance, int turns) {
  const int value = from + distance;
  if (value < a.keys)
    return {rows_at(a, a.value_pages, a.value_type, value), n * kv_row_bytes(a.value_type, a.dim),
            turns};
  if (!a.next_key) return {nullptr, 0, turns};
  const int64_t bytes = kv_row_bytes(a.key_type, a.dim);
  return {static_cast<const char*>(a.next_key) + from % distance * bytes, n * bytes, turns};
}

}  // namespace
}  // namespace braid::BRAID_ISA
