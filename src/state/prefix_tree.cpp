#include "state/prefix_tree.h"

#include "base/check.h"
#include "state/prefix_node.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <new>
#include <utility>

namespace braid {

namespace {

uint64_t named(uint64_t before, int32_t token) {
  uint64_t h = (before ^ static_cast<uint32_t>(token)) * 0x9e3779b97f4a7c15;
  h ^= h >> 32;
  return h * 0xd6e8feb86659fd93 + 1;
}

uint64_t named(uint64_t before, std::span<const int32_t> tokens) {
  for (const int32_t token : tokens) before = named(before, token);
  return before;
}

// Other realms have other names for the same tokens.
uint64_t name_of_root(int realm) { return realm == 0 ? 0 : named(0x7265616c6d, realm); }

size_t common(std::span<const int32_t> a, std::span<const int32_t> b) {
  const size_t n = std::min(a.size(), b.size());
  return static_cast<size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<ptrdiff_t>(n), b.begin()).first - a.begin());
}

// All of them numbers, none infinite. By their bits, so that it takes no longer than a copy.
bool all_finite(std::span<const float> values) {
  constexpr uint32_t kExponent = 0x7f800000;
  uint32_t bad = 0;
  for (const float value : values)
    bad |= static_cast<uint32_t>((std::bit_cast<uint32_t>(value) & kExponent) == kExponent);
  return bad == 0;
}

// What the tree keeps is a favour: where the machine has no memory for it, it does without.
bool taken(const Sequence& sequence, int64_t length, RecurrentSnapshot& snapshot) {
  try {
    snapshot = take_recurrent(sequence, length);
    return all_finite(snapshot.blocks) && all_finite(snapshot.conv);
  } catch (const std::bad_alloc&) {
    return false;
  }
}

}  // namespace

PrefixTree::PrefixTree(StatePool& pool, const PrefixTreeOptions& options)
    : pool_(pool),
      options_(options),
      page_bytes_(
          StatePool::page_bytes(pool.spec(), pool.options().key_type, pool.options().value_type)),
      forgotten_(std::make_unique<Forgotten>()),
      held_(static_cast<size_t>(pool.options().pages) + 1) {
  CHECK(options.half_life > 0);
  if (options_.snapshot_bytes == SIZE_MAX)
    options_.snapshot_bytes = StatePool::bytes(pool.spec(), pool.options());
}

PrefixTree::~PrefixTree() { clear(); }

int64_t PrefixTree::first_page(int64_t begin) const {
  return std::max<int64_t>(begin - (options_.drafts ? 1 : 0), 0) / kPageTokens;
}

void PrefixTree::hold(int32_t page) {
  pool_.add_ref(page);
  if (held_[static_cast<size_t>(page)]++ == 0) ++pages_;
}

void PrefixTree::let_go(int32_t page) {
  pool_.release_page(page);
  if (--held_[static_cast<size_t>(page)] == 0) --pages_;
}

// ---- Looking up

PrefixTree::Way PrefixTree::walk(std::span<const int32_t> tokens, int realm) const {
  Way way;
  const auto root = roots_.find(realm);
  if (root != roots_.end()) way.node = root->second.get();
  while (way.node) {
    const auto rest = tokens.subspan(static_cast<size_t>(way.known));
    Node* next = nullptr;
    for (const auto& child : way.node->children)
      if (!rest.empty() && child->tokens.front() == rest.front()) next = child.get();
    if (!next) {
      // Of several, what was used last.
      for (const auto& child : way.node->children)
        if (!rest.empty() && (!next || child->last_use > next->last_use)) next = child.get();
      if (next) way.other = next->tokens.front();
      return way;
    }
    const size_t same = common(next->tokens, rest);
    way.known += static_cast<int64_t>(same);
    if (same < next->tokens.size()) {
      way.next = next;
      if (same < rest.size()) way.other = next->tokens[same];
      return way;
    }
    way.node = next;
  }
  return way;
}

// The node whose snapshot serves most of the first `limit` tokens, all of which are known: one on
// the way, or one beside it whose ring reaches back to where it left the way.
const PrefixTree::Node* PrefixTree::usable_node(const Way& way, int64_t limit,
                                                int64_t& usable) const {
  const Node* best = nullptr;
  usable = 0;
  const auto offer = [&](const Node& node, int64_t most) {
    if (!node.snapshot || node.snapshot->floor > most) return;
    const int64_t serves = std::min(most, node.end());
    if (serves <= usable) return;
    usable = serves;
    best = &node;
  };
  const auto offer_below = [&](auto&& self, const Node& node, int64_t most) -> void {
    if (pool_.spec().has_recurrent() && node.begin >= most + kBlock) return;
    offer(node, most);
    for (const auto& child : node.children) self(self, *child, most);
  };
  if (way.next) offer_below(offer_below, *way.next, limit);
  const Node* from = way.next;
  for (const Node* node = way.node; node; from = node, node = node->parent) {
    const int64_t most = std::min(limit, node->end());
    if (most <= usable) break;
    offer(*node, most);
    for (const auto& child : node->children)
      if (child.get() != from) offer_below(offer_below, *child, most);
  }
  return best;
}

// The pages of positions [0, length): of each the deepest node's, which went on from the copy of
// the one above.
std::vector<int32_t> PrefixTree::pages_along(const Node& node, int64_t length) const {
  std::vector<int32_t> pages(static_cast<size_t>(StatePool::pages_for(length)), 0);
  for (const Node* n = &node; n; n = n->parent)
    for (size_t i = 0; i < n->pages.size(); ++i) {
      const size_t at = static_cast<size_t>(first_page(n->begin)) + i;
      if (at < pages.size() && pages[at] == 0) pages[at] = n->pages[i];
    }
  for (const int32_t page : pages) CHECK(page != 0);
  return pages;
}

PrefixMatch PrefixTree::find(std::span<const int32_t> prompt, int realm) const {
  PrefixMatch match;
  if (prompt.empty()) return match;
  const Way way = walk(prompt, realm);
  const int64_t most = static_cast<int64_t>(prompt.size()) - 1;
  const int64_t limit = std::min(way.known, most);
  match.known = way.known;
  match.other = way.other;
  const Node* node = usable_node(way, limit, match.usable);
  if (node && match.usable > 0) {
    match.shared = pages_along(*node, match.usable);
    match.shared.resize(static_cast<size_t>(match.usable / kPageTokens));
    for (const Node* n = node; n; n = n->parent)
      match.kept.insert(match.kept.end(), n->pages.begin(), n->pages.end());
    std::sort(match.kept.begin(), match.kept.end());
    match.kept.erase(std::unique(match.kept.begin(), match.kept.end()), match.kept.end());
  }
  if (match.usable == most) {
    match.missed = Missed::kNothing;
    return match;
  }
  match.missed = match.usable < limit ? Missed::kNoState
                 : match.other >= 0   ? Missed::kDiffers
                                      : Missed::kNew;
  if (forgotten_->empty()) return match;
  const Node* named_before = way.node;
  while (named_before && named_before->end() > match.usable) named_before = named_before->parent;
  uint64_t name = named_before ? named_before->name : name_of_root(realm);
  for (int64_t i = named_before ? named_before->end() : 0; i <= most; ++i) {
    name = named(name, prompt[static_cast<size_t>(i)]);
    if (i + 1 > match.usable && forgotten_->holds(name)) match.missed = Missed::kEvicted;
  }
  return match;
}

Sequence PrefixTree::start(std::span<const int32_t> prompt, PrefixMatch& match, int realm) {
  ++clock_;
  match = find(prompt, realm);
  if (match.usable > 0) {
    const int64_t limit = std::min(match.known, static_cast<int64_t>(prompt.size()) - 1);
    int64_t usable = 0;
    Node* node = const_cast<Node*>(usable_node(walk(prompt, realm), limit, usable));
    CHECK(node && usable == match.usable);
    if (free_pages(usable % kPageTokens != 0, node)) {
      if (!std::exchange(node->used, true)) ++marks_used_[static_cast<size_t>(node->mark)];
      node->uses = node->uses * std::exp2(-static_cast<double>(clock_ - node->last_use) /
                                          options_.half_life) +
                   1;
      node->last_use = clock_;
      return resume(pool_, prompt.first(static_cast<size_t>(usable)), pages_along(*node, usable),
                    *node->snapshot, node->end());
    }
    match.usable = 0;
    match.shared.clear();
    match.kept.clear();
    match.missed = Missed::kEvicted;
  }
  return Sequence(pool_);
}

// ---- Growing

// The first part of the node, up to position `at`, becomes a node above it.
PrefixTree::Node& PrefixTree::split(Node& node, int64_t at) {
  CHECK(at > node.begin && at < node.end());
  auto upper = std::make_unique<Node>();
  const auto cut = node.tokens.begin() + static_cast<ptrdiff_t>(at - node.begin);
  upper->tokens.assign(node.tokens.begin(), cut);
  upper->begin = node.begin;
  upper->parent = node.parent;
  upper->name = named(node.parent->name, upper->tokens);
  upper->last_use = node.last_use;
  const int64_t first = first_page(node.begin);
  const auto above = static_cast<size_t>(StatePool::pages_for(at) - first);
  upper->pages.assign(node.pages.begin(), node.pages.begin() + static_cast<ptrdiff_t>(above));
  const auto below = static_cast<ptrdiff_t>(first_page(at) - first);
  for (size_t i = static_cast<size_t>(below); i < above; ++i) hold(node.pages[i]);
  node.pages.erase(node.pages.begin(), node.pages.begin() + below);
  node.tokens.erase(node.tokens.begin(), cut);
  node.begin = at;

  auto& slot = *std::find_if(node.parent->children.begin(), node.parent->children.end(),
                             [&](const auto& child) { return child.get() == &node; });
  Node& result = *upper;
  upper->children.push_back(std::move(slot));
  slot = std::move(upper);
  node.parent = &result;
  return result;
}

// Nodes from this one upwards whose last page is number `index` hold this one instead.
void PrefixTree::take_over(Node* node, int64_t index, int32_t page) {
  for (; node && !node->pages.empty(); node = node->parent) {
    if (first_page(node->begin) + static_cast<int64_t>(node->pages.size()) - 1 != index) return;
    hold(page);
    let_go(std::exchange(node->pages.back(), page));
  }
}

// A new leaf; takes over the references to its pages.
PrefixTree::Node& PrefixTree::grow(Node& parent, std::span<const int32_t> tokens,
                                   std::vector<int32_t> pages) {
  auto leaf = std::make_unique<Node>();
  leaf->tokens.assign(tokens.begin(), tokens.end());
  leaf->pages = std::move(pages);
  leaf->begin = parent.end();
  leaf->parent = &parent;
  leaf->name = named(parent.name, tokens);
  leaf->last_use = clock_;
  // The leaf's first page has all that those above it have of it.
  take_over(&parent, first_page(leaf->begin), leaf->pages.front());
  return *parent.children.emplace_back(std::move(leaf));
}

bool PrefixTree::store(const Sequence& sequence, int64_t length, Mark mark, bool ended, int realm) {
  CHECK(&sequence.pool() == &pool_);
  if (length == 0) return true;
  const auto tokens = sequence.tokens().first(static_cast<size_t>(length));
  const size_t bytes = recurrent_bytes(sequence, length);
  auto& root = roots_[realm];
  if (!root) {
    root = std::make_unique<Node>();
    root->name = name_of_root(realm);
  }
  Way way = walk(tokens, realm);
  if (way.known == length && !way.next && way.node->snapshot) {
    way.node->mark = std::max(way.node->mark, mark);
    way.node->last_use = clock_;
    return true;
  }
  Want want{mark, length, bytes};
  want.keep = way.next ? way.next : way.node;
  want.above = way.node->snapshot ? way.node : way.node->snapshot_above();
  want.carries = way.next ? nullptr : way.node;
  want.uses = inherited(want.above);
  // The last page, where the sequence may still write into it, is copied.
  const bool copies =
      way.known < length && !ended && (length % kPageTokens != 0 || options_.drafts);
  std::vector<int32_t> pages;
  if (way.known < length) {
    pages.assign(sequence.pages().begin() + first_page(way.known),
                 sequence.pages().begin() + StatePool::pages_for(length));
    want.pages =
        std::count_if(pages.begin(), pages.end() - copies,
                      [&](int32_t page) { return held_[static_cast<size_t>(page)] == 0; }) +
        copies;
  }
  auto snapshot = std::make_shared<RecurrentSnapshot>();
  // What cannot fit costs nobody else its place.
  if (want.pages > most_pages() || !evict_for_snapshots(want) || !evict_for_pages(want, copies) ||
      !taken(sequence, length, *snapshot)) {
    tidy(want.keep, nullptr);
    ++refused_;
    return false;
  }
  CHECK(snapshot->bytes() == bytes);
  way = walk(tokens, realm);  // nodes may have been merged
  if (way.next) way.node = &split(*way.next, way.known);
  if (way.known < length) {
    for (size_t i = 0; i < pages.size(); ++i) {
      if (!copies || i + 1 < pages.size()) {
        hold(pages[i]);
        continue;
      }
      pages[i] = pool_.clone_page(pages[i]);
      held_[static_cast<size_t>(pages[i])] = 1;
      ++pages_;
    }
    way.node = &grow(*way.node, tokens.subspan(static_cast<size_t>(way.known)), std::move(pages));
  }
  Node& node = *way.node;
  node.snapshot = std::move(snapshot);
  node.saved = false;
  node.mark = mark;
  node.uses = want.uses;
  node.used = false;
  node.last_use = clock_;
  snapshot_bytes_ += bytes;
  ++stored_;
  ++marks_stored_[static_cast<size_t>(mark)];
  tidy(want.keep, nullptr);
  tidy(node.parent, nullptr);
  return true;
}

void PrefixTree::forget(std::span<const int32_t> tokens, int realm) {
  for (;;) {
    Node* node = walk(tokens, realm).node;
    while (node && !node->snapshot) node = node->parent;
    if (!node) return;
    drop_snapshot(*node, nullptr);  // nodes may go or be merged
  }
}

void PrefixTree::clear() {
  each([&](Node& node) {
    for (const int32_t page : node.pages) let_go(page);
  });
  roots_.clear();
  snapshot_bytes_ = 0;
  CHECK(pages_ == 0);
}

PrefixTreeUsage PrefixTree::usage() const {
  PrefixTreeUsage u;
  each([&](const Node& node) {
    u.nodes += node.parent != nullptr;
    u.snapshots += node.snapshot != nullptr;
  });
  u.pages = pages_;
  u.kv_bytes = static_cast<size_t>(pages_) * page_bytes_;
  u.snapshot_bytes = snapshot_bytes_;
  u.stored = stored_;
  u.refused = refused_;
  u.evicted = evicted_;
  return u;
}

std::vector<PrefixTree::Kept> PrefixTree::kept() const {
  std::vector<Kept> all;
  for (const auto& [realm, root] : roots_)
    root->each([&, of = realm](const Node& node) {
      if (!node.snapshot) return;
      Kept& k = all.emplace_back();
      k.floor = node.snapshot->floor;
      k.mark = node.mark;
      k.realm = of;
      k.tokens = tokens_up_to(node);
    });
  return all;
}

}  // namespace braid
