// Asking for the parts of pages ahead of time.
#pragma once

#include "device/cpu/kernels/kv_rows.h"

namespace braid::BRAID_ISA {
namespace {

// A tile of f32 scores has as many products as a vector has lanes.
constexpr int kQ = kScoreQueries, kK = kLanes / kScoreQueries;

// Asks for what comes next, a few lines at each turn of the present work: memory works while that
// is computed, and neither waits for the other.
class Ahead {
 public:
  // Piece `piece` of `pieces` of a part; null asks for nothing.
  Ahead(const void* part, int64_t part_bytes, int64_t piece, int64_t pieces, int turns)
      : at_(static_cast<const char*>(part)), end_(at_) {
    if (!part) return;
    at_ += part_bytes * piece / pieces;
    end_ += part_bytes * (piece + 1) / pieces;
    step_ = (end_ - at_ + int64_t{kLine} * turns - 1) / (int64_t{kLine} * turns) * kLine;
  }
  [[gnu::always_inline]] void turn() {
    const char* to = end_ - at_ < step_ ? end_ : at_ + step_;
    for (; at_ < to; at_ += kLine) __builtin_prefetch(at_, 0, 3);
  }

 private:
  static constexpr int kLine = 64;
  const char *at_, *end_;
  int64_t step_ = 0;
};

[[gnu::always_inline]] inline int pages_of(const AttentionPartial& a) {
  return (a.keys + kKvPage - 1) / kKvPage;
}

// What to ask for while a piece of the keys is looked at, pieces counted from the partial's start:
// what lies `distance` pieces further on, and at the end the first values.
Ahead after_keys(const AttentionPartial& a, int piece, int pieces_of_page, int distance,
                 int turns) {
  piece += distance;
  const int page = piece / pieces_of_page, all = pages_of(a);
  if (page < all)
    return {a.key_pages[page], kv_part_bytes(a.key_type, a.dim), piece % pieces_of_page,
            pieces_of_page, turns};
  return {a.value_pages[0], kv_part_bytes(a.value_type, a.dim), piece - all * pieces_of_page,
          pieces_of_page, turns};
}
// The same for values, at the end of which the keys of the next partial follow.
Ahead after_values(const AttentionPartial& a, int piece, int pieces_of_page, int distance,
                   int turns) {
  piece += distance;
  const int page = piece / pieces_of_page, all = pages_of(a);
  if (page < all)
    return {a.value_pages[page], kv_part_bytes(a.value_type, a.dim), piece % pieces_of_page,
            pieces_of_page, turns};
  return {a.next_key, kv_part_bytes(a.key_type, a.dim), piece - all * pieces_of_page,
          pieces_of_page, turns};
}

}  // namespace
}  // namespace braid::BRAID_ISA
