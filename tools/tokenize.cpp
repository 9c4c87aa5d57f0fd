// braid tokenize: a text's tokens, or the text of tokens. Options and form of the output are
// llama-tokenize's where it has them; whole lists of texts go in and out as JSON lines or between
// zero bytes.
#include "tools/cli.h"

#include "base/check.h"
#include "format/json.h"
#include "format/open.h"
#include "format/printable.h"
#include "text/model_text.h"
#include "text/stream_decoder.h"
#include "text/tokenizer.h"
#include "text/tokenizer_json.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <limits>
#include <memory>
#include <sstream>

namespace braid {
namespace {

using Ids = std::vector<int32_t>;
using Json = nlohmann::ordered_json;

struct TokenizeOptions {
  std::string model, prompt, file;
  bool has_prompt = false, from_stdin = false;
  bool add_special = true, parse_special = true, skip_special = false;
  bool decode = false;
  bool ids = false, json = false, count = false, time = false;
  bool json_lines = false, null = false;

  bool batch() const { return json_lines || null; }
};

// A tokenizer.json alone does too: this command needs no weights.
Tokenizer open_tokenizer(const std::string& path) {
  std::error_code ignored;
  if (path.ends_with("tokenizer.json") && !std::filesystem::is_directory(path, ignored))
    return Tokenizer(read_tokenizer_json(path));
  return Tokenizer(read_model_text(*open_model_file(path)).vocabulary);
}

// Where the text, or the list of texts, comes from.
class Input {
 public:
  explicit Input(const TokenizeOptions& o) : prompt_(o.prompt) {
    if (o.has_prompt) {
      in_ = &prompt_;
    } else if (o.file.empty() || o.file == "-") {
      in_ = &std::cin;
    } else {
      std::error_code ignored;
      if (std::filesystem::is_directory(o.file, ignored))
        fail("{}: is a folder, not a text", o.file);
      file_.open(o.file, std::ios::binary);
      if (!file_) fail("{}: cannot be opened", o.file);
      in_ = &file_;
    }
  }

  std::string all() { return {std::istreambuf_iterator<char>(*in_), {}}; }
  bool next(std::string& item, char end) { return bool(std::getline(*in_, item, end)); }

 private:
  std::istringstream prompt_;
  std::ifstream file_;
  std::istream* in_;
};

std::string ids_text(const Ids& ids) { return fmt::format("[{}]", fmt::join(ids, ", ")); }

// "[1, 2, 3]", "1 2 3", or one a line.
Ids ids_from(std::string_view text) {
  Ids ids;
  constexpr std::string_view kBetween = " \t\r\n,[]";
  for (size_t pos = 0; (pos = text.find_first_not_of(kBetween, pos)) != text.npos;) {
    const size_t end = std::min(text.find_first_of(kBetween, pos), text.size());
    const std::string_view word = text.substr(pos, end - pos);
    int32_t id = 0;
    const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc() || stop != word.data() + word.size())
      fail("'{}' is no token id; expected numbers like 1 2 3 or [1, 2, 3]", printable(word));
    ids.push_back(id);
    pos = end;
  }
  return ids;
}

// Text that JSON can hold: what is no UTF-8 becomes U+FFFD, as in an answer that is streamed.
std::string decode_streamed(const Tokenizer& tokenizer, const Ids& ids, bool skip_special) {
  StreamDecoder decoder;
  std::string text;
  for (const int32_t id : ids)
    if (!(skip_special && tokenizer.is_control(id))) decoder.feed(tokenizer.bytes(id), text);
  decoder.finish(text);
  return text;
}

std::string_view type_name(TokenType type) {
  switch (type) {
    case TokenType::kNormal:
      return "normal";
    case TokenType::kUnknown:
      return "unknown";
    case TokenType::kControl:
      return "control";
    case TokenType::kUserDefined:
      return "user-defined";
    case TokenType::kUnused:
      return "unused";
    case TokenType::kByte:
      return "byte";
  }
  return "?";
}

Json tokens_json(const Tokenizer& tokenizer, const Ids& ids) {
  Json tokens = Json::array();
  for (const int32_t id : ids) {
    const std::string_view bytes = tokenizer.bytes(id);
    Json token = {{"id", id}, {"text", decode_streamed(tokenizer, {id}, false)}};
    if (!is_utf8(bytes)) {
      token["bytes"] = Json::array();
      for (const char byte : bytes) token["bytes"].push_back(static_cast<unsigned char>(byte));
    }
    token["type"] = type_name(tokenizer.type(id));
    tokens.push_back(std::move(token));
  }
  return {{"tokens", std::move(tokens)}, {"count", ids.size()}};
}

class TokenizeCommand {
 public:
  explicit TokenizeCommand(const TokenizeOptions& o) : o_(o), tokenizer_(open_tokenizer(o.model)) {}

  int run() {
    Input input(o_);
    if (o_.batch()) {
      run_batch(input);
    } else if (o_.decode) {
      print_text(ids_from(input.all()));
    } else {
      print_ids(encode(input.all()));
    }
    return kDone;
  }

 private:
  Ids encode(std::string_view text) const {
    const auto start = std::chrono::steady_clock::now();
    Ids ids =
        tokenizer_.encode(text, {.add_special = o_.add_special, .parse_special = o_.parse_special});
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    if (o_.time)
      fmt::print(stderr, "{} bytes, {} tokens, {:.6f} s, {:.2f} MB/s\n", text.size(), ids.size(),
                 seconds.count(), static_cast<double>(text.size()) / 1e6 / seconds.count());
    return ids;
  }

  void print_ids(const Ids& ids) const {
    if (o_.json) {
      fmt::print("{}\n", tokens_json(tokenizer_, ids).dump(2));
      return;
    }
    if (o_.ids) fmt::print("{}\n", ids_text(ids));
    if (!o_.ids && !(o_.count && o_.time))
      for (const int32_t id : ids)
        fmt::print("{:6} -> '{}'\n", id, printable(tokenizer_.bytes(id), kNoLimit));
    if (o_.count) fmt::print("Total number of tokens: {}\n", ids.size());
  }

  void print_text(const Ids& ids) const {
    if (o_.json) {
      const Json text = decode_streamed(tokenizer_, ids, o_.skip_special);
      fmt::print("{}\n", Json{{"text", text}}.dump());
    } else {
      write(raw_text(ids));
    }
  }

  std::string raw_text(const Ids& ids) const {
    return tokenizer_.decode(ids, o_.skip_special ? ControlTokens::kSkip : ControlTokens::kKeep);
  }

  void run_batch(Input& input) const {
    const bool null_in = o_.null && !o_.decode;
    std::string item;
    for (size_t line = 1; input.next(item, null_in ? '\0' : '\n'); ++line) {
      if (o_.decode) {
        decode_item(item, line);
      } else {
        write(ids_text(encode(null_in ? item : text_of_line(item, line))) + '\n');
      }
    }
  }

  static std::string text_of_line(const std::string& item, size_t line) {
    const auto json = parse_json(fmt::format("line {}", line), item);
    if (!json.is_string()) fail("line {}: {}, expected a JSON string", line, json_text(json));
    return json.get<std::string>();
  }

  void decode_item(const std::string& item, size_t line) const {
    Ids ids;
    try {
      ids = ids_from(item);
      if (o_.null) {
        write(raw_text(ids) + '\0');
      } else {
        write(Json(decode_streamed(tokenizer_, ids, o_.skip_special)).dump() + '\n');
      }
    } catch (const Error& error) {
      fail("line {}: {}", line, error.what());
    }
  }

  static void write(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

  static constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();

  const TokenizeOptions& o_;
  Tokenizer tokenizer_;
};

constexpr const char* kFooter =
    R"(The text is taken byte by byte, its last newline included; it need not be valid UTF-8. Without -p
and -f it comes from standard input.

Examples:
  braid tokenize -m model.gguf -p "Hello, world"           # 9707 -> 'Hello', one token a line
  braid tokenize -m folder/ -f text.txt --ids              # [9707, 11, 1879]
  braid tokenize -m model.gguf -p "<|im_end|>" --no-parse-special
  braid tokenize -m model.gguf --decode -p "9707 11 1879"  # ids in, text out
  braid tokenize -m tokenizer.json --jsonl < texts.jsonl   # a JSON string a line, ids out
  braid tokenize -m model.gguf --null < texts              # the same for any bytes but zero)";

void add_input_options(CLI::App& command, TokenizeOptions& o) {
  command
      .add_option("-m,--model", o.model,
                  "A GGUF file, a Hugging Face folder, or a tokenizer.json alone")
      ->required()
      ->type_name("FILE");
  auto* prompt = command.add_option("-p,--prompt", o.prompt, "The text")->type_name("TEXT");
  auto* file = command.add_option("-f,--file", o.file, "A file with the text; - is standard input");
  file->type_name("FILE")->excludes(prompt);
  command.add_flag("--stdin", o.from_stdin, "The text comes from standard input")
      ->excludes(prompt)
      ->excludes(file);
  command.add_flag("--parse-special,!--no-parse-special", o.parse_special,
                   "Control tokens written in the text become their ids (default), or stay text");
  command.add_flag("--add-special,!--no-bos", o.add_special,
                   "Add first and last token where the model asks for them (default), or never");
}

void add_output_options(CLI::App& command, TokenizeOptions& o) {
  command.add_flag("--decode", o.decode, "The other way: ids in, text out");
  command.add_flag("--skip-special", o.skip_special, "With --decode: leave control tokens out");
  auto* ids = command.add_flag("--ids", o.ids, "Only the ids: [1, 2, 3]");
  auto* json = command.add_flag("--json", o.json, "For scripts: one JSON object")->excludes(ids);
  command.add_flag("--show-count", o.count, "Also print how many tokens there are");
  command.add_flag("--show-time", o.time, "Print bytes, tokens and seconds of each text on stderr");
  auto* lines = command.add_flag("--jsonl", o.json_lines,
                                 "Many texts: a JSON string on each line, a list of ids for each");
  lines->excludes(json);
  command.add_flag("--null", o.null, "Many texts: with a zero byte after each")
      ->excludes(lines)
      ->excludes(json);
}

}  // namespace

Command tokenize_command(CLI::App& app) {
  const auto o = std::make_shared<TokenizeOptions>();
  CLI::App& command =
      *app.add_subcommand("tokenize", "Show a text's tokens, or the text of tokens");
  command.footer(kFooter);
  add_input_options(command, *o);
  add_output_options(command, *o);
  return {&command, [o, &command] {
            o->has_prompt = command.count("--prompt") > 0;
            return TokenizeCommand(*o).run();
          }};
}

}  // namespace braid
