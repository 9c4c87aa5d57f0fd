#include "tools/near_spelling.h"

#include <algorithm>
#include <vector>

namespace braid {

size_t spelling_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

std::string did_you_mean(std::string_view given, std::span<const std::string> known) {
  constexpr size_t kMost = 3;
  const size_t limit = given.size() <= 5 ? 1 : given.size() <= 10 ? 2 : 3;
  struct Near {
    size_t distance;
    std::string_view name;
  };
  std::vector<Near> near;
  for (const std::string& name : known) {
    // Very long ones are no misspellings, and the distance takes the product of the lengths.
    if (given.size() > 64 || name.size() > 64) continue;
    size_t distance = spelling_distance(given, name);
    // The beginning of a name: --thread, --cache-type.
    if (given.size() >= 4 && name.starts_with(given)) distance = std::min(distance, limit);
    if (distance <= limit) near.push_back({distance, name});
  }
  std::stable_sort(near.begin(), near.end(),
                   [](const Near& a, const Near& b) { return a.distance < b.distance; });
  if (near.size() > kMost) near.resize(kMost);
  std::string text;
  for (size_t i = 0; i < near.size(); ++i) {
    text += i == 0 ? ": did you mean " : i + 1 == near.size() ? " or " : ", ";
    text += near[i].name;
  }
  return text.empty() ? text : text + "?";
}

}  // namespace braid
