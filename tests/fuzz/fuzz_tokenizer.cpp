// Takes bytes for a text, after one that chooses options, and encodes it with a small vocabulary:
// any bytes must come back from their ids, whole and token by token.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "format/printable.h"
#include "text/stream_decoder.h"
#include "text/tokenizer.h"
#include "text/unicode.h"

namespace {

// A short byte-level vocabulary with merges in several scripts and special tokens of every kind.
braid::Vocabulary vocabulary(const char* pretokenizer, bool nfc) {
  braid::Vocabulary v;
  v.source = "fuzz";
  v.pretokenizer = pretokenizer;
  v.normalize_nfc = nfc;
  const auto& letters = braid::byte_letters();
  v.tokens.assign(letters.begin(), letters.end());
  const auto merge = [&](std::string_view left, std::string_view right) {
    std::string a, b;
    for (const char c : left) a += letters[static_cast<unsigned char>(c)];
    for (const char c : right) b += letters[static_cast<unsigned char>(c)];
    v.merges.push_back(a + ' ' + b);
    v.tokens.push_back(a + b);
  };
  for (const auto& [left, right] :
       std::initializer_list<std::pair<std::string_view, std::string_view>>{{"h", "e"},
                                                                            {"t", "he"},
                                                                            {" ", "the"},
                                                                            {"a", "a"},
                                                                            {"aa", "aa"},
                                                                            {" ", " "},
                                                                            {"  ", "  "},
                                                                            {"\n", "\n"},
                                                                            {"\xC3", "\xA9"},
                                                                            {"\xE4", "\xB8"},
                                                                            {"\xE4\xB8", "\xAD"},
                                                                            {"\xF0", "\x9F"},
                                                                            {"\xCC", "\x81"},
                                                                            {"'", "s"},
                                                                            {"\x80", "\x80"},
                                                                            {"a", "b"},
                                                                            {"ab", "ab"},
                                                                            {"b", "a"}}) {
    merge(left, right);
  }
  v.types.assign(v.tokens.size(), braid::TokenType::kNormal);
  const auto add = [&](std::string text, braid::TokenType type, braid::TokenMatch match = {}) {
    if (match != braid::TokenMatch{}) v.matches[static_cast<int32_t>(v.tokens.size())] = match;
    v.tokens.push_back(std::move(text));
    v.types.push_back(type);
  };
  add("<|im_end|>", braid::TokenType::kControl);
  add("<|im_", braid::TokenType::kControl);
  add("<t>", braid::TokenType::kUserDefined);
  add("<t>\n", braid::TokenType::kUserDefined);
  if (nfc) {
    add("<\u00e9>", braid::TokenType::kUserDefined, {.after_normalizing = true});
    add("<l>", braid::TokenType::kControl, {.strip_left = true});
    add("<r>", braid::TokenType::kControl, {.strip_right = true});
  }
  v.bos = v.eos = static_cast<int32_t>(v.tokens.size() - 1);
  v.add_bos = v.add_eos = nfc;
  return v;
}

std::string streamed(const braid::Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  braid::StreamDecoder decoder;
  std::string out;
  for (const int32_t id : ids) {
    decoder.feed(tokenizer.bytes(id), out);
    CHECK(braid::is_utf8(out));
  }
  decoder.finish(out);
  return out;
}

std::string at_once(std::string_view bytes) {
  braid::StreamDecoder decoder;
  std::string out;
  decoder.feed(bytes, out);
  decoder.finish(out);
  return out;
}

void use(const braid::Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  const auto last = *std::max_element(ids.begin(), ids.end());
  CHECK(last < tokenizer.n_tokens());
#ifdef BRAID_FUZZ_PLANT
  const std::vector<int32_t> copy(ids.begin(), ids.end());
  if (copy.size() > 3 && copy[copy.size() / 2] == 256) CHECK(copy.data()[copy.size()] != 1 << 30);
#endif
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const braid::Tokenizer kTokenizers[] = {
      braid::Tokenizer(vocabulary("qwen2", false)), braid::Tokenizer(vocabulary("qwen35", false)),
      braid::Tokenizer(vocabulary("qwen2", true)), braid::Tokenizer(vocabulary("qwen35", true))};
  if (size < 2) return 0;
  const bool nfc = (data[0] & 2) != 0;
  const braid::Tokenizer& tokenizer = kTokenizers[data[0] & 3];
  const std::string text(data + 1, data + size);
  const std::vector<int32_t> ids = tokenizer.encode(
      text, {.add_special = (data[0] & 4) != 0, .parse_special = (data[0] & 8) != 0});
  if (!ids.empty()) use(tokenizer, ids);
  const std::string back = tokenizer.decode(ids);
  if (!nfc) CHECK(back == text);
  CHECK(streamed(tokenizer, ids) == at_once(back));
  const std::string normal = braid::to_nfc(text);
  CHECK(braid::to_nfc(normal) == normal);
  CHECK((braid::find_broken_utf8(normal) == normal.npos) == braid::is_utf8(text));
  return 0;
}
