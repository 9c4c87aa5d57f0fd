#include "sample/loop_guard.h"

#include <algorithm>

namespace braid {

void LoopGuard::accept(int32_t token) {
  if (last_.empty()) {
    last_.resize(kLongest);
    again_.resize(kLongest + 1);
  }
  const auto known = std::min(static_cast<size_t>(count_), kLongest);
  const size_t next = static_cast<size_t>(count_) % kLongest;
  for (size_t p = 1; p <= known; ++p) {
    const bool same = last_[(next + kLongest - p) % kLongest] == token;
    again_[p] = same ? again_[p] + 1 : 0;
  }
  last_[next] = token;
  ++count_;
}

bool LoopGuard::loops(int64_t tokens) const {
  if (tokens <= 0) return false;
  for (size_t p = 1; p < again_.size(); ++p) {
    if (again_[p] == 0) continue;
    const auto block = static_cast<int64_t>(p), all = again_[p] + block;
    if (all >= std::max(tokens, kTimes * block)) return true;
  }
  return false;
}

void LoopGuard::reset() { *this = LoopGuard(); }

}  // namespace braid
