#include "engine/step_plan.h"

#include "base/check.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace braid {

namespace {

// Gives `rows` to prompts of one priority; what they leave comes back.
int64_t share_out(std::span<const Work> work, int priority, int64_t rows,
                  std::vector<int64_t>& given) {
  std::vector<size_t> open;
  for (size_t i = 0; i < work.size(); ++i)
    if (!work[i].decoding && work[i].priority == priority) open.push_back(i);
  const auto give = [&](size_t i, int64_t at_most) {
    const int64_t more =
        std::min({rows, at_most, std::min(work[i].pending, work[i].until) - given[i]});
    given[i] += more;
    rows -= more;
  };
  const auto longest = std::min_element(open.begin(), open.end(), [&](size_t a, size_t b) {
    return work[a].number < work[b].number;
  });
  if (longest != open.end()) give(*longest, (rows + 1) / 2);
  std::stable_sort(open.begin(), open.end(), [&](size_t a, size_t b) {
    return work[a].pending - given[a] < work[b].pending - given[b];
  });
  for (const size_t i : open) give(i, rows);
  return rows;
}

}  // namespace

std::vector<int64_t> plan_rows(std::span<const Work> work, int64_t budget, int64_t most) {
  std::vector<int64_t> given(work.size());
  int64_t decoding = 0;
  for (size_t i = 0; i < work.size(); ++i)
    if (work[i].decoding) decoding += given[i] = 1;
  CHECK_THAT(decoding <= most, "{} answers in steps of {} rows", decoding, most);
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
  // Much of a step is for reading weights, which more rows share: twice the time is more than twice
  // the rows. The power finds them in few steps, and still does where time goes with the rows.
  const double fits = static_cast<double>(rows) * std::pow(seconds_ / seconds, 1.5);
  const double next =
      std::clamp(fits, static_cast<double>(rows_) / 2, 2.0 * static_cast<double>(rows_));
  rows_ = std::clamp(static_cast<int64_t>(next), std::min(kLeastPrefill, most_), most_);
}

}  // namespace braid
