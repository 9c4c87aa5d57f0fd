// Where in a prompt snapshots are worth a copy of the state.
//
// Ends of messages, where later prompts part from this one; the prompt's own end; the place where
// it parts from what is known, for what has shown itself once comes again; and a grid for prompts
// without any of these. Grid and messages thin out away from where they matter: the grid with the
// position, so that running again what a snapshot does not cover is at most a quarter of the way;
// messages with the distance from the end, since later ones are edited more.
#pragma once

#include "state/prefix_tree.h"

#include <cstdint>
#include <span>
#include <vector>

namespace braid {

struct PlannedMark {
  int64_t at = 0;
  Mark mark = Mark::kGrid;
  bool operator==(const PlannedMark&) const = default;
};

// The first point of the grid after a position.
int64_t next_grid_point(int64_t position);

// Ascending, all of them in (from, prompt]: `from` is where the sequence starts, `messages` are
// positions of ends of messages, in any order. Marks of the grid may be taken later. A mark from
// whose snapshot the ring reaches back to the one before serves for both.
std::vector<PlannedMark> plan_marks(int64_t from, int64_t prompt, std::span<const int64_t> messages,
                                    const PrefixMatch& match);

}  // namespace braid
