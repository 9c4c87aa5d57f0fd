// Reads every bad tokenizer file and compares its error with the table in
// tests/data/bad_text_files.md, as format/bad_files_test.cpp does for models.
//
// When an error text changes on purpose: run this test, look at the difference, and copy the table
// that it wrote (the failure says where) over the old one.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "format/open.h"
#include "format/printable.h"
#include "text/model_text.h"
#include "text/test_tokenizer_json.h"
#include "text/tokenizer.h"

namespace braid {
namespace {

using namespace test;
using nlohmann::json;

struct BadTextFile {
  std::string what;  // is wrong, for the table
  std::function<void(const TemporaryFolder&)> make;
};

BadTextFile bytes(std::string what, std::string content) {
  return {std::move(what), [content](const TemporaryFolder& f) { write_model_folder(f, content); }};
}

// The small tokenizer.json with the value at a JSON pointer replaced.
BadTextFile value(std::string what, const char* pointer, const json& value) {
  json file = small_tokenizer_json();
  file[json::json_pointer(pointer)] = value;
  return bytes(std::move(what), file.dump());
}

BadTextFile without(std::string what, const char* object, const char* key) {
  json file = small_tokenizer_json();
  file[json::json_pointer(object)].erase(key);
  return bytes(std::move(what), file.dump());
}

BadTextFile beside(std::string what, std::string name, std::string content) {
  return {std::move(what), [name, content](const TemporaryFolder& folder) {
            write_model_folder(folder, small_tokenizer_json().dump());
            folder.write(name, content);
          }};
}

std::vector<BadTextFile> bad_models() {
  return {
      bytes("no tokenizer.json", ""),
      bytes("a file cut short", small_tokenizer_json().dump().substr(0, 1000)),
      bytes("a list", "[1, 2]"),
      bytes("a token twice", R"({"model": {"vocab": {"a": 0, "a": 1}}})"),
      bytes("100,000 levels", std::string(100'000, '[')),
      bytes("a Git LFS pointer", "version https://git-lfs.github.com/spec/v1\n"),
      without("no model", "", "model"),
      value("a model in words", "/model", "BPE"),
      value("another kind of model", "/model/type", "Unigram"),
      value("byte fallback", "/model/byte_fallback", true),
      value("merges ignored", "/model/ignore_merges", true),
      value("a word in place of a flag", "/model/ignore_merges", "no"),
      value("a suffix", "/model/end_of_word_suffix", "</w>"),
      value("dropout", "/model/dropout", 0.1),
      without("no vocab", "/model", "vocab"),
      value("an empty vocab", "/model/vocab", json::object()),
      value("a vocab that is a list", "/model/vocab", json::array({"a", "b"})),
      value("a negative id", "/model/vocab/a", -1),
      value("a fractional id", "/model/vocab/a", 1.5),
      value("an id of 2^31", "/model/vocab/a", 1LL << 31),
      value("an id far above the others", "/model/vocab/a", 2'000'000'000),
      value("one id for two tokens", "/model/vocab/a", 98),
      value("a token without text", "/model/vocab/", 300),
      value("a byte without a token", "/model/vocab", {{"a", 0}, {"b", 1}}),
      without("no merges", "/model", "merges"),
      value("a merge that is a number", "/model/merges/0", 7),
      value("a merge of three", "/model/merges/0", {"h", "e", "l"}),
      value("a merge with a space in a token", "/model/merges/0", {"h ", "e"}),
      value("a merge of one", "/model/merges/0", "he"),
      value("a merge of tokens that are not there", "/model/merges/0", "hh e"),
      value("a merge into a token that is not there", "/model/merges/0", "e h"),
  };
}

std::vector<BadTextFile> bad_parts() {
  const char* steps = "/pre_tokenizer/pretokenizers";
  return {
      value("added tokens that are no list", "/added_tokens", 3),
      value("an added token in words", "/added_tokens/0", "<|im_end|>"),
      value("an added token without an id", "/added_tokens/0/id", nullptr),
      value("an added token without a text", "/added_tokens/0/content", ""),
      value("an added token at another's id", "/added_tokens/0/id", 97),
      value("an added token twice", "/added_tokens/1/content", "<|im_end|>"),
      value("an added token that must be a word", "/added_tokens/0/single_word", true),
      value("an added token of 10,000 characters", "/added_tokens/0/content",
            std::string(10'000, 'x')),
      value("another normaliser", "/normalizer", {{"type", "NFKC"}}),
      value("a normaliser in words", "/normalizer", "NFC"),
      value("a sequence of normalisers", "/normalizer",
            {{"type", "Sequence"}, {"normalizers", {{{"type", "NFC"}}, {{"type", "Lowercase"}}}}}),
      without("no pre-tokenizer", "", "pre_tokenizer"),
      value("another pre-tokenizer", "/pre_tokenizer", {{"type", "Metaspace"}}),
      value("ByteLevel alone", steps, {small_tokenizer_json()["post_processor"]}),
      value("another expression", "/pre_tokenizer/pretokenizers/0/pattern/Regex",
            R"(\p{N}{1,3}|\s+)"),
      value("a string to cut at", "/pre_tokenizer/pretokenizers/0/pattern", {{"String", " "}}),
      value("pieces that are removed", "/pre_tokenizer/pretokenizers/0/behavior", "Removed"),
      value("an inverted expression", "/pre_tokenizer/pretokenizers/0/invert", true),
      value("a prefix space", "/pre_tokenizer/pretokenizers/1/add_prefix_space", true),
      value("the expression of GPT-2 besides", "/pre_tokenizer/pretokenizers/1/use_regex", true),
      value("another post-processor", "/post_processor", {{"type", "BertProcessing"}}),
      value("a template without the text", "/post_processor",
            {{"type", "TemplateProcessing"}, {"single", json::array()}}),
      value("a template with a token that it does not name", "/post_processor",
            {{"type", "TemplateProcessing"},
             {"single", {{{"SpecialToken", {{"id", "<s>"}}}}}},
             {"special_tokens", json::object()}}),
      beside("a tokenizer_config.json that is a list", "tokenizer_config.json", "[]"),
      beside("an eos token that is none", "tokenizer_config.json", R"({"eos_token": "</s>"})"),
      beside("an eos token that is a number", "tokenizer_config.json", R"({"eos_token": 7})"),
      beside("a chat template that is a number", "tokenizer_config.json",
             R"({"chat_template": 7})"),
      beside("a chat template without a name", "tokenizer_config.json",
             R"({"chat_template": [{"template": "x"}]})"),
      beside("a chat template of 5 MB", "chat_template.jinja", std::string(5'000'000, 'x')),
      beside("an end that is no token", "generation_config.json",
             R"({"eos_token_id": [258, 260]})"),
      beside("an end in words", "generation_config.json", R"({"eos_token_id": "</s>"})"),
  };
}

// The error with the folder's path taken away.
std::string error_of_file(const BadTextFile& file) {
  const TemporaryFolder folder;
  file.make(folder);
  std::string error =
      error_of([&] { Tokenizer(read_model_text(*open_model_file(folder.path())).vocabulary); });
  const std::string path = folder.path() + "/";
  for (size_t at = 0; (at = error.find(path)) != std::string::npos;) error.erase(at, path.size());
  return error;
}

std::string section(std::string_view title, const std::vector<BadTextFile>& files) {
  std::string out = fmt::format("\n## {}\n\n| what is wrong | the error |\n|---|---|\n", title);
  for (const BadTextFile& file : files) {
    std::string error = error_of_file(file);
    for (size_t at = 0; (at = error.find('|', at)) != std::string::npos; at += 2) {
      error.insert(at, "\\");
    }
    out += fmt::format("| {} | `` {} `` |\n", file.what, error);
  }
  return out;
}

TEST(BadTextFiles, GetTheErrorsOfTheTable) {
  const std::string actual =
      "# Bad tokenizer files and the errors they get\n\n"
      "Written by `src/text/bad_text_files_test.cpp`, which makes the files and says how to bring "
      "this table up to date.\n" +
      section("The model in tokenizer.json", bad_models()) +
      section("Its other parts, and the files beside it", bad_parts());
  std::ifstream committed(BRAID_TEST_DATA "/bad_text_files.md");
  std::stringstream expected;
  expected << committed.rdbuf();
  if (actual == expected.str()) return;
  const std::string path = testing::TempDir() + "bad_text_files.md";
  std::ofstream(path) << actual;
  std::istringstream old_lines(expected.str()), new_lines(actual);
  std::string old_line, new_line;
  while (old_line == new_line && std::getline(new_lines, new_line)) {
    if (!std::getline(old_lines, old_line)) old_line = "(end)";
  }
  FAIL() << "the first difference:\n  was " << old_line << "\n  is  " << new_line
         << "\nIf that is meant: cp " << path << " " << BRAID_TEST_DATA "/bad_text_files.md";
}

TEST(BadTextFiles, EveryErrorIsOneShortLineOfUtf8) {
  for (const auto& files : {bad_models(), bad_parts()}) {
    for (const BadTextFile& file : files) {
      const std::string error = error_of_file(file);
      EXPECT_NE(error, "no error") << file.what;
      EXPECT_TRUE(is_plain_name(error)) << file.what;
      EXPECT_LT(error.size(), 500u) << file.what;
    }
  }
}

}  // namespace
}  // namespace braid
