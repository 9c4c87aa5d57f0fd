// One timeline: its slot, its pages, its length and the tokens so far.
//
// Host-side bookkeeping between steps; kernels see slot, pages and positions in the batch and know
// nothing of acceptance. The protocol of a step of n rows is
//   reserve(n);  the step writes positions [length, length + n);  advance(tokens);
// and for verified drafts then commit(accepted). Stepping back is forgetting: nothing is computed.
#pragma once

#include "state/pool.h"

#include <cstdint>
#include <span>
#include <vector>

namespace braid {

struct KvPart;
struct RecurrentSnapshot;
struct Snapshot;

// The shortest length that a slot still serves after positions [0, furthest) have been written,
// whatever was stepped back in between: later positions overwrite ring entries and halves of S for
// good. At a length L the next token needs
//   S at the start of block L / kBlock: held for the blocks furthest / kBlock and the one before;
//   ring entries of its block before L, and raw rows L - kConvHistory .. L-1 of the convolution
//   (zeros before position 0): held for positions >= furthest - kRing.
// So furthest - rewind_floor(furthest) >= min(kBlock, furthest) always.
int64_t rewind_floor(int64_t furthest);

class Sequence {
 public:
  // An empty timeline; takes a slot. The pool outlives the sequence.
  explicit Sequence(StatePool& pool);
  Sequence(Sequence&& other) noexcept;
  Sequence& operator=(Sequence&& other) noexcept;
  ~Sequence();

  StatePool& pool() const { return *pool_; }
  int32_t slot() const { return slot_; }
  int64_t length() const { return static_cast<int64_t>(tokens_.size()); }
  std::span<const int32_t> tokens() const { return tokens_; }
  std::span<const int32_t> pages() const { return pages_; }  // covers at least `length` positions
  int64_t floor() const;  // shortest length that rewind and truncate reach

  // Makes positions [length, length + n) writable: takes pages, and copies the last, partly filled
  // one when a fork shares it. Needed before every step. Throws, moving nothing, when pages (Error)
  // or the machine's memory run out.
  void reserve(int64_t n);
  // Makes positions [from, length) writable too: copies the pages of them that a fork shares. For
  // the MTP layer alone, whose keys and values at a position depend on the token after it. Throws
  // Error when pages run out.
  void unshare(int64_t from);
  // A step has written the rows of these tokens at the end. Takes no memory, so of the sequences of
  // a step all move on or none does.
  void advance(std::span<const int32_t> tokens);
  // A step of n rows broke off: it may have written any of them, so they count for floor(). Returns
  // whether the sequence still stands; if not, only reset() and truncate(0) are left.
  bool abandon(int64_t n);
  bool survives(int64_t n) const;  // what abandon() would return
  // Of the rows of the last advance() the first `accepted` stay.
  void commit(int64_t accepted);

  // Steps back by n tokens, exactly. Throws Error, changing nothing, when that is below floor().
  void rewind(int64_t n);
  // The same by length; length 0 is always possible.
  void truncate(int64_t length);
  // Back to an empty timeline with a zeroed slot.
  void reset();

  // A timeline that continues from here on its own: shares full pages, copies the partly filled
  // page and the slot.
  Sequence fork() const;

 private:
  Sequence(StatePool& pool, int32_t slot) : pool_(&pool), slot_(slot) {}
  friend Sequence restore(StatePool& pool, const Snapshot& snapshot);
  friend Sequence restore(StatePool& pool, std::span<const int32_t> tokens,
                          const RecurrentSnapshot& recurrent, std::span<const KvPart> parts);
  friend Sequence resume(StatePool& pool, std::span<const int32_t> tokens,
                         std::span<const int32_t> pages, const RecurrentSnapshot& recurrent,
                         int64_t taken_at);

  void drop_pages(int64_t length);
  void release();

  StatePool* pool_ = nullptr;  // null: moved from
  int32_t slot_ = 0;
  std::vector<int32_t> pages_;
  std::vector<int32_t> tokens_;
  int64_t reserved_ = 0;    // positions below it may be written
  int64_t furthest_ = 0;    // most positions ever written since reset or restore
  int64_t base_floor_ = 0;  // what reset or restore left: nothing before it is held
  int64_t last_rows_ = 0;   // of the last advance(), for commit()
};

}  // namespace braid
