// The tokens of a prompt, which several requests may have in common: n answers to it hold it once.
//
// It never changes, and reads as a vector. A value; copies share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

namespace braid {

class SharedTokens {
 public:
  using Tokens = std::vector<int32_t>;

  SharedTokens() = default;
  SharedTokens(Tokens tokens) : tokens_(std::make_shared<const Tokens>(std::move(tokens))) {}
  SharedTokens(std::initializer_list<int32_t> tokens) : SharedTokens(Tokens(tokens)) {}
  // They may be a part of something larger that it keeps alive.
  explicit SharedTokens(std::shared_ptr<const Tokens> tokens) : tokens_(std::move(tokens)) {}

  operator const Tokens&() const { return get(); }
  const Tokens& get() const {
    static const Tokens kNone;
    return tokens_ ? *tokens_ : kNone;
  }
  size_t size() const { return get().size(); }
  Tokens::const_iterator begin() const { return get().begin(); }
  Tokens::const_iterator end() const { return get().end(); }

 private:
  std::shared_ptr<const Tokens> tokens_;
};

}  // namespace braid
