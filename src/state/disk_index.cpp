#include "state/disk_index.h"

#include "base/check.h"

#include <algorithm>
#include <limits>

namespace braid {

namespace {

int64_t common(std::span<const int32_t> a, std::span<const int32_t> b) {
  const auto n = static_cast<ptrdiff_t>(std::min(a.size(), b.size()));
  return std::mismatch(a.begin(), a.begin() + n, b.begin()).first - a.begin();
}

}  // namespace

const std::vector<uint64_t>* DiskIndex::children_of(uint64_t realm, uint64_t id) const {
  if (id != 0) return &nodes_.at(id).children;
  const auto found = beginnings_.find(realm);
  return found == beginnings_.end() ? nullptr : &found->second;
}

bool DiskIndex::add(DiskEntry entry) {
  if (entry.id == 0 || nodes_.contains(entry.id)) return false;
  const auto rows = static_cast<int64_t>(entry.tokens.size());
  if (entry.state ? rows >= run_tokens_ : rows != run_tokens_) return false;
  if (entry.parent == 0) {
    if (entry.first != 0) return false;
  } else {
    const auto parent = nodes_.find(entry.parent);
    if (parent == nodes_.end()) return false;
    const DiskEntry& before = parent->second.entry;
    if (before.state || before.realm != entry.realm || before.end() != entry.first) return false;
  }
  if (entry.end() == 0) return false;
  if (const auto* beside = children_of(entry.realm, entry.parent))
    for (const uint64_t other : *beside) {
      const DiskEntry& e = nodes_.at(other).entry;
      if (e.state == entry.state && e.tokens == entry.tokens) return false;
    }
  (entry.parent == 0 ? beginnings_[entry.realm] : nodes_.at(entry.parent).children)
      .push_back(entry.id);
  bytes_ += entry.bytes;
  states_ += entry.state;
  const uint64_t id = entry.id;
  nodes_.emplace(id, Node{std::move(entry), {}, 0});
  return true;
}

DiskIndex::Found DiskIndex::find(uint64_t realm, std::span<const int32_t> tokens) const {
  Found best;
  if (tokens.empty()) return best;
  const auto most = static_cast<int64_t>(tokens.size()) - 1;
  uint64_t at = 0;
  for (int64_t first = 0;; first += run_tokens_) {
    const auto* children = children_of(realm, at);
    if (!children) return best;
    const auto rest = tokens.subspan(static_cast<size_t>(first));
    uint64_t next = 0;
    for (const uint64_t id : *children) {
      const DiskEntry& e = nodes_.at(id).entry;
      const int64_t same = common(e.tokens, rest);
      if (!e.state) {
        if (same == run_tokens_) next = id;
        continue;
      }
      const int64_t usable = std::min(first + same, most);
      if (usable >= e.floor && usable > best.usable) best = {id, usable};
    }
    if (next == 0) return best;
    at = next;
  }
}

uint64_t DiskIndex::next_run(uint64_t realm, uint64_t run, std::span<const int32_t> tokens) const {
  if (const auto* children = children_of(realm, run))
    for (const uint64_t id : *children) {
      const DiskEntry& e = nodes_.at(id).entry;
      if (!e.state && common(e.tokens, tokens) == run_tokens_) return id;
    }
  return 0;
}

uint64_t DiskIndex::last_run(uint64_t realm, std::span<const int32_t> tokens) const {
  for (uint64_t run = 0;;) {
    const uint64_t next = next_run(realm, run, tokens);
    if (next == 0) return run;
    run = next;
    tokens = tokens.subspan(static_cast<size_t>(run_tokens_));
  }
}

uint64_t DiskIndex::state_at(uint64_t realm, std::span<const int32_t> tokens) const {
  const uint64_t run = last_run(realm, tokens);
  const int64_t first = run == 0 ? 0 : nodes_.at(run).entry.end();
  const auto rest = tokens.subspan(static_cast<size_t>(first));
  if (const auto* children = children_of(realm, run))
    for (const uint64_t id : *children) {
      const DiskEntry& e = nodes_.at(id).entry;
      if (e.state && e.tokens.size() == rest.size() &&
          common(e.tokens, rest) == static_cast<int64_t>(rest.size()))
        return id;
    }
  return 0;
}

std::vector<uint64_t> DiskIndex::line(uint64_t id) const {
  std::vector<uint64_t> ids;
  for (; id != 0; id = nodes_.at(id).entry.parent) ids.push_back(id);
  std::reverse(ids.begin(), ids.end());
  return ids;
}

std::vector<int32_t> DiskIndex::tokens_of(uint64_t id) const {
  std::vector<int32_t> tokens;
  for (const uint64_t part : line(id)) {
    const auto& more = nodes_.at(part).entry.tokens;
    tokens.insert(tokens.end(), more.begin(), more.end());
  }
  return tokens;
}

uint64_t DiskIndex::oldest_state() const {
  uint64_t oldest = 0, used = std::numeric_limits<uint64_t>::max();
  for (const auto& [id, node] : nodes_)
    if (node.entry.state && node.entry.used < used) {
      oldest = id;
      used = node.entry.used;
    }
  return oldest;
}

void DiskIndex::hold(uint64_t id) {
  if (id != 0) ++nodes_.at(id).holds;
}

std::vector<DiskEntry> DiskIndex::release(uint64_t id) {
  std::vector<DiskEntry> gone;
  const auto node = nodes_.find(id);
  if (node == nodes_.end()) return gone;  // of 0, or it was removed
  CHECK(node->second.holds > 0);
  --node->second.holds;
  take_out_unneeded(id, gone);
  return gone;
}

// Itself and all behind it; what is behind goes first.
void DiskIndex::take_out(uint64_t id, std::vector<DiskEntry>& gone) {
  Node& node = nodes_.at(id);
  while (!node.children.empty()) take_out(node.children.back(), gone);
  auto& beside = node.entry.parent == 0 ? beginnings_.at(node.entry.realm)
                                        : nodes_.at(node.entry.parent).children;
  std::erase(beside, id);
  if (node.entry.parent == 0 && beside.empty()) beginnings_.erase(node.entry.realm);
  bytes_ -= node.entry.bytes;
  states_ -= node.entry.state;
  gone.push_back(std::move(node.entry));
  nodes_.erase(id);
}

// This run, and those before it, as far as nothing needs them.
void DiskIndex::take_out_unneeded(uint64_t id, std::vector<DiskEntry>& gone) {
  while (id != 0) {
    const Node& node = nodes_.at(id);
    if (node.entry.state || node.holds > 0 || !node.children.empty()) return;
    const uint64_t before = node.entry.parent;
    take_out(id, gone);
    id = before;
  }
}

std::vector<DiskEntry> DiskIndex::remove(uint64_t id) {
  std::vector<DiskEntry> gone;
  const auto node = nodes_.find(id);
  if (node == nodes_.end()) return gone;
  const uint64_t before = node->second.entry.parent;
  take_out(id, gone);
  take_out_unneeded(before, gone);
  return gone;
}

std::vector<DiskEntry> DiskIndex::remove_unneeded() {
  std::vector<uint64_t> ends;
  for (const auto& [id, node] : nodes_)
    if (!node.entry.state && node.children.empty()) ends.push_back(id);
  std::vector<DiskEntry> gone;
  for (const uint64_t id : ends) take_out_unneeded(id, gone);
  return gone;
}

}  // namespace braid
