// Penalties for tokens that stand in the last n already, c times (Keskar et al. 2019 the first):
//
//   l' = l / repeat   if l > 0            a quotient alone would make unlikely tokens likelier
//        l * repeat   otherwise
//   l' -= c * frequency + presence
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sample/candidates.h"
#include "sample/options.h"

namespace braid {

// `history`: oldest first. `by_token`: a zero for each token of the vocabulary, again at the end.
void apply_penalties(Candidates& candidates, std::span<const int32_t> history,
                     const SamplerOptions& options, std::vector<int32_t>& by_token);

}  // namespace braid
