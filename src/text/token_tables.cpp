#include "text/token_tables.h"

#include <charconv>
#include <limits>
#include <optional>
#include <unordered_map>

#include "base/check.h"
#include "format/printable.h"
#include "text/unicode.h"

namespace braid {
namespace {

constexpr size_t kMaxTokens = std::numeric_limits<int32_t>::max();
constexpr size_t kMaxMerges = std::numeric_limits<uint32_t>::max();

using TokenIndex = std::unordered_map<std::string_view, int32_t>;

// "<0x0A>" names a byte.
std::optional<unsigned char> named_byte(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || text.back() != '>') return std::nullopt;
  unsigned value = 0;
  const char* end = text.data() + 5;
  if (std::from_chars(text.data() + 3, end, value, 16).ptr != end) return std::nullopt;
  return static_cast<unsigned char>(value);
}

bool stands_as_written(TokenType type) {
  return type == TokenType::kControl || type == TokenType::kUserDefined;
}

std::string token_bytes(const std::string& text, size_t id, TokenType type) {
  if (stands_as_written(type)) return text;
  if (type == TokenType::kByte) {
    const auto byte = named_byte(text);
    if (!byte) {
      fail("token {} has the type of a byte and the text '{}', expected a form like <0x0A>", id,
           printable(text));
    }
    return std::string(1, static_cast<char>(*byte));
  }
  return letters_to_bytes(text).value_or(text);
}

void check_sizes(const Vocabulary& vocabulary) {
  const size_t n_tokens = vocabulary.tokens.size();
  if (n_tokens == 0) fail("the vocabulary has no tokens");
  if (n_tokens > kMaxTokens) {
    fail("{} tokens, at most {} are possible", n_tokens, kMaxTokens);
  }
  if (vocabulary.merges.size() > kMaxMerges) {
    fail("{} merges, at most {} are possible", vocabulary.merges.size(), kMaxMerges);
  }
  if (!vocabulary.types.empty() && vocabulary.types.size() != n_tokens) {
    fail("{} token types for {} tokens", vocabulary.types.size(), n_tokens);
  }
}

void check_id(const Vocabulary& vocabulary, const char* role, std::optional<int32_t> id) {
  if (id && (*id < 0 || static_cast<size_t>(*id) >= vocabulary.tokens.size())) {
    fail("the {} token is {}, but the {} tokens are 0 to {}", role, *id, vocabulary.tokens.size(),
         vocabulary.tokens.size() - 1);
  }
}

void check_special_ids(const Vocabulary& vocabulary) {
  check_id(vocabulary, "bos", vocabulary.bos);
  check_id(vocabulary, "eos", vocabulary.eos);
  check_id(vocabulary, "eot", vocabulary.eot);
  check_id(vocabulary, "padding", vocabulary.padding);
  if (vocabulary.add_bos && !vocabulary.bos) {
    fail("a bos token is to be added, but none is named");
  }
  if (vocabulary.add_eos && !vocabulary.eos) {
    fail("an eos token is to be added, but none is named");
  }
}

void add_tokens(const Vocabulary& vocabulary, TokenTables& tables) {
  const size_t n_tokens = vocabulary.tokens.size();
  tables.types = vocabulary.types;
  tables.types.resize(n_tokens, TokenType::kNormal);
  tables.offsets.reserve(n_tokens + 1);
  tables.offsets.push_back(0);
  for (size_t id = 0; id < n_tokens; ++id) {
    const TokenType type = tables.types[id];
    if (type < TokenType::kNormal || type > TokenType::kByte) {
      fail("token {} has the type {}, expected 1 to 6", id, static_cast<int32_t>(type));
    }
    tables.bytes += token_bytes(vocabulary.tokens[id], id, type);
    tables.offsets.push_back(tables.bytes.size());
  }
}

// Token texts may be empty (never produced, harmless) but not alike.
TokenIndex index_tokens(const Vocabulary& vocabulary) {
  TokenIndex index;
  index.reserve(vocabulary.tokens.size());
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const std::string& text = vocabulary.tokens[id];
    if (text.empty()) continue;
    const auto [first, added] = index.emplace(text, static_cast<int32_t>(id));
    if (!added) {
      fail("tokens {} and {} have the same text '{}'", first->second, id, printable(text));
    }
  }
  return index;
}

void add_special_token(const Vocabulary& vocabulary, int32_t id, TokenTables& tables) {
  const auto found = vocabulary.matches.find(id);
  const TokenMatch match = found == vocabulary.matches.end() ? TokenMatch{} : found->second;
  std::string text = vocabulary.tokens[id];
  // In a text in normal form, a token that is not would never be found.
  if (match.after_normalizing && vocabulary.normalize_nfc) text = to_nfc(text);
  if (text.size() > SpecialTokens::kMaxLength) {
    fail("token {}, '{}', is to be found in text and has {} bytes, at most {} are possible", id,
         printable(text), text.size(), SpecialTokens::kMaxLength);
  }
  auto& set = match.after_normalizing ? tables.special_after_normalizing : tables.special;
  const bool always = tables.types[id] == TokenType::kUserDefined;
  if (!set.add(text, id, {always, match.strip_left, match.strip_right})) {
    fail("token {}, '{}', is to be found in text, and so is another one of the same normal form",
         id, printable(text));
  }
}

void add_special(const Vocabulary& vocabulary, TokenTables& tables) {
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    if (!stands_as_written(tables.types[id]) || vocabulary.tokens[id].empty()) continue;
    add_special_token(vocabulary, static_cast<int32_t>(id), tables);
  }
}

void find_byte_tokens(const TokenIndex& index, TokenTables& tables) {
  for (size_t byte = 0; byte < tables.byte_ids.size(); ++byte) {
    const std::string wanted(1, static_cast<char>(byte));
    const auto try_text = [&](const std::string& text) {
      const auto found = index.find(text);
      if (found == index.end() || tables.bytes_of(found->second) != wanted) return false;
      tables.byte_ids[byte] = found->second;
      return true;
    };
    if (!try_text(byte_letters()[byte]) && !try_text(fmt::format("<0x{:02X}>", byte))) {
      fail("no token stands for the byte 0x{:02X}; a byte-level vocabulary has all 256", byte);
    }
  }
}

void add_merges(const Vocabulary& vocabulary, const TokenIndex& index, TokenTables& tables) {
  tables.merges = PairTable(vocabulary.merges.size());
  std::string both;
  for (size_t rank = 0; rank < vocabulary.merges.size(); ++rank) {
    const std::string_view merge = vocabulary.merges[rank];
    const size_t space = merge.find(' ', 1);
    if (space == merge.npos || space + 1 == merge.size()) {
      fail("merge {} is '{}', expected two tokens with a space between them", rank,
           printable(merge));
    }
    const auto id_of = [&](std::string_view text) {
      const auto found = index.find(text);
      if (found == index.end()) {
        fail("merge {} is '{}', but '{}' is not in the vocabulary", rank, printable(merge),
             printable(text));
      }
      return found->second;
    };
    const int32_t left = id_of(merge.substr(0, space));
    const int32_t right = id_of(merge.substr(space + 1));
    both.assign(merge.substr(0, space)).append(merge.substr(space + 1));
    const int32_t result = id_of(both);
    both.assign(tables.bytes_of(left)).append(tables.bytes_of(right));
    if (tables.bytes_of(result) != both) {
      fail("merge {} is '{}': the bytes '{}' become token {}, which stands for '{}'", rank,
           printable(merge), printable(both), result, printable(tables.bytes_of(result)));
    }
    tables.merges.add(left, right, {static_cast<uint32_t>(rank), result});
  }
}

TokenTables build(const Vocabulary& vocabulary) {
  TokenTables tables;
  check_sizes(vocabulary);
  check_special_ids(vocabulary);
  add_tokens(vocabulary, tables);
  const TokenIndex index = index_tokens(vocabulary);
  add_special(vocabulary, tables);
  find_byte_tokens(index, tables);
  add_merges(vocabulary, index, tables);
  return tables;
}

}  // namespace

TokenTables build_token_tables(const Vocabulary& vocabulary) {
  try {
    return build(vocabulary);
  } catch (const Error& error) {
    fail(
        "{}: tokenizer: {} (the file is damaged or was converted wrongly: fetch or convert it "
        "again)",
        vocabulary.source, error.what());
  }
}

}  // namespace braid
