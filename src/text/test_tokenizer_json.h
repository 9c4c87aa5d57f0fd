// For tests: a small tokenizer.json that is right, to be changed, and a model's folder around it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "format/test_files.h"
#include "text/test_vocabulary.h"

namespace braid::test {

constexpr const char* kQwen2Expression =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";

inline nlohmann::json added_token(int id, const std::string& content, bool special) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", special}};
}

// Bytes are 0 to 255, "he" is 256, "the" 257, <|im_end|> 258, <think> 259.
inline nlohmann::json small_tokenizer_json() {
  const Vocabulary vocabulary = test_vocabulary({"h e", "t he"});
  nlohmann::json vocab = nlohmann::json::object();
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) vocab[vocabulary.tokens[id]] = id;
  const nlohmann::json split = {{"type", "Split"},
                                {"pattern", {{"Regex", kQwen2Expression}}},
                                {"behavior", "Isolated"},
                                {"invert", false}};
  const nlohmann::json byte_level = {{"type", "ByteLevel"},
                                     {"add_prefix_space", false},
                                     {"trim_offsets", false},
                                     {"use_regex", false}};
  const nlohmann::json steps = nlohmann::json::array({split, byte_level});
  return {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", {added_token(258, "<|im_end|>", true), added_token(259, "<think>", false)}},
      {"normalizer", {{"type", "NFC"}}},
      {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", steps}}},
      {"post_processor", byte_level},
      {"decoder", byte_level},
      {"model",
       {{"type", "BPE"},
        {"dropout", nullptr},
        {"unk_token", nullptr},
        {"continuing_subword_prefix", ""},
        {"end_of_word_suffix", ""},
        {"fuse_unk", false},
        {"byte_fallback", false},
        {"ignore_merges", false},
        {"vocab", vocab},
        {"merges", {"h e", "t he"}}}}};
}

// A folder that can be opened as a model: one weight, config.json, and this tokenizer.json.
inline void write_model_folder(const TemporaryFolder& folder, const std::string& tokenizer) {
  folder.write("model.safetensors",
               raw_safetensors(R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4));
  folder.write("config.json", R"({"model_type":"qwen3_next"})");
  if (!tokenizer.empty()) folder.write("tokenizer.json", tokenizer);
}

}  // namespace braid::test
