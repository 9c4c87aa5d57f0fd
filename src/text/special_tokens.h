// Finding the tokens that stand in a text as themselves: <|im_start|>, <think>.
//
// The leftmost match wins and of several there the longest. A tree over bytes, walked anew from
// each position at which one of the tokens may begin; the length limit bounds the walk.
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
    size_t pos;
    size_t length;
    int32_t id;
  };

  // A text of 1 to kMaxLength bytes, not added before. `always`: matched also when control tokens
  // are not.
  void add(std::string_view text, int32_t id, bool always);

  // The first one at or after `from`.
  std::optional<Match> next(std::string_view text, size_t from, bool parse_control) const;

 private:
  struct Node {
    std::map<unsigned char, uint32_t> next;
    int32_t id = -1;
    bool always = false;
  };

  // The child of `node` for `byte`, 0 when there is none: the root is nobody's child.
  uint32_t step(uint32_t node, char byte) const;

  std::vector<Node> nodes_ = std::vector<Node>(1);  // nodes_[0] is the root
  std::array<bool, 256> begins_{};                  // bytes with which a token begins
};

}  // namespace braid
