// Brings what a prefix tree keeps to the disk, little by little, what is worth most first.
//
// The tree's thread calls some() when it has a moment; a call copies at most the rows of one run.
// What goes from the tree in the middle of it is not written.
#pragma once

#include "state/disk_cache.h"
#include "state/prefix_tree.h"

#include <optional>

namespace braid {

class PrefixSaver {
 public:
  // They outlive the saver.
  PrefixSaver(PrefixTree& tree, DiskCache& disk) : tree_(tree), disk_(disk) {}

  // Of snapshots that are worth so many tokens. False when there is nothing to do for now, or no
  // memory for it.
  bool some(double worth);
  // A state was read from the disk, and the sequence stands after its tokens.
  void note_restored(const Sequence& sequence, uint32_t mark, int realm);

 private:
  bool begin(double worth);
  bool next_part(double worth);

  PrefixTree& tree_;
  DiskCache& disk_;
  std::optional<PrefixTree::Unsaved> current_;
  // When nothing was found the last time.
  std::optional<uint64_t> looked_at_;
  double looked_for_ = 0;
};

}  // namespace braid
