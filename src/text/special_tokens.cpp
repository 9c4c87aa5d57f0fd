#include "text/special_tokens.h"

#include "base/check.h"

namespace braid {

uint32_t SpecialTokens::step(uint32_t node, char byte) const {
  const auto& next = nodes_[node].next;
  const auto found = next.find(static_cast<unsigned char>(byte));
  return found == next.end() ? 0 : found->second;
}

void SpecialTokens::add(std::string_view text, int32_t id, bool always) {
  CHECK(!text.empty() && text.size() <= kMaxLength);
  begins_[static_cast<unsigned char>(text[0])] = true;
  uint32_t node = 0;
  for (const char byte : text) {
    uint32_t next = step(node, byte);
    if (next == 0) {
      next = static_cast<uint32_t>(nodes_.size());
      nodes_[node].next[static_cast<unsigned char>(byte)] = next;
      nodes_.emplace_back();
    }
    node = next;
  }
  CHECK(nodes_[node].id < 0);
  nodes_[node].id = id;
  nodes_[node].always = always;
}

std::optional<SpecialTokens::Match> SpecialTokens::next(std::string_view text, size_t from,
                                                        bool parse_control) const {
  for (size_t pos = from; pos < text.size(); ++pos) {
    if (!begins_[static_cast<unsigned char>(text[pos])]) continue;
    Match longest{pos, 0, -1};
    uint32_t node = 0;
    for (size_t i = pos; i < text.size(); ++i) {
      node = step(node, text[i]);
      if (node == 0) break;
      const Node& here = nodes_[node];
      if (here.id >= 0 && (here.always || parse_control)) longest = {pos, i + 1 - pos, here.id};
    }
    if (longest.id >= 0) return longest;
  }
  return std::nullopt;
}

}  // namespace braid
