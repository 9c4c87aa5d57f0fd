// A tokenizer's data as a model file gives them, before anything is trusted.
//
// Filled from a GGUF's tokenizer.ggml.* keys (read_vocabulary), from a tokenizer.json
// (tokenizer_json.h) or by hand; Tokenizer checks it and builds its tables from it. Token strings
// are written as the files write them: a byte-level token in the alphabet of GPT-2, in which every
// byte is a printable character (byte_letter); a control or user-defined token as its plain text.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

class Metadata;

// The numbers are those of tokenizer.ggml.token_type.
enum class TokenType : int32_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,      // <|im_end|>: found in text only when asked for
  kUserDefined = 4,  // <think>: found in text always
  kUnused = 5,       // fills the embedding up to a round number of rows
  kByte = 6,         // "<0x0A>": a single byte
};

// How a control or user-defined token is found in text, where that is not just as it is written.
struct TokenMatch {
  bool strip_left = false;         // swallows the white space before it
  bool strip_right = false;        // and behind it
  bool after_normalizing = false;  // looked for in the normalised text, after all others

  bool operator==(const TokenMatch&) const = default;
};

struct Vocabulary {
  std::string source;          // the file, for messages
  std::string pretokenizer;    // a name of pretokenizer_names()
  bool normalize_nfc = false;  // a tokenizer.json asks for it; GGUF vocabularies do without

  std::vector<std::string> tokens;        // the index is the id
  std::vector<TokenType> types;           // one per token; empty: all normal
  std::vector<std::string> merges;        // "left right", most urgent first
  std::map<int32_t, TokenMatch> matches;  // of the tokens that are found in another way

  std::optional<int32_t> bos, eos, eot, padding;
  bool add_bos = false;  // whether encode begins with bos when it adds special tokens
  bool add_eos = false;
};

// The tokenizer in a GGUF's metadata; `source` is the file's name. Throws Error when there is none,
// or one that is not byte-level byte-pair encoding. What its arrays hold is for Tokenizer to judge.
Vocabulary read_vocabulary(const Metadata& metadata, std::string source);

// The character, in UTF-8, that stands for each byte in byte-level vocabularies: printable Latin-1
// stands for itself, the other 68 bytes in their order are U+0100, U+0101 and so on.
const std::array<std::string, 256>& byte_letters();

// The bytes that a byte-level token's letters stand for; nothing when one is no such letter.
std::optional<std::string> letters_to_bytes(std::string_view letters);

}  // namespace braid
