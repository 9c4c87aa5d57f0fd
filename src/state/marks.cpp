#include "state/marks.h"

#include <algorithm>
#include <bit>

namespace braid {

namespace {

constexpr int64_t kFirstStep = 256;
// Messages closer together than this part of their distance from the end share a snapshot.
constexpr int64_t kThinning = 8;

}  // namespace

int64_t next_grid_point(int64_t position) {
  const auto octave = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(position)));
  const int64_t step = std::max(kFirstStep, octave / 4);
  return (position / step + 1) * step;
}

std::vector<PlannedMark> plan_marks(int64_t from, int64_t prompt, std::span<const int64_t> messages,
                                    const PrefixMatch& match) {
  std::vector<PlannedMark> all;
  const auto add = [&](int64_t at, Mark mark) {
    if (at > from && at <= prompt) all.push_back({at, mark});
  };
  // The last token of the same prompt must run again, so at the end of a block the snapshot stands
  // before it.
  const int64_t end = prompt % kBlock == 0 ? prompt - 1 : prompt;
  add(end, Mark::kPrompt);
  if (match.known > match.usable + kBlock && match.known < end) add(match.known, Mark::kBranch);
  for (int64_t at = next_grid_point(from); at < end; at = next_grid_point(at)) add(at, Mark::kGrid);

  std::vector<int64_t> ends(messages.begin(), messages.end());
  std::sort(ends.rbegin(), ends.rend());
  int64_t later = prompt;
  for (const int64_t at : ends) {
    if (at <= 0 || at >= end || later - at < (prompt - later) / kThinning) continue;
    add(at, Mark::kMessage);
    later = at;
  }

  std::sort(all.begin(), all.end(), [](const PlannedMark& a, const PlannedMark& b) {
    return a.at != b.at ? a.at < b.at : a.mark < b.mark;
  });
  std::vector<PlannedMark> kept;  // from the last one on
  for (size_t i = all.size(); i-- > 0;) {
    const PlannedMark mark = all[i];
    if (!kept.empty()) {
      PlannedMark& next = kept.back();
      if (mark.at >= next.at / kBlock * kBlock) {
        next.mark = std::max(next.mark, mark.mark);
        continue;
      }
      if (mark.mark == Mark::kGrid && next.at - mark.at < kFirstStep / 2) continue;
    }
    kept.push_back(mark);
  }
  std::reverse(kept.begin(), kept.end());
  return kept;
}

}  // namespace braid
