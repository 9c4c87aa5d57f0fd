// A vocabulary checked and put into the form that encoding and decoding read.
//
// What holds afterwards: every byte has a token, every merge joins two tokens into one that stands
// for the bytes of both, every id in here is below the number of tokens.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/pair_table.h"
#include "text/special_tokens.h"
#include "text/vocabulary.h"

namespace braid {

struct TokenTables {
  std::string bytes;            // of all tokens, one after another
  std::vector<size_t> offsets;  // token id is bytes[offsets[id], offsets[id + 1])
  std::vector<TokenType> types;
  std::array<int32_t, 256> byte_ids{};
  PairTable merges;
  SpecialTokens special;
  SpecialTokens special_after_normalizing;

  std::string_view bytes_of(int32_t id) const {
    return std::string_view(bytes).substr(offsets[id], offsets[id + 1] - offsets[id]);
  }
};

// Throws Error on a vocabulary that contradicts itself: it names the token or the merge.
TokenTables build_token_tables(const Vocabulary& vocabulary);

}  // namespace braid
