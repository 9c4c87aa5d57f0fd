// A small vocabulary for unit tests: the 256 bytes, then what the merges make, then special tokens.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "text/vocabulary.h"

namespace braid {

// Merges are in letters: "h e", "\u0120 the". Ids: byte b has b, merge i makes 256 + i.
inline Vocabulary test_vocabulary(std::initializer_list<std::string_view> merges,
                                  std::string_view pretokenizer = "qwen2") {
  Vocabulary vocabulary;
  vocabulary.source = "test.gguf";
  vocabulary.pretokenizer = pretokenizer;
  vocabulary.tokens.assign(byte_letters().begin(), byte_letters().end());
  for (const std::string_view merge : merges) {
    const size_t space = merge.find(' ', 1);
    vocabulary.merges.emplace_back(merge);
    vocabulary.tokens.emplace_back(merge).erase(space, 1);
  }
  vocabulary.types.assign(vocabulary.tokens.size(), TokenType::kNormal);
  return vocabulary;
}

inline int32_t add_token(Vocabulary& vocabulary, std::string_view text, TokenType type) {
  vocabulary.tokens.emplace_back(text);
  vocabulary.types.push_back(type);
  return static_cast<int32_t>(vocabulary.tokens.size() - 1);
}

}  // namespace braid
