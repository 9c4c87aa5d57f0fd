#include "text/tokenizer.h"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>

#include "base/check.h"
#include "text/unicode.h"

namespace braid {
namespace {

// Up to here looking at all neighbours for the next merge is quicker than keeping a heap of them.
constexpr size_t kShortPiece = 48;

constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();

Pretokenizer make_pretokenizer(const Vocabulary& vocabulary) {
  try {
    return Pretokenizer::named(vocabulary.pretokenizer);
  } catch (const Error& error) {
    fail("{}: {}", vocabulary.source, error.what());
  }
}

// A token in a chain of neighbours; merging gives the left one the result's id and unlinks the
// right one.
struct Symbol {
  int32_t id;  // -1 when unlinked
  uint32_t prev, next;
};

// A merge that was possible when it was seen; stale once one of the two has changed.
struct Candidate {
  uint32_t rank;
  uint32_t pos;  // of the left symbol
  int32_t left, right;
  int32_t result;

  bool operator>(const Candidate& other) const {
    return rank != other.rank ? rank > other.rank : pos > other.pos;
  }
};

// Bytes of a text that become one id at the most. A character that NFC puts together had four times
// its bytes at the most. White space that goes with a token may be of any length.
size_t most_bytes_of_an_id(const Vocabulary& vocabulary, const TokenTables& tables) {
  for (const auto& [id, match] : vocabulary.matches)
    if (match.strip_left || match.strip_right) return 0;
  size_t most = 1;
  for (size_t id = 0; id + 1 < tables.offsets.size(); ++id)
    most = std::max(most, tables.offsets[id + 1] - tables.offsets[id]);
  return vocabulary.normalize_nfc ? 4 * most : most;
}

}  // namespace

// What pieces of one encode call use after one another, so that not each of them allocates.
struct Tokenizer::Workspace {
  std::vector<std::string_view> pieces;
  std::vector<Symbol> symbols;
  std::vector<Candidate> heap;  // least first
};

Tokenizer::Tokenizer(const Vocabulary& vocabulary)
    : pretokenizer_(make_pretokenizer(vocabulary)),
      tables_(build_token_tables(vocabulary)),
      normalize_nfc_(vocabulary.normalize_nfc),
      most_bytes_(most_bytes_of_an_id(vocabulary, tables_)),
      bos_(vocabulary.bos),
      eos_(vocabulary.eos),
      eot_(vocabulary.eot),
      padding_(vocabulary.padding),
      add_bos_(vocabulary.add_bos),
      add_eos_(vocabulary.add_eos) {}

size_t Tokenizer::least_ids(size_t bytes) const {
  return most_bytes_ == 0 ? 0 : (bytes + most_bytes_ - 1) / most_bytes_;
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  std::vector<int32_t> ids;
  ids.reserve(text.size() / 3 + 2);
  Workspace work;
  if (options.add_special && add_bos_) ids.push_back(*bos_);
  size_t done = 0;
  while (const auto match = tables_.special.next(text, done, options.parse_special)) {
    encode_text(text.substr(done, match->pos - done), options.parse_special, work, ids);
    ids.push_back(match->id);
    done = match->pos + match->length;
  }
  encode_text(text.substr(done), options.parse_special, work, ids);
  if (options.add_special && add_eos_) ids.push_back(*eos_);
  return ids;
}

// What lies between the tokens that are found in the text as it is.
void Tokenizer::encode_text(std::string_view text, bool parse_special, Workspace& work,
                            std::vector<int32_t>& ids) const {
  std::string normal;
  if (normalize_nfc_ && may_change_in_nfc(text)) text = normal = to_nfc(text);
  if (tables_.special_after_normalizing.empty()) return encode_plain(text, work, ids);
  size_t done = 0;
  while (const auto match = tables_.special_after_normalizing.next(text, done, parse_special)) {
    encode_plain(text.substr(done, match->pos - done), work, ids);
    ids.push_back(match->id);
    done = match->pos + match->length;
  }
  encode_plain(text.substr(done), work, ids);
}

void Tokenizer::encode_plain(std::string_view text, Workspace& work,
                             std::vector<int32_t>& ids) const {
  work.pieces.clear();
  pretokenizer_.split(text, work.pieces);
  for (const std::string_view piece : work.pieces) {
    if (piece.size() <= kShortPiece) {
      merge_short(piece, ids);
    } else {
      merge_long(piece, work, ids);
    }
  }
}

void Tokenizer::merge_short(std::string_view piece, std::vector<int32_t>& ids) const {
  constexpr Merge kNoMerge{kNone, -1};
  std::array<int32_t, kShortPiece> token;
  std::array<Merge, kShortPiece> merge;  // of token[i] with token[i + 1]
  size_t n = piece.size();
  const auto look_up = [&](size_t i) {
    const Merge* found = i + 1 < n ? tables_.merges.find(token[i], token[i + 1]) : nullptr;
    merge[i] = found ? *found : kNoMerge;
  };
  for (size_t i = 0; i < n; ++i) token[i] = tables_.byte_ids[static_cast<unsigned char>(piece[i])];
  for (size_t i = 0; i < n; ++i) look_up(i);
  while (n > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < n; ++i) {
      if (merge[i].rank < merge[best].rank) best = i;
    }
    if (merge[best].rank == kNone) break;
    token[best] = merge[best].result;
    std::copy(token.begin() + best + 2, token.begin() + n, token.begin() + best + 1);
    std::copy(merge.begin() + best + 2, merge.begin() + n, merge.begin() + best + 1);
    --n;
    look_up(best);
    if (best > 0) look_up(best - 1);
  }
  ids.insert(ids.end(), token.begin(), token.begin() + n);
}

void Tokenizer::merge_long(std::string_view piece, Workspace& work,
                           std::vector<int32_t>& ids) const {
  if (piece.size() >= kNone) fail("text: {} bytes without a place to cut", piece.size());
  auto& symbols = work.symbols;
  auto& heap = work.heap;
  const auto n = static_cast<uint32_t>(piece.size());
  symbols.resize(n);
  heap.clear();
  for (uint32_t i = 0; i < n; ++i) {
    const int32_t id = tables_.byte_ids[static_cast<unsigned char>(piece[i])];
    symbols[i] = {id, i == 0 ? kNone : i - 1, i + 1 == n ? kNone : i + 1};
  }
  const auto add_candidate = [&](uint32_t left) {
    if (left == kNone || symbols[left].next == kNone) return false;
    const int32_t a = symbols[left].id;
    const int32_t b = symbols[symbols[left].next].id;
    const Merge* merge = tables_.merges.find(a, b);
    if (merge) heap.push_back({merge->rank, left, a, b, merge->result});
    return merge != nullptr;
  };
  for (uint32_t i = 0; i + 1 < n; ++i) add_candidate(i);
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    const Candidate best = heap.back();
    heap.pop_back();
    Symbol& left = symbols[best.pos];
    if (left.id != best.left || left.next == kNone || symbols[left.next].id != best.right) continue;
    Symbol& right = symbols[left.next];
    left.id = best.result;
    left.next = right.next;
    right.id = -1;
    if (left.next != kNone) symbols[left.next].prev = best.pos;
    for (const uint32_t pos : {left.prev, best.pos}) {
      if (add_candidate(pos)) std::push_heap(heap.begin(), heap.end(), std::greater<>());
    }
  }
  for (uint32_t i = 0; i != kNone; i = symbols[i].next) ids.push_back(symbols[i].id);
}

std::string Tokenizer::decode(std::span<const int32_t> ids, ControlTokens control) const {
  std::string text;
  for (const int32_t id : ids) {
    if (control == ControlTokens::kSkip && is_control(id)) continue;
    text += bytes(id);
  }
  return text;
}

std::string_view Tokenizer::bytes(int32_t id) const {
  check_id(id);
  return tables_.bytes_of(id);
}

TokenType Tokenizer::type(int32_t id) const {
  check_id(id);
  return tables_.types[id];
}

void Tokenizer::check_id(int32_t id) const {
  if (id < 0 || id >= n_tokens()) {
    fail("token id {}: the vocabulary has {} tokens, 0 to {}", id, n_tokens(), n_tokens() - 1);
  }
}

}  // namespace braid
