// Which two neighbouring tokens merge, how urgently, and into what.
//
// A hash table with open addressing, built once and then only read: the one lookup that encoding
// does for every byte of a text.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace braid {

struct Merge {
  uint32_t rank;   // place in the vocabulary's list
  int32_t result;  // token id
};

class PairTable {
 public:
  PairTable() = default;
  explicit PairTable(size_t n_pairs)
      : slots_(std::bit_ceil(2 * n_pairs + 1)), mask_(slots_.size() - 1) {}

  // Adds a pair unless it is there already: the first place in the list counts. At most n_pairs.
  void add(int32_t left, int32_t right, Merge merge) {
    Slot& slot = slots_[probe(key_of(left, right))];
    if (slot.key == kEmpty) slot = {key_of(left, right), merge};
  }

  // Null when the two do not merge.
  const Merge* find(int32_t left, int32_t right) const {
    if (slots_.empty()) return nullptr;
    const Slot& slot = slots_[probe(key_of(left, right))];
    return slot.key == kEmpty ? nullptr : &slot.merge;
  }

 private:
  static constexpr uint64_t kEmpty = ~uint64_t{0};  // ids are not negative
  struct Slot {
    uint64_t key = kEmpty;
    Merge merge{};
  };

  static uint64_t key_of(int32_t left, int32_t right) {
    return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
  }
  size_t probe(uint64_t key) const {
    // The golden ratio's bits spread ids that differ in few places; the high half is the mixed one.
    size_t i = static_cast<size_t>((key ^ key >> 29) * 0x9E3779B97F4A7C15u >> 20) & mask_;
    while (slots_[i].key != kEmpty && slots_[i].key != key) i = (i + 1) & mask_;
    return i;
  }

  std::vector<Slot> slots_;
  size_t mask_ = 0;
};

}  // namespace braid
