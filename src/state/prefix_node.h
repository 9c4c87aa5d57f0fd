// The parts of a PrefixTree, for its two source files alone.
#pragma once

#include "state/prefix_tree.h"

#include <deque>
#include <unordered_set>

namespace braid {

struct PrefixTree::Node {
  std::vector<int32_t> tokens;
  std::vector<int32_t> pages;  // from first_page(begin) on; those of a child count before
  int64_t begin = 0;
  uint64_t name = 0;  // of all tokens up to end()
  Node* parent = nullptr;
  std::vector<std::unique_ptr<Node>> children;

  std::shared_ptr<const RecurrentSnapshot> snapshot;  // shared with who writes it to a disk
  bool saved = false;                                 // it need not be written
  Mark mark = Mark::kGrid;
  bool used = false;
  double uses = 0;        // as of last_use, fading; inherited() to begin with
  uint64_t last_use = 0;  // or when it was stored

  int64_t end() const { return begin + static_cast<int64_t>(tokens.size()); }
  size_t snapshot_bytes() const { return snapshot ? snapshot->bytes() : 0; }
  const Node* snapshot_above() const {
    const Node* node = parent;
    while (node && !node->snapshot) node = node->parent;
    return node;
  }
  template <class F>
  void each(F&& f) {
    f(*this);
    for (const auto& child : children) child->each(f);
  }
};

template <class F>
void PrefixTree::each(F&& f) const {
  for (const auto& [realm, root] : roots_) root->each(f);
}

// How far the tokens lead: whole nodes, and a part of one more.
struct PrefixTree::Way {
  Node* node = nullptr;  // the last one that is whole; null in a realm without a root
  Node* next = nullptr;  // the child of which a part is
  int64_t known = 0;
  int32_t other = -1;
};

// What store() is about to take, against which those are judged that would go for it.
struct PrefixTree::Want {
  Mark mark = Mark::kGrid;
  int64_t length = 0;
  size_t bytes = 0;
  int64_t pages = 0;              // to be held that are not yet
  const Node* keep = nullptr;     // the lowest node of its way: stays, with all above it
  const Node* above = nullptr;    // whose snapshot is the next above
  double uses = 0;                // inherited
  const Node* carries = nullptr;  // gets a child more
};

// Names of the ends of snapshots that went, so that a reply can say so. A false name would make a
// wrong remark, nothing more.
class PrefixTree::Forgotten {
 public:
  void note(uint64_t name) {
    if (!names_.insert(name).second) return;
    order_.push_back(name);
    if (order_.size() <= kMost) return;
    names_.erase(order_.front());
    order_.pop_front();
  }
  bool holds(uint64_t name) const { return names_.contains(name); }
  bool empty() const { return names_.empty(); }

 private:
  static constexpr size_t kMost = 4096;
  std::unordered_set<uint64_t> names_;
  std::deque<uint64_t> order_;
};

}  // namespace braid
