// Locally typical sampling (Meister et al. 2022): keeps the tokens whose surprise is nearest to the
// expected one, the fewest whose probabilities add up to more than p.
//
//   H = - sum_t p(t) log p(t);   nearest first by | -log p(t) - H |, equal ones by the lower id
//
// The most likely token is not always among them.
#pragma once

#include <cstdint>
#include <vector>

#include "sample/candidates.h"

namespace braid {

struct TypicalScratch {
  struct Score {
    double distance;
    int32_t id;
    uint32_t index;
  };
  std::vector<Score> scores;
  std::vector<uint8_t> keep;
};

// p = 1: off. Never leaves fewer than min_keep.
void apply_typical(Candidates& candidates, float p, size_t min_keep, TypicalScratch& scratch);

}  // namespace braid
