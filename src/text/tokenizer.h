// Text to token ids and back: byte-level byte-pair encoding.
//
// encode finds special tokens, normalises what is between them if the vocabulary wants it, cuts it
// into pieces (pretokenizer.h), and in each piece joins the neighbours whose merge comes first in
// the vocabulary's list, leftmost on ties, until none is left. It takes any bytes; without
// normalisation decode(encode(text)) is `text`. A piece of n bytes takes n log n time.
//
// A Tokenizer does not change once made; any number of threads may use it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/pretokenizer.h"
#include "text/token_tables.h"
#include "text/vocabulary.h"

namespace braid {

struct EncodeOptions {
  bool add_special = false;    // bos and eos, where the vocabulary says that they are added
  bool parse_special = false;  // control tokens written in the text become their ids
};

enum class ControlTokens { kKeep, kSkip };

class Tokenizer {
 public:
  // Throws Error when the vocabulary contradicts itself: it names the token or the merge.
  explicit Tokenizer(const Vocabulary& vocabulary);

  std::vector<int32_t> encode(std::string_view text, EncodeOptions options = {}) const;

  // No text of so many bytes has fewer ids. 0 where a vocabulary's tokens may swallow any number of
  // bytes.
  size_t least_ids(size_t bytes) const;

  // Bytes: the last token may end inside a character. Throws Error on an id outside the vocabulary,
  // as do bytes and type.
  std::string decode(std::span<const int32_t> ids,
                     ControlTokens control = ControlTokens::kKeep) const;

  // The first special token written in the text at or after `from`. encode looks for those of the
  // first kind in the whole text, then for those of the second between them.
  enum class SpecialKind { kAsWritten, kAfterNormalizing };
  std::optional<SpecialTokens::Match> next_special(SpecialKind kind, std::string_view text,
                                                   size_t from, bool parse_special) const {
    const bool as_written = kind == SpecialKind::kAsWritten;
    return (as_written ? tables_.special : tables_.special_after_normalizing)
        .next(text, from, parse_special);
  }

  int32_t n_tokens() const { return static_cast<int32_t>(tables_.types.size()); }
  std::string_view bytes(int32_t id) const;  // what the token stands for
  TokenType type(int32_t id) const;
  bool is_control(int32_t id) const { return type(id) == TokenType::kControl; }

  std::optional<int32_t> bos() const { return bos_; }
  std::optional<int32_t> eos() const { return eos_; }
  std::optional<int32_t> eot() const { return eot_; }
  std::optional<int32_t> padding() const { return padding_; }
  bool adds_bos() const { return add_bos_; }  // when encode is told to add special tokens
  bool adds_eos() const { return add_eos_; }

 private:
  struct Workspace;

  void encode_text(std::string_view text, bool parse_special, Workspace& work,
                   std::vector<int32_t>& ids) const;
  void encode_plain(std::string_view text, Workspace& work, std::vector<int32_t>& ids) const;
  void merge_short(std::string_view piece, std::vector<int32_t>& ids) const;
  void merge_long(std::string_view piece, Workspace& work, std::vector<int32_t>& ids) const;
  void check_id(int32_t id) const;

  Pretokenizer pretokenizer_;
  TokenTables tables_;
  bool normalize_nfc_;
  size_t most_bytes_;  // of a text that become one id; 0: any number
  std::optional<int32_t> bos_, eos_, eot_, padding_;
  bool add_bos_;
  bool add_eos_;
};

}  // namespace braid
