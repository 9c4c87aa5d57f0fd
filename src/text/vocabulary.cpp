#include "text/vocabulary.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>

#include "base/check.h"
#include "format/metadata.h"
#include "format/printable.h"
#include "text/unicode.h"

namespace braid {
namespace {

// The first code point above the bytes that stand for themselves.
constexpr char32_t kFirstStandIn = 0x100;
constexpr size_t kStandIns = 68;

bool stands_for_itself(size_t byte) {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

// Code points below U+0800 in UTF-8.
std::string two_byte_utf8(char32_t code) {
  if (code < 0x80) return std::string(1, static_cast<char>(code));
  return {static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 0x3F))};
}

std::array<std::string, 256> make_byte_letters() {
  std::array<std::string, 256> letters;
  char32_t stand_in = kFirstStandIn;
  for (size_t byte = 0; byte < letters.size(); ++byte) {
    letters[byte] =
        two_byte_utf8(stands_for_itself(byte) ? static_cast<char32_t>(byte) : stand_in++);
  }
  return letters;
}

using LetterBytes = std::array<int, kFirstStandIn + kStandIns>;

// By code point; -1 for what is no letter of the alphabet.
LetterBytes make_letter_bytes() {
  LetterBytes bytes;
  bytes.fill(-1);
  char32_t stand_in = kFirstStandIn;
  for (int byte = 0; byte < 256; ++byte) {
    bytes[stands_for_itself(byte) ? static_cast<char32_t>(byte) : stand_in++] = byte;
  }
  return bytes;
}

std::optional<int32_t> read_id(const Metadata& metadata, std::string_view key) {
  if (!metadata.has(key)) return std::nullopt;
  return static_cast<int32_t>(metadata.integer(key, 0, std::numeric_limits<int32_t>::max()));
}

std::vector<std::string> read_strings(const Metadata& metadata, std::string_view key) {
  const auto strings = metadata.strings(key);
  return {strings.begin(), strings.end()};
}

// The integers as they are; Tokenizer refuses those that are no type.
std::vector<TokenType> read_types(const Metadata& metadata, std::string_view key) {
  std::vector<TokenType> types;
  for (const int64_t type : metadata.integers(key)) {
    types.push_back(static_cast<TokenType>(std::clamp<int64_t>(type, -1, 1 << 16)));
  }
  return types;
}

}  // namespace

Vocabulary read_vocabulary(const Metadata& metadata, std::string source) {
  Vocabulary vocabulary;
  const std::string_view model = metadata.string("tokenizer.ggml.model");
  if (model != "gpt2") {
    fail("{}: tokenizer.ggml.model is '{}'; Braid knows gpt2, byte-level byte-pair encoding",
         source, printable(model));
  }
  vocabulary.source = std::move(source);
  vocabulary.pretokenizer = metadata.string("tokenizer.ggml.pre");
  vocabulary.tokens = read_strings(metadata, "tokenizer.ggml.tokens");
  if (metadata.has("tokenizer.ggml.token_type")) {
    vocabulary.types = read_types(metadata, "tokenizer.ggml.token_type");
  }
  vocabulary.merges = read_strings(metadata, "tokenizer.ggml.merges");
  vocabulary.bos = read_id(metadata, "tokenizer.ggml.bos_token_id");
  vocabulary.eos = read_id(metadata, "tokenizer.ggml.eos_token_id");
  vocabulary.eot = read_id(metadata, "tokenizer.ggml.eot_token_id");
  vocabulary.padding = read_id(metadata, "tokenizer.ggml.padding_token_id");
  vocabulary.add_bos = metadata.boolean_or("tokenizer.ggml.add_bos_token", false);
  vocabulary.add_eos = metadata.boolean_or("tokenizer.ggml.add_eos_token", false);
  return vocabulary;
}

const std::array<std::string, 256>& byte_letters() {
  static const std::array<std::string, 256> kLetters = make_byte_letters();
  return kLetters;
}

std::optional<std::string> letters_to_bytes(std::string_view letters) {
  static const LetterBytes kBytes = make_letter_bytes();
  std::string bytes;
  for (size_t pos = 0; pos < letters.size();) {
    const size_t length = utf8_length(letters, pos);
    if (length != 1 && length != 2) return std::nullopt;
    const auto lead = static_cast<unsigned char>(letters[pos]);
    const size_t code =
        length == 1 ? lead
                    : (lead & 0x1Fu) << 6 | (static_cast<unsigned char>(letters[pos + 1]) & 0x3Fu);
    if (code >= kBytes.size() || kBytes[code] < 0) return std::nullopt;
    bytes += static_cast<char>(kBytes[code]);
    pos += length;
  }
  return bytes;
}

}  // namespace braid
