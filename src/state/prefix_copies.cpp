// What leaves the tree as a copy: for a disk, and for files under names of clients.
#include "state/prefix_node.h"

#include <algorithm>

namespace braid {

std::vector<int32_t> PrefixTree::tokens_up_to(const Node& node) {
  std::vector<int32_t> tokens(static_cast<size_t>(node.end()));
  for (const Node* n = &node; n; n = n->parent)
    std::copy(n->tokens.begin(), n->tokens.end(), tokens.begin() + n->begin);
  return tokens;
}

std::optional<PrefixTree::Unsaved> PrefixTree::most_worth_saving(
    double worth, const std::function<bool(int)>& of_realm) const {
  const Node* best = nullptr;
  int realm = 0;
  for (const auto& [number, root] : roots_) {
    if (!of_realm(number)) continue;
    root->each([&, of = number](const Node& node) {
      if (!node.snapshot || node.saved) return;
      const Node* above = node.snapshot_above();
      while (above && !above->saved) above = above->snapshot_above();
      const double value = likelihood(node, node.children.size()) * cost(above, node.end());
      if (value < worth) return;
      worth = value;
      best = &node;
      realm = of;
    });
  }
  if (!best) return std::nullopt;
  return Unsaved{tokens_up_to(*best), realm, best->mark, best->snapshot};
}

void PrefixTree::note_saved(std::span<const int32_t> tokens, int realm) {
  const Way way = walk(tokens, realm);
  if (way.node && way.node->snapshot && way.node->end() == static_cast<int64_t>(tokens.size()))
    way.node->saved = true;
}

bool PrefixTree::copy_rows(std::span<const int32_t> tokens, int realm, KvPart& part) const {
  const int64_t end = part.first + part.rows;
  const Way way = walk(tokens.first(static_cast<size_t>(end)), realm);
  if (way.known < end) return false;
  if (part.rows == 0) return true;
  const Node* node = way.next ? way.next : way.node;
  const std::vector<int32_t> pages = pages_along(*node, end);
  part = take_kv(pool_, std::span(pages).subspan(static_cast<size_t>(part.first / kPageTokens)),
                 part.first, part.rows);
  return true;
}

std::optional<PrefixTree::Unsaved> PrefixTree::last_state(std::span<const int32_t> tokens,
                                                          int realm) const {
  const Node* node = walk(tokens, realm).node;
  while (node && !node->snapshot) node = node->parent;
  if (!node) return std::nullopt;
  return Unsaved{tokens_up_to(*node), realm, node->mark, node->snapshot};
}

void PrefixTree::forget_end(std::span<const int32_t> tokens, int realm) {
  for (;;) {
    const Way way = walk(tokens, realm);
    // Others go on from here.
    if (!way.node || way.next || !way.node->children.empty() || !way.node->snapshot) return;
    drop_snapshot(*way.node, nullptr);
  }
}

}  // namespace braid
