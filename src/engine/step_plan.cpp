#include "engine/step_plan.h"

#include <algorithm>
#include <limits>

namespace braid {

namespace {

// Equal parts of `rows` for those of one priority that still want some.
int64_t share_out(std::span<const Work> work, int priority, int64_t rows,
                  std::vector<int64_t>& given) {
  for (;;) {
    std::vector<size_t> open;
    for (size_t i = 0; i < work.size(); ++i)
      if (!work[i].decoding && work[i].priority == priority &&
          given[i] < std::min(work[i].pending, work[i].until))
        open.push_back(i);
    if (open.empty() || rows == 0) return rows;
    const int64_t part = std::max<int64_t>(rows / static_cast<int64_t>(open.size()), 1);
    for (const size_t i : open) {
      const int64_t more =
          std::min({part, rows, std::min(work[i].pending, work[i].until) - given[i]});
      given[i] += more;
      rows -= more;
    }
  }
}

}  // namespace

std::vector<int64_t> plan_rows(std::span<const Work> work, int64_t budget, int64_t most) {
  std::vector<int64_t> given(work.size());
  int64_t decoding = 0;
  for (size_t i = 0; i < work.size(); ++i)
    if (work[i].decoding && decoding < most) decoding += given[i] = 1;
  int64_t rows = std::min(std::max(budget - decoding, kLeastPrefill), most - decoding);
  int64_t below = std::numeric_limits<int64_t>::max();
  while (rows > 0) {
    int64_t priority = std::numeric_limits<int64_t>::min();
    for (const Work& w : work)
      if (!w.decoding && w.priority < below) priority = std::max<int64_t>(priority, w.priority);
    if (priority == std::numeric_limits<int64_t>::min()) break;
    rows = share_out(work, static_cast<int>(priority), rows, given);
    below = priority;
  }
  return given;
}

void StepBudget::note(int64_t rows, double seconds) {
  if (rows <= 0 || seconds <= 0) return;
  // A step that was much smaller than it might have been says nothing of a large one, which reads
  // most weights but once too, unless it took too long; and one slow step may be somebody else's.
  if (seconds <= seconds_ && rows * 2 < rows_) return;
  const double fits = static_cast<double>(rows) * seconds_ / seconds;
  const double next =
      std::clamp(fits, static_cast<double>(rows_) / 2, 2.0 * static_cast<double>(rows_));
  rows_ = std::clamp(static_cast<int64_t>(next), std::min(kLeastPrefill, most_), most_);
}

}  // namespace braid
