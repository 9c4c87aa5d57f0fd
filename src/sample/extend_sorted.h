// Sorting no more of a list than somebody looks at.
//
// A vocabulary has a quarter of a million candidates, and nearly all of the probability is in a few
// dozen. Whoever walks a list from its best entry asks for a little more order at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

namespace braid {

// The first `sorted` of `items` are in order and no other is before them. Sorts on until at least
// `wanted` are; returns how many.
template <class T, class Before>
size_t extend_sorted(std::span<T> items, size_t sorted, size_t wanted, Before before) {
  // A heap of this size costs about one comparison for each item that stays outside; selecting and
  // then sorting is cheaper for more.
  constexpr size_t kHeap = 256;
  wanted = std::min(wanted, items.size());
  if (wanted <= sorted) return sorted;
  const auto rest = items.subspan(sorted);
  const auto middle = rest.begin() + static_cast<std::ptrdiff_t>(wanted - sorted);
  if (wanted - sorted <= kHeap) {
    std::partial_sort(rest.begin(), middle, rest.end(), before);
  } else {
    if (middle != rest.end()) std::nth_element(rest.begin(), middle, rest.end(), before);
    std::sort(rest.begin(), middle, before);
  }
  return wanted;
}

// What to ask for when entry `index` is to be looked at next. Each step passes over all the rest,
// so steps are long.
inline size_t next_sorted(size_t sorted, size_t index) {
  constexpr size_t kFirst = 64;
  return std::max({kFirst, sorted * 8, index + 1});
}

}  // namespace braid
