#include "text/special_tokens.h"

#include <algorithm>

#include "base/check.h"
#include "text/unicode.h"

namespace braid {
namespace {

// Bytes of white space (Unicode's White_Space) at the beginning.
size_t leading_space(std::string_view text) {
  size_t pos = 0;
  while (pos < text.size() && space_length(text, pos) > 0) pos += space_length(text, pos);
  return pos;
}

// What is left without the white space at the end.
size_t trimmed_size(std::string_view text) {
  size_t size = text.size();
  while (size > 0) {
    size_t length = std::min<size_t>(size, 3);  // the longest such character has 3 bytes
    while (length > 0 && space_length(text, size - length) != length) --length;
    if (length == 0) break;
    size -= length;
  }
  return size;
}

}  // namespace

uint32_t SpecialTokens::step(uint32_t node, char byte) const {
  const auto& next = nodes_[node].next;
  const auto found = next.find(static_cast<unsigned char>(byte));
  return found == next.end() ? 0 : found->second;
}

bool SpecialTokens::add(std::string_view text, int32_t id, Rule rule) {
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
  if (nodes_[node].id >= 0) return false;
  nodes_[node].id = id;
  nodes_[node].rule = rule;
  return true;
}

std::optional<SpecialTokens::Match> SpecialTokens::next(std::string_view text, size_t from,
                                                        bool parse_control) const {
  for (size_t pos = from; pos < text.size(); ++pos) {
    if (!begins_[static_cast<unsigned char>(text[pos])]) continue;
    size_t length = 0;
    uint32_t node = 0, longest = 0;
    for (size_t i = pos; i < text.size(); ++i) {
      node = step(node, text[i]);
      if (node == 0) break;
      const Node& here = nodes_[node];
      if (here.id < 0 || !(here.rule.always || parse_control)) continue;
      longest = node;
      length = i + 1 - pos;
    }
    if (longest == 0) continue;
    const auto& [children, id, rule] = nodes_[longest];
    size_t begin = pos, end = pos + length;
    if (rule.strip_left) begin = from + trimmed_size(text.substr(from, pos - from));
    if (rule.strip_right) end += leading_space(text.substr(end));
    return Match{begin, end - begin, id};
  }
  return std::nullopt;
}

}  // namespace braid
