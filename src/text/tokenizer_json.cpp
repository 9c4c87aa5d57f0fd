#include "text/tokenizer_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "format/json.h"
#include "format/printable.h"
#include "text/pretokenizer.h"

namespace braid {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kRemedy = "download the tokenizer.json that belongs to the model";

// Ids that no token has cost a row each; published files have none.
constexpr size_t kMaxUnusedIds = 65536;

// One file being read. Every key is looked at that can change what `tokenizers` makes of a text.
class Reader {
 public:
  Reader(const std::string& path, const Json& json) : path_(path), json_(json) {}

  Vocabulary read() {
    if (!json_.is_object())
      fail("{}: {}, expected a JSON object: {}", path_, shown(json_), kRemedy);
    out_.source = path_;
    const Json& model = object(json_, "model", "model");
    check_model(model);
    read_vocab(model);
    read_merges(model);
    read_added_tokens();
    read_normalizer(optional(json_, "normalizer"));
    read_pretokenizer();
    read_post_processor(optional(json_, "post_processor"));
    return std::move(out_);
  }

 private:
  static std::string shown(const Json& value) { return json_text(value, 60); }

  [[noreturn]] void wrong(std::string_view key, const Json& value,
                          std::string_view expected) const {
    fail("{}: key {} is {}, expected {}: {}", path_, key, shown(value), expected, kRemedy);
  }

  // Null when missing or null.
  static const Json* optional(const Json& in, const char* name) {
    const auto found = in.find(name);
    return found == in.end() || found->is_null() ? nullptr : &*found;
  }
  const Json& required(const Json& in, const char* name, std::string_view key) const {
    const Json* value = optional(in, name);
    if (value == nullptr) fail("{}: key {} is missing: {}", path_, key, kRemedy);
    return *value;
  }
  const Json& object(const Json& in, const char* name, std::string_view key) const {
    const Json& value = required(in, name, key);
    if (!value.is_object()) wrong(key, value, "an object");
    return value;
  }
  const Json& array(const Json& in, const char* name, std::string_view key) const {
    const Json& value = required(in, name, key);
    if (!value.is_array()) wrong(key, value, "an array");
    return value;
  }
  const std::string& string(const Json& in, const char* name, std::string_view key) const {
    const Json& value = required(in, name, key);
    if (!value.is_string()) wrong(key, value, "a string");
    return value.get_ref<const std::string&>();
  }
  bool flag(const Json& in, const char* name, std::string_view key) const {
    const Json* value = optional(in, name);
    if (value != nullptr && !value->is_boolean()) wrong(key, *value, "true or false");
    return value != nullptr && value->get<bool>();
  }
  int32_t id(const Json& value, std::string_view key) const {
    // An int32 and one more must fit: the number of tokens.
    constexpr int64_t kMax = 0x7FFFFFFE;
    const bool whole = value.is_number_integer() &&
                       (!value.is_number_unsigned() || value.get<uint64_t>() <= uint64_t{kMax});
    if (!whole || value.get<int64_t>() < 0 || value.get<int64_t>() > kMax) {
      wrong(key, value, "a token id");
    }
    return value.get<int32_t>();
  }

  void check_model(const Json& model) const;
  void read_vocab(const Json& model);
  void read_merges(const Json& model);
  void read_added_tokens();
  void read_normalizer(const Json* normalizer);
  void read_pretokenizer();
  void read_split(const Json& split);
  void check_byte_level(const Json& step) const;
  void read_post_processor(const Json* post);
  void read_template(const Json& post);
  int32_t template_token(const Json& post, const Json& piece) const;
  void grow_to(int32_t id);

  const std::string& path_;
  const Json& json_;
  Vocabulary out_;
  size_t named_ = 0;  // tokens that the file gives an id
};

void Reader::check_model(const Json& model) const {
  const std::string& type = string(model, "type", "model.type");
  if (type != "BPE") {
    fail("{}: model.type is '{}'; Braid knows BPE, byte-level byte-pair encoding", path_,
         printable(type));
  }
  for (const char* name : {"byte_fallback", "ignore_merges"}) {
    const std::string key = fmt::format("model.{}", name);
    if (flag(model, name, key)) fail("{}: {} is on, which Braid does not have", path_, key);
  }
  for (const char* name : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const Json* value = optional(model, name);
    if (value == nullptr || *value == "") continue;
    fail("{}: model.{} is {}; byte-level tokens have none", path_, name, shown(*value));
  }
  const Json* dropout = optional(model, "dropout");
  if (dropout != nullptr && *dropout != 0) {
    fail("{}: model.dropout is {}, which makes ids random: set it to null", path_, shown(*dropout));
  }
}

void Reader::grow_to(int32_t id) {
  const auto size = static_cast<size_t>(id) + 1;
  if (size > named_ + kMaxUnusedIds) {
    fail("{}: a token has the id {}, but the file has {} tokens: {}", path_, id, named_, kRemedy);
  }
  if (out_.tokens.size() >= size) return;
  out_.tokens.resize(size);
  out_.types.resize(size, TokenType::kUnused);
}

void Reader::read_vocab(const Json& model) {
  const Json& vocab = object(model, "vocab", "model.vocab");
  if (vocab.empty()) fail("{}: model.vocab is empty: {}", path_, kRemedy);
  named_ = vocab.size();
  for (const auto& [text, value] : vocab.items()) {
    const int32_t at = id(value, "model.vocab");
    grow_to(at);
    if (text.empty()) fail("{}: token {} has no text: {}", path_, at, kRemedy);
    std::string& token = out_.tokens[at];
    if (!token.empty()) {
      fail("{}: tokens '{}' and '{}' both have the id {}: {}", path_, printable(token),
           printable(text), at, kRemedy);
    }
    token = text;
    out_.types[at] = TokenType::kNormal;
  }
}

void Reader::read_merges(const Json& model) {
  for (const Json& merge : array(model, "merges", "model.merges")) {
    if (merge.is_string()) {
      const auto& text = merge.get_ref<const std::string&>();
      // The head of a merges.txt, which old conversions left in.
      if (!text.starts_with("#version")) out_.merges.push_back(text);
      continue;
    }
    const bool pair =
        merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string();
    if (!pair) wrong("model.merges", merge, "\"left right\" or [\"left\", \"right\"]");
    const auto& left = merge[0].get_ref<const std::string&>();
    const auto& right = merge[1].get_ref<const std::string&>();
    // Spaces have a letter of their own; one here could not be told from the one between the two.
    if ((left + right).find(' ') != std::string::npos) {
      wrong("model.merges", merge, "tokens without spaces");
    }
    out_.merges.push_back(left + ' ' + right);
  }
}

void Reader::read_added_tokens() {
  if (optional(json_, "added_tokens") == nullptr) return;
  const Json& added = array(json_, "added_tokens", "added_tokens");
  named_ += added.size();
  for (const Json& token : added) {
    if (!token.is_object()) wrong("added_tokens", token, "objects");
    const int32_t at = id(required(token, "id", "added_tokens.id"), "added_tokens.id");
    const std::string& text = string(token, "content", "added_tokens.content");
    if (text.empty()) fail("{}: added token {} has no text: {}", path_, at, kRemedy);
    grow_to(at);
    const bool other = out_.types[at] != TokenType::kUnused && out_.tokens[at] != text;
    if (other) {
      fail("{}: added token '{}' has the id {}, which is that of '{}': {}", path_, printable(text),
           at, printable(out_.tokens[at]), kRemedy);
    }
    out_.tokens[at] = text;
    out_.types[at] = flag(token, "special", "added_tokens.special") ? TokenType::kControl
                                                                    : TokenType::kUserDefined;
    TokenMatch match;
    match.strip_left = flag(token, "lstrip", "added_tokens.lstrip");
    match.strip_right = flag(token, "rstrip", "added_tokens.rstrip");
    match.after_normalizing = flag(token, "normalized", "added_tokens.normalized");
    if (flag(token, "single_word", "added_tokens.single_word")) {
      fail("{}: added token '{}' has single_word on, which Braid does not have", path_,
           printable(text));
    }
    if (match != TokenMatch{}) out_.matches[at] = match;
  }
}

void Reader::read_normalizer(const Json* normalizer) {
  if (normalizer == nullptr) return;
  const std::string& type = string(*normalizer, "type", "normalizer.type");
  if (type == "Sequence") {
    for (const Json& step : array(*normalizer, "normalizers", "normalizer.normalizers")) {
      if (!step.is_object() || step.value("type", Json()) != "NFC") {
        wrong("normalizer.normalizers", step, "NFC");
      }
      out_.normalize_nfc = true;
    }
    return;
  }
  if (type != "NFC") {
    fail("{}: normalizer.type is '{}'; Braid knows NFC and none", path_, printable(type));
  }
  out_.normalize_nfc = true;
}

void Reader::check_byte_level(const Json& step) const {
  if (flag(step, "add_prefix_space", "pre_tokenizer.add_prefix_space")) {
    fail("{}: pre_tokenizer ByteLevel has add_prefix_space on, which Braid does not have", path_);
  }
  const Json* use_regex = optional(step, "use_regex");
  if (use_regex == nullptr || *use_regex != false) {
    fail("{}: pre_tokenizer ByteLevel cuts with the expression of GPT-2; Braid knows {}", path_,
         fmt::join(pretokenizer_names(), ", "));
  }
}

void Reader::read_split(const Json& split) {
  const Json& pattern = object(split, "pattern", "pre_tokenizer.pattern");
  const std::string& expression = string(pattern, "Regex", "pre_tokenizer.pattern.Regex");
  const std::string& behavior = string(split, "behavior", "pre_tokenizer.behavior");
  if (behavior != "Isolated" || flag(split, "invert", "pre_tokenizer.invert")) {
    fail("{}: pre_tokenizer Split has behavior '{}' and invert {}, expected Isolated and false",
         path_, printable(behavior), flag(split, "invert", "pre_tokenizer.invert"));
  }
  const auto name = pretokenizer_of(expression);
  if (!name) {
    fail("{}: pre_tokenizer Split has an expression that Braid does not know: '{}'; it knows {}",
         path_, printable(expression, 160), fmt::join(pretokenizer_names(), ", "));
  }
  out_.pretokenizer = *name;
}

void Reader::read_pretokenizer() {
  const Json& pre = object(json_, "pre_tokenizer", "pre_tokenizer");
  const std::string& type = string(pre, "type", "pre_tokenizer.type");
  if (type != "Sequence") {
    fail("{}: pre_tokenizer.type is '{}', expected a Sequence of Split and ByteLevel", path_,
         printable(type));
  }
  const Json& steps = array(pre, "pretokenizers", "pre_tokenizer.pretokenizers");
  const auto is = [&](size_t i, std::string_view name) {
    return steps[i].is_object() && steps[i].value("type", Json()) == name;
  };
  if (steps.size() != 2 || !is(0, "Split") || !is(1, "ByteLevel")) {
    wrong("pre_tokenizer.pretokenizers", steps, "Split and ByteLevel");
  }
  read_split(steps[0]);
  check_byte_level(steps[1]);
}

// The one id that a template's special token stands for.
int32_t Reader::template_token(const Json& post, const Json& piece) const {
  const Json& token = object(piece, "SpecialToken", "post_processor.single.SpecialToken");
  const std::string& name = string(token, "id", "post_processor.single.SpecialToken.id");
  const Json& tokens = object(post, "special_tokens", "post_processor.special_tokens");
  const Json& entry = object(tokens, name.c_str(), "post_processor.special_tokens");
  const Json& ids = array(entry, "ids", "post_processor.special_tokens.ids");
  if (ids.size() != 1) wrong("post_processor.special_tokens.ids", ids, "one id");
  return id(ids[0], "post_processor.special_tokens.ids");
}

void Reader::read_template(const Json& post) {
  const Json& pieces = array(post, "single", "post_processor.single");
  bool after = false;
  for (const Json& piece : pieces) {
    if (!piece.is_object()) wrong("post_processor.single", piece, "objects");
    if (piece.contains("Sequence")) {
      if (after) wrong("post_processor.single", pieces, "one Sequence");
      after = true;
      continue;
    }
    bool& added = after ? out_.add_eos : out_.add_bos;
    if (added) wrong("post_processor.single", pieces, "at most one token on each side");
    added = true;
    (after ? out_.eos : out_.bos) = template_token(post, piece);
  }
  if (!after) wrong("post_processor.single", pieces, "a Sequence");
}

void Reader::read_post_processor(const Json* post) {
  if (post == nullptr) return;
  if (!post->is_object()) wrong("post_processor", *post, "an object");
  const std::string& type = string(*post, "type", "post_processor.type");
  if (type == "ByteLevel") return;  // offsets only
  if (type == "TemplateProcessing") return read_template(*post);
  if (type != "Sequence") {
    fail("{}: post_processor.type is '{}'; Braid knows ByteLevel and TemplateProcessing", path_,
         printable(type));
  }
  for (const Json& step : array(*post, "processors", "post_processor.processors")) {
    if (!step.is_object()) wrong("post_processor.processors", step, "objects");
    if (step.value("type", Json()) == "ByteLevel") continue;
    if (step.value("type", Json()) != "TemplateProcessing") {
      wrong("post_processor.processors", step, "ByteLevel or TemplateProcessing");
    }
    read_template(step);
  }
}

}  // namespace

Vocabulary parse_tokenizer_json(const std::string& path, const Json& json) {
  return Reader(path, json).read();
}

Vocabulary read_tokenizer_json(const std::string& path) {
  return parse_tokenizer_json(path, read_json(path));
}

}  // namespace braid
