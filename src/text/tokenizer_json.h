// tokenizer.json, the form in which Hugging Face's `tokenizers` keep a tokenizer.
//
// Read is what byte-level byte-pair encoding of the Qwen family is made of: a BPE model, added
// tokens, normaliser NFC or none, a pre-tokenizer of Split and ByteLevel whose expression is one of
// pretokenizer_names(), and a post-processor that adds at most a first and a last token. Anything
// that would give other ids than `tokenizers` does is an Error that names it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "text/vocabulary.h"

namespace braid {

// `path` stands in errors and becomes the vocabulary's source. bos and eos are set only where the
// post-processor adds them; which tokens end an answer other files say.
Vocabulary parse_tokenizer_json(const std::string& path, const nlohmann::json& json);

// The file.
Vocabulary read_tokenizer_json(const std::string& path);

}  // namespace braid
