// Finding the tokens that stand in a text as themselves: <|im_start|>, <think>.
//
// The leftmost match wins and of several there the longest. A tree over bytes, walked anew from
// each position at which one of the tokens may begin; the length limit bounds the walk. A token may
// take the white space around it along.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

namespace braid {

class SpecialTokens {
 public:
  static constexpr size_t kMaxLength = 512;

  struct Match {
    size_t pos;  // with the white space that goes with the token
    size_t length;
    int32_t id;
  };

  struct Rule {
    bool always = false;  // matched also when control tokens are not
    bool strip_left = false, strip_right = false;
  };

  bool empty() const { return nodes_.size() == 1; }

  // A text of 1 to kMaxLength bytes. False, and nothing done, when it is there already.
  bool add(std::string_view text, int32_t id, Rule rule);

  // The first one at or after `from`.
  std::optional<Match> next(std::string_view text, size_t from, bool parse_control) const;

 private:
  struct Node {
    std::map<unsigned char, uint32_t> next;
    int32_t id = -1;
    Rule rule;
  };

  // The child of `node` for `byte`, 0 when there is none: the root is nobody's child.
  uint32_t step(uint32_t node, char byte) const;

  std::vector<Node> nodes_ = std::vector<Node>(1);  // nodes_[0] is the root
  std::array<bool, 256> begins_{};                  // bytes with which a token begins
};

}  // namespace braid
