// What sequences left behind, found again by its tokens: a radix tree over tokens whose nodes share
// KV pages and hold snapshots of recurrent state.
//
// A node is a run of tokens with the pages of their keys and values; a snapshot belongs to the end
// of a node. Keys and values can be cut at any token, recurrent state cannot: a prompt uses the
// deepest snapshot on its way, or one that lies a little further and steps back through its ring.
// Pages below which no snapshot stands serve nobody, so they go with the last one. The caller says
// where snapshots are worth it (Mark).
//
// Two budgets: bytes of distinct pages held here, and bytes of snapshots. What must go is chosen by
// value, the likely saving of time per byte:
//   value = likelihood * cost / bytes
//   cost = tokens to run again from the next snapshot above, those far into a context counted as
//          dearer, since attention grows with the position
//   likelihood = 2^(-age / half_life) * (prior of the mark + uses), a quarter of it for a snapshot
//          that one line of tokens has gone on from: a conversation goes on from its last state.
//          A line that went on before has half a use in advance
// Age counts requests. The prior of a kind of mark is how many of its snapshots have been used at
// all so far, so a server whose template drops thoughts learns that ends of answers serve nobody.
// What is worth less than all that would have to go for it is not stored.
//
// Realms keep lines apart: what is stored in one is found in no other, nor that it is there. They
// share pages and budgets. Realms are few: each one that was ever named keeps a root.
//
// Pages are counted by the pool: one that a sequence uses stays where it is whatever goes here. One
// thread owns a tree, the one that owns the pool; the pool outlives it.
#pragma once

#include "state/snapshot.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace braid {

// Why a snapshot stands where it stands, least likely to be used first.
enum class Mark { kGrid, kMessage, kPrompt, kEnd, kBranch };
inline constexpr size_t kMarks = 5;

enum class Eviction { kByValue, kLeastRecent };

struct PrefixTreeOptions {
  size_t kv_bytes = SIZE_MAX;  // of pages, those that sequences use too included
  // Of snapshots, which lie beside the pool. SIZE_MAX: as many as all slots and pages of the pool
  // take, so that what nobody planned is at most as much again.
  size_t snapshot_bytes = SIZE_MAX;
  Eviction eviction = Eviction::kByValue;
  double half_life = 32;  // requests
  // A position's row in an MTP layer depends on the token after it, so nodes keep the page of the
  // position before them too, and a sequence that starts here must write that one row again.
  bool drafts = false;
};

// Why a prompt cannot use more of what is here.
enum class Missed {
  kNothing,  // it uses everything but its last token, which must run in any case
  kNew,      // nothing that begins like this was longer
  kDiffers,  // another token stood here
  kNoState,  // the tokens are known, but no snapshot stands there
  kEvicted,  // one did
};

struct PrefixMatch {
  int64_t usable = 0;  // tokens that need not run
  int64_t known = 0;   // tokens that are here in the same order, usable or not
  int32_t other = -1;  // the token that stands here at `known`; -1 when nothing does
  Missed missed = Missed::kNew;
  std::vector<int32_t> shared;  // full pages that a sequence would share
  std::vector<int32_t> kept;    // pages that stay while it starts: not to be reckoned as free
  bool from_disk = false;       // the tokens that are used were read from there
};

struct PrefixTreeUsage {
  int64_t nodes = 0, snapshots = 0;
  int64_t pages = 0;
  size_t kv_bytes = 0, snapshot_bytes = 0;
  int64_t stored = 0, refused = 0, evicted = 0;  // snapshots so far
};

class PrefixTree {
 public:
  PrefixTree(StatePool& pool, const PrefixTreeOptions& options);
  ~PrefixTree();
  PrefixTree(const PrefixTree&) = delete;
  PrefixTree& operator=(const PrefixTree&) = delete;

  // What a prompt could use; changes nothing.
  PrefixMatch find(std::span<const int32_t> prompt, int realm = 0) const;
  // A sequence that stands after the first `usable` tokens of the prompt, which it also counts as
  // used. May evict to copy a page; where even that gives none, the sequence starts empty and the
  // match says so. Throws Error when all slots are taken.
  Sequence start(std::span<const int32_t> prompt, PrefixMatch& match, int realm = 0);

  // Keeps the sequence's first `length` tokens, at least sequence.floor(), with a snapshot. What
  // a running sequence may go on to write is copied; pages of one that has `ended` are shared.
  // False when that is worth less than what would have to go, does not fit the budgets, or is no
  // number somewhere: then nobody is to go on from it.
  bool store(const Sequence& sequence, int64_t length, Mark mark, bool ended, int realm = 0);
  // Drops all snapshots that stand after beginnings of these tokens: one of them is spoilt.
  void forget(std::span<const int32_t> tokens, int realm = 0);

  // Drops those that lie on no other line that is here.
  void forget_end(std::span<const int32_t> tokens, int realm = 0);

  // Evicts until the pool has so many free pages; false when even an empty tree would not do.
  bool make_room(int64_t pages);
  // How many make_room() could free, not counting `except`.
  int64_t reclaimable_pages(std::span<const int32_t> except = {}) const;
  void clear();

  PrefixTreeUsage usage() const;
  // Every snapshot: the tokens that it stands after and how far it steps back.
  struct Kept {
    std::vector<int32_t> tokens;
    int64_t floor = 0;
    Mark mark = Mark::kGrid;
    int realm = 0;
  };
  std::vector<Kept> kept() const;

  // For a disk: the snapshot that is most worth a copy there, if that is worth so many tokens: how
  // likely it is used times what that spares beside those that are saved already.
  struct Unsaved {
    std::vector<int32_t> tokens;
    int realm = 0;
    Mark mark = Mark::kGrid;
    std::shared_ptr<const RecurrentSnapshot> recurrent;
  };
  std::optional<Unsaved> most_worth_saving(double worth,
                                           const std::function<bool(int)>& of_realm) const;
  // The last snapshot after a beginning of these tokens.
  std::optional<Unsaved> last_state(std::span<const int32_t> tokens, int realm) const;
  // It is on the disk, or cannot be.
  void note_saved(std::span<const int32_t> tokens, int realm);
  // Fills the part's rows of these tokens; false when they are not here any more.
  bool copy_rows(std::span<const int32_t> tokens, int realm, KvPart& part) const;
  // Another number when anything may have become worth saving.
  uint64_t version() const { return clock_ + static_cast<uint64_t>(stored_); }

 private:
  struct Node;
  struct Way;
  class Forgotten;
  struct Want;

  template <class F>
  void each(F&& f) const;
  Way walk(std::span<const int32_t> tokens, int realm) const;
  const Node* usable_node(const Way& way, int64_t limit, int64_t& usable) const;
  static std::vector<int32_t> tokens_up_to(const Node& node);
  std::vector<int32_t> pages_along(const Node& node, int64_t length) const;

  Node& split(Node& node, int64_t at);
  Node& grow(Node& parent, std::span<const int32_t> tokens, std::vector<int32_t> pages);
  void take_over(Node* node, int64_t index, int32_t page);
  void remove(Node& leaf);
  void merge_with_child(Node& node);
  void tidy(const Node* node, const Node* keep);
  void drop_snapshot(Node& node, const Node* keep);

  double prior(Mark mark) const;
  double inherited(const Node* above) const;
  double likelihood(const Node& node, size_t children) const;
  double cost(const Node* from, int64_t to) const;
  double worth(const Node& node, const Want& want) const;
  void evict(Node& victim, Want& want);
  int64_t most_pages() const;
  bool evict_for_snapshots(Want& want);
  bool evict_for_pages(Want& want, bool copies);
  bool free_pages(int64_t pages, const Node* keep);
  Node* snapshot_victim(const Want& want) const;
  Node* page_victim(const Want& want) const;
  int64_t freed_by(const Node& leaf) const;

  int64_t first_page(int64_t begin) const;
  void hold(int32_t page);
  void let_go(int32_t page);

  StatePool& pool_;
  PrefixTreeOptions options_;
  size_t page_bytes_;
  std::map<int, std::unique_ptr<Node>> roots_;  // by realm
  std::unique_ptr<Forgotten> forgotten_;
  std::vector<int32_t> held_;  // by page: how many nodes hold it
  int64_t pages_ = 0;          // with held_ > 0
  size_t snapshot_bytes_ = 0;
  uint64_t clock_ = 0;  // requests
  std::array<int64_t, kMarks> marks_stored_{}, marks_used_{};
  int64_t stored_ = 0, refused_ = 0, evicted_ = 0;
};

}  // namespace braid
