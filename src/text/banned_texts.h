// Texts that an answer must not hold: strings and regular expressions, looked for while it grows.
//
// find() looks at what is there so far and tells where a banned text begins that is complete, or
// one that the next characters may complete. Expressions are PCRE2's, for UTF-8. They come from
// clients, so what one may use up is limited, in memory and in steps; find() throws for one that
// takes too many.
//
// Does not change once made; any number of threads may use it.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

class BannedTexts {
 public:
  static constexpr size_t kMostExpressions = 16, kLongestExpression = 1000;
  static constexpr size_t kMostStrings = 4096, kMostStringBytes = 65536;
  static constexpr size_t kLookBehind = 255;  // characters
  static constexpr size_t npos = std::string_view::npos;

  BannedTexts();
  BannedTexts(BannedTexts&&) noexcept;
  BannedTexts& operator=(BannedTexts&&) noexcept;
  ~BannedTexts();

  // Both throw Error that says what is wrong, also for what has no characters or matches none.
  void add_string(std::string text);
  void add_expression(std::string_view pattern, bool any_case);

  bool empty() const { return size() == 0; }
  size_t size() const;
  // Whether what is open() is bounded by the strings alone.
  bool has_expressions() const { return !expressions_.empty(); }

  struct Found {
    size_t begin = npos;  // of the first that is complete
    size_t open = npos;   // of the first that may become so; nothing before it can
  };
  // In text[from, ...), of which expressions see what stands before. `ended`: nothing follows.
  // Nobody looks again for strings that end within the first `known` bytes of the text.
  Found find(std::string_view text, size_t from, bool ended, size_t known = 0) const;

 private:
  struct Expression;

  std::vector<std::string> strings_;
  size_t bytes_ = 0;
  std::vector<Expression> expressions_;
};

}  // namespace braid
