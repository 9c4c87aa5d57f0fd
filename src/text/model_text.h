// All that a model's files say about text, whichever container it came in.
//
// A GGUF has it in tokenizer.* keys; a Hugging Face folder in tokenizer.json,
// tokenizer_config.json, chat_template.jinja and generation_config.json beside the weights. Whoever
// needs a tokenizer or a chat template goes through here and never asks which it was.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/vocabulary.h"

namespace braid {

class TensorFile;

struct NamedTemplate {
  std::string name;    // "tool_use", "rag"
  std::string source;  // Jinja
};

struct ModelText {
  Vocabulary vocabulary;  // for a Tokenizer

  std::string chat_template;  // Jinja source for ChatTemplate; empty: the model has none
  std::vector<NamedTemplate>
      other_templates;  // those with a name of their own, in the file's order

  // What templates call bos_token and eos_token; empty: none.
  std::string bos_token, eos_token;

  // The tokens that end an answer, each once, vocabulary.eos first: eos, eot, what the model's
  // generation_config.json lists, and <|im_end|> and <|endoftext|> where they are control tokens.
  std::vector<int32_t> end_ids;

  // chat_template for "" and "default", else the one of that name. Throws Error that lists the
  // names when there is no such template.
  const std::string& template_named(std::string_view name) const;
};

// Throws Error that names file, key and remedy: no tokenizer, one that Braid does not know, a file
// that is damaged. Whether tokens and merges fit together is for Tokenizer to judge.
ModelText read_model_text(const TensorFile& file);

}  // namespace braid
