#include "sample/top_k.h"

#include <algorithm>

namespace braid {

void apply_top_k(Candidates& candidates, int32_t k, size_t min_keep) {
  if (k > 0) candidates.keep_best(std::max(static_cast<size_t>(k), min_keep));
}

}  // namespace braid
