#include "text/model_text.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/check.h"
#include "base/mmap_file.h"
#include "format/json.h"
#include "format/json_config.h"
#include "format/metadata.h"
#include "format/printable.h"
#include "format/tensor_file.h"
#include "text/tokenizer_json.h"

namespace braid {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int32_t kMaxId = std::numeric_limits<int32_t>::max();

// The ends of a turn and of a document in every vocabulary of the family. Files name one of them
// as eos, and models may write the other.
constexpr std::string_view kEnds[] = {"<|im_end|>", "<|endoftext|>"};

// The largest published templates have some 20 kB.
constexpr size_t kMaxTemplateBytes = 4 << 20;

constexpr std::string_view kTemplateKey = "tokenizer.chat_template";

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

std::string read_template(const std::string& path) {
  const MmapFile file(path);
  if (file.bytes().size() > kMaxTemplateBytes) {
    fail("{}: {} bytes, at most {} are read as a chat template: the file is not what its name says",
         path, file.bytes().size(), kMaxTemplateBytes);
  }
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

std::optional<int32_t> find_token(const Vocabulary& vocabulary, std::string_view text) {
  const auto found = std::find(vocabulary.tokens.begin(), vocabulary.tokens.end(), text);
  if (found == vocabulary.tokens.end()) return std::nullopt;
  return static_cast<int32_t>(found - vocabulary.tokens.begin());
}

std::string token_text(const Vocabulary& vocabulary, std::optional<int32_t> id) {
  if (!id || *id < 0 || static_cast<size_t>(*id) >= vocabulary.tokens.size()) return {};
  return vocabulary.tokens[static_cast<size_t>(*id)];
}

void add_end(ModelText& text, std::optional<int32_t> id) {
  if (!id) return;
  auto& ids = text.end_ids;
  if (std::find(ids.begin(), ids.end(), *id) == ids.end()) ids.push_back(*id);
}

// What both containers do alike at the end.
void add_known_ends(ModelText& text) {
  const Vocabulary& vocabulary = text.vocabulary;
  for (const std::string_view end : kEnds) {
    const auto id = find_token(vocabulary, end);
    const auto at = static_cast<size_t>(id.value_or(0));
    if (id && at < vocabulary.types.size() && vocabulary.types[at] == TokenType::kControl) {
      add_end(text, id);
    }
  }
}

ModelText from_metadata(const Metadata& metadata, const std::string& path) {
  ModelText text;
  text.vocabulary = read_vocabulary(metadata, path);
  const Vocabulary& vocabulary = text.vocabulary;
  text.bos_token = token_text(vocabulary, vocabulary.bos);
  text.eos_token = token_text(vocabulary, vocabulary.eos);
  text.chat_template = metadata.string_or(kTemplateKey, "");
  for (const MetaEntry& entry : metadata.entries()) {
    std::string_view key = entry.key;
    if (!key.starts_with(kTemplateKey)) continue;
    key.remove_prefix(kTemplateKey.size());
    if (key.size() < 2 || key[0] != '.') continue;
    text.other_templates.push_back(
        {std::string(key.substr(1)), std::string(metadata.string(entry.key))});
  }
  add_end(text, vocabulary.eos);
  add_end(text, vocabulary.eot);
  add_known_ends(text);
  return text;
}

// The files of one folder; those other than tokenizer.json may be missing.
class FolderReader {
 public:
  explicit FolderReader(const std::string& folder) : folder_(folder) {}

  ModelText read(const JsonConfig* model_config);  // null: none

 private:
  std::string path_of(std::string_view name) const { return (folder_ / name).string(); }
  std::unique_ptr<JsonConfig> config(std::string_view name) const;
  std::string token_name(const char* key) const;
  std::optional<int32_t> token_id(const char* key, std::string_view name) const;
  void read_tokens();
  void read_templates();
  void read_template_list(const Json& list);
  void read_ends(const JsonConfig& from);

  fs::path folder_;
  std::unique_ptr<JsonConfig> tokenizer_config_;  // null: none
  ModelText text_;
};

std::unique_ptr<JsonConfig> FolderReader::config(std::string_view name) const {
  const std::string path = path_of(name);
  return is_file(path) ? std::make_unique<JsonConfig>(path) : nullptr;
}

// A token of tokenizer_config.json by its role: a string, or an object with its `content`.
std::string FolderReader::token_name(const char* key) const {
  if (!tokenizer_config_ || !tokenizer_config_->has(key)) return {};
  const Json& value = tokenizer_config_->json().at(key);
  return value.is_object() ? tokenizer_config_->string(fmt::format("{}.content", key))
                           : tokenizer_config_->string(key);
}

std::optional<int32_t> FolderReader::token_id(const char* key, std::string_view name) const {
  if (name.empty()) return std::nullopt;
  const auto id = find_token(text_.vocabulary, name);
  if (!id) {
    fail("{}: {} is '{}', which is no token of tokenizer.json: download both files again",
         tokenizer_config_->path(), key, printable(name));
  }
  return id;
}

void FolderReader::read_tokens() {
  Vocabulary& vocabulary = text_.vocabulary;
  text_.bos_token = token_name("bos_token");
  text_.eos_token = token_name("eos_token");
  const auto bos = token_id("bos_token", text_.bos_token);
  const auto eos = token_id("eos_token", text_.eos_token);
  // What the post-processor adds goes with the ids that it names.
  if (!vocabulary.add_bos) vocabulary.bos = bos;
  if (!vocabulary.add_eos) vocabulary.eos = eos;
  vocabulary.padding = token_id("pad_token", token_name("pad_token"));
  if (!tokenizer_config_) return;
  if (bos && tokenizer_config_->boolean_or("add_bos_token", false)) vocabulary.add_bos = true;
  if (eos && tokenizer_config_->boolean_or("add_eos_token", false)) vocabulary.add_eos = true;
}

void FolderReader::read_template_list(const Json& list) {
  const std::string& path = tokenizer_config_->path();
  for (const Json& entry : list) {
    const bool is_pair = entry.is_object() && entry.contains("name") &&
                         entry.contains("template") && entry["name"].is_string() &&
                         entry["template"].is_string();
    if (!is_pair) {
      fail(
          "{}: chat_template lists {}, expected objects of name and template: download the file "
          "again",
          path, json_text(entry));
    }
    const auto& name = entry["name"].get_ref<const std::string&>();
    const auto& source = entry["template"].get_ref<const std::string&>();
    if (name == "default") {
      text_.chat_template = source;
    } else {
      text_.other_templates.push_back({name, source});
    }
  }
}

void FolderReader::read_templates() {
  if (tokenizer_config_ && tokenizer_config_->has("chat_template")) {
    const Json& value = tokenizer_config_->json().at("chat_template");
    if (value.is_array()) {
      read_template_list(value);
    } else {
      text_.chat_template = tokenizer_config_->string("chat_template");
    }
  }
  // The newer place wins, as it does in transformers.
  const std::string path = path_of("chat_template.jinja");
  if (is_file(path)) text_.chat_template = read_template(path);
}

// eos_token_id: one id, or a list of those that end an answer.
void FolderReader::read_ends(const JsonConfig& from) {
  if (!from.has("eos_token_id")) return;
  const bool is_list = from.json().at("eos_token_id").is_array();
  std::vector<int64_t> ids;
  if (is_list) ids = from.integers("eos_token_id");
  if (!is_list) ids.push_back(from.integer("eos_token_id", 0, kMaxId));
  for (const int64_t id : ids) {
    if (id < 0 || static_cast<size_t>(id) >= text_.vocabulary.tokens.size()) {
      fail("{}: eos_token_id is {}, but tokenizer.json has {} tokens: download both files again",
           from.path(), id, text_.vocabulary.tokens.size());
    }
    add_end(text_, static_cast<int32_t>(id));
  }
}

ModelText FolderReader::read(const JsonConfig* model_config) {
  const std::string path = path_of("tokenizer.json");
  if (!is_file(path)) {
    fail("{}: is missing, and the model's text needs it: download it into the same folder", path);
  }
  text_.vocabulary = read_tokenizer_json(path);
  tokenizer_config_ = config("tokenizer_config.json");
  read_tokens();
  read_templates();
  add_end(text_, text_.vocabulary.eos);
  if (const auto generation = config("generation_config.json")) {
    read_ends(*generation);
  } else if (model_config != nullptr) {
    read_ends(*model_config);
  }
  if (!text_.vocabulary.eos && !text_.end_ids.empty()) {
    text_.vocabulary.eos = text_.end_ids.front();
  }
  if (text_.eos_token.empty()) {
    text_.eos_token = token_text(text_.vocabulary, text_.vocabulary.eos);
  }
  add_known_ends(text_);
  return std::move(text_);
}

}  // namespace

const std::string& ModelText::template_named(std::string_view name) const {
  if (name.empty() || name == "default") return chat_template;
  std::string known = chat_template.empty() ? "" : "default";
  for (const NamedTemplate& other : other_templates) {
    if (other.name == name) return other.source;
    known += (known.empty() ? "" : ", ") + printable(other.name);
  }
  fail("{}: no chat template is named '{}'; the model has {}", vocabulary.source, printable(name),
       known.empty() ? "none" : known);
}

ModelText read_model_text(const TensorFile& file) {
  if (const Metadata* metadata = file.metadata()) return from_metadata(*metadata, file.path());
  if (file.folder().empty()) fail("{}: weights alone, without a tokenizer", file.path());
  return FolderReader(file.folder()).read(file.config());
}

}  // namespace braid
