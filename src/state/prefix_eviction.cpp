#include "base/check.h"
#include "state/prefix_node.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace braid {

namespace {

// Where attention costs as much as all the rest of a token's work.
constexpr double kDearPosition = 30000;
// Chances that a snapshot is ever used, by mark, before anything is known, and for how many
// snapshots that counts.
constexpr std::array<double, kMarks> kPrior = {0.05, 0.2, 0.4, 0.5, 0.5};
constexpr double kPriorWeight = 16;
constexpr double kLine = 0.5;
constexpr double kPassed = 0.25;  // of the likelihood, when one line has gone on from there

}  // namespace

void PrefixTree::remove(Node& leaf) {
  CHECK(leaf.children.empty() && !leaf.snapshot && leaf.parent);
  Node& parent = *leaf.parent;
  for (const int32_t page : leaf.pages) let_go(page);
  std::erase_if(parent.children, [&](const auto& child) { return child.get() == &leaf; });
  // Nodes above may be the last to hold a page of which another child has a copy.
  if (parent.children.empty()) return;
  const Node& other = *parent.children.front();
  take_over(&parent, first_page(other.begin), other.pages.front());
}

// The only child takes the node's tokens in front of its own, and its place.
void PrefixTree::merge_with_child(Node& node) {
  std::unique_ptr<Node> child = std::move(node.children.front());
  const auto own = static_cast<size_t>(first_page(child->begin) - first_page(node.begin));
  for (size_t i = own; i < node.pages.size(); ++i) let_go(node.pages[i]);
  node.pages.resize(std::min(own, node.pages.size()));
  child->pages.insert(child->pages.begin(), node.pages.begin(), node.pages.end());
  child->tokens.insert(child->tokens.begin(), node.tokens.begin(), node.tokens.end());
  child->begin = node.begin;
  child->parent = node.parent;
  for (auto& slot : node.parent->children)
    if (slot.get() == &node) {
      slot = std::move(child);  // ends the node
      return;
    }
}

// Ends nodes that serve nobody, from this one upwards.
void PrefixTree::tidy(const Node* from, const Node* keep) {
  Node* node = const_cast<Node*>(from);
  while (node->parent && !node->snapshot && node != keep) {
    if (node->children.size() > 1) return;
    if (node->children.size() == 1) return merge_with_child(*node);
    Node* parent = node->parent;
    remove(*node);
    node = parent;
  }
}

void PrefixTree::drop_snapshot(Node& node, const Node* keep) {
  CHECK(node.snapshot);
  snapshot_bytes_ -= node.snapshot_bytes();
  node.snapshot.reset();
  ++evicted_;
  forgotten_->note(node.name);
  tidy(&node, keep);
}

double PrefixTree::prior(Mark mark) const {
  const auto i = static_cast<size_t>(mark);
  return (static_cast<double>(marks_used_[i]) + kPrior[i] * kPriorWeight) /
         (static_cast<double>(marks_stored_[i]) + kPriorWeight);
}

// A line that has gone on from one of its ends before is likely to do so again.
double PrefixTree::inherited(const Node* above) const {
  return above && above->used && above->mark >= Mark::kPrompt ? kLine : 0;
}

double PrefixTree::likelihood(const Node& node, size_t children) const {
  const double age = static_cast<double>(clock_ - node.last_use);
  return std::exp2(-age / options_.half_life) * (prior(node.mark) + node.uses) *
         (children == 1 ? kPassed : 1);
}

double PrefixTree::cost(const Node* from, int64_t to) const {
  const int64_t begin = from ? from->end() : 0;
  const double n = static_cast<double>(to - begin), middle = static_cast<double>(begin + to) / 2;
  return n * (1 + middle / kDearPosition);
}

double PrefixTree::worth(const Node& node, const Want& want) const {
  return likelihood(node, node.children.size() + (&node == want.carries)) *
         cost(node.snapshot_above(), node.end());
}

// By value: what is worth less per byte than the new one. When it is the next above the new one,
// the new one must save the tokens of both.
PrefixTree::Node* PrefixTree::snapshot_victim(const Want& want) const {
  const bool by_value = options_.eviction == Eviction::kByValue;
  Node* victim = nullptr;
  double least = std::numeric_limits<double>::max();
  each([&](Node& node) {
    if (node.snapshot_bytes() == 0) return;
    double value = static_cast<double>(node.last_use);
    if (by_value) {
      const Node* above = &node == want.above ? node.snapshot_above() : want.above;
      const double limit = (prior(want.mark) + want.uses) * cost(above, want.length);
      value = worth(node, want) / static_cast<double>(node.snapshot_bytes());
      if (value >= limit / static_cast<double>(want.bytes)) return;
    }
    if (value >= least) return;
    least = value;
    victim = &node;
  });
  return victim;
}

// Without the victim's snapshot that above the wanted one may be another; the node may go.
void PrefixTree::evict(Node& victim, Want& want) {
  if (&victim == want.above) want.above = victim.snapshot_above();
  drop_snapshot(victim, want.keep);
}

bool PrefixTree::evict_for_snapshots(Want& want) {
  if (want.bytes > options_.snapshot_bytes) return false;
  while (snapshot_bytes_ > options_.snapshot_bytes - want.bytes) {
    Node* victim = snapshot_victim(want);
    if (!victim) return false;
    evict(*victim, want);
  }
  return true;
}

// Pages that would be free without this leaf.
int64_t PrefixTree::freed_by(const Node& leaf) const {
  return std::count_if(leaf.pages.begin(), leaf.pages.end(),
                       [&](int32_t page) { return pool_.references(page) == 1; });
}

// Of the leaves that free pages that which is worth least for each; for a snapshot one that is
// worth less than that. Without a snapshot to be stored room must be made at any price: then leaves
// that free none go too, for nodes above them may free some.
PrefixTree::Node* PrefixTree::page_victim(const Want& want) const {
  const bool by_value = options_.eviction == Eviction::kByValue, for_snapshot = want.length > 0;
  const double limit = (prior(want.mark) + want.uses) * cost(want.above, want.length) /
                       static_cast<double>(std::max<int64_t>(want.pages, 1));
  Node *victim = nullptr, *other = nullptr;
  double least = std::numeric_limits<double>::max(), least_other = least;
  each([&](Node& node) {
    if (!node.children.empty() || !node.snapshot || &node == want.keep) return;
    const int64_t freed = freed_by(node);
    const double value = by_value
                             ? worth(node, want) / static_cast<double>(std::max<int64_t>(freed, 1))
                             : static_cast<double>(node.last_use);
    if (for_snapshot && (freed == 0 || (by_value && value >= limit))) return;
    double& least_of = freed > 0 ? least : least_other;
    if (value >= least_of) return;
    least_of = value;
    (freed > 0 ? victim : other) = &node;
  });
  return victim ? victim : other;
}

// How many pages the budget is for: without keys and values as many as there are.
int64_t PrefixTree::most_pages() const {
  return page_bytes_ == 0 ? static_cast<int64_t>(held_.size())
                          : static_cast<int64_t>(
                                std::min<size_t>(options_.kv_bytes / page_bytes_, held_.size()));
}

bool PrefixTree::evict_for_pages(Want& want, bool copies) {
  if (want.pages == 0) return true;
  const int64_t most = most_pages();
  while (pages_ + want.pages > most || (copies && pool_.free_pages() == 0)) {
    Node* victim = page_victim(want);
    if (!victim) return false;
    evict(*victim, want);
  }
  return true;
}

bool PrefixTree::free_pages(int64_t pages, const Node* keep) {
  Want want;
  want.keep = keep;
  while (pool_.free_pages() < pages) {
    Node* victim = page_victim(want);
    if (!victim) return false;
    drop_snapshot(*victim, keep);
  }
  return true;
}

bool PrefixTree::make_room(int64_t pages) { return free_pages(pages, nullptr); }

int64_t PrefixTree::reclaimable_pages(std::span<const int32_t> except) const {
  int64_t n = 0;
  for (int32_t page = 1; page < static_cast<int32_t>(held_.size()); ++page)
    n += held_[static_cast<size_t>(page)] > 0 &&
         pool_.references(page) == held_[static_cast<size_t>(page)];
  for (const int32_t page : except)
    n -= held_[static_cast<size_t>(page)] > 0 &&
         pool_.references(page) == held_[static_cast<size_t>(page)];
  return n;
}

}  // namespace braid
