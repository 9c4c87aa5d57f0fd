// Infill, the stage for short gaps in a text: it ends an answer rather than to go on with what the
// model is unsure of. It is meant to stand behind top-k and top-p. The rules and their numbers are
// those of llama.cpp's stage of the name; e are the probabilities of ends together, t of all
// others:
//
//   1. of n candidates with 3 e n > t only the ends stay
//   2. where one text begins with another, the likelier of the two takes the probability of both
//   3. what then has less than 0.2 goes, but ends stay; when nothing else is left, the answer ends
//   4. of k that are left beside ends, those go that have less than 1 / (k + 1) of what is left
//
// Of more than 256 candidates the most likely 256 are looked at, and the others go.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "sample/candidates.h"

namespace braid {

struct InfillScratch {
  struct Token {
    double p;
    bool end;
  };
  std::vector<Token> tokens;
};

// `ends` are tokens that end an answer; the first of them is chosen where rule 3 finds none among
// the candidates. Without any, the most likely candidate stays there.
void apply_infill(Candidates& candidates, std::span<const int32_t> ends,
                  const std::function<std::string_view(int32_t)>& bytes, InfillScratch& scratch);

}  // namespace braid
