#include "text/pretokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "base/check.h"
#include "format/printable.h"
#include "text/unicode.h"

namespace braid {
namespace {

// The expressions as the models' tokenizer files have them.
constexpr std::string_view kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen35 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N})"
    R"(| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr std::array<std::string_view, 2> kNames = {"qwen2", "qwen35"};
constexpr std::array<std::string_view, 2> kPatterns = {kQwen2, kQwen35};

// Stands for a broken byte while the expression looks at it: one byte long, and in all classes of
// the patterns where U+FFFD is.
constexpr char kBroken = '#';

// PCRE2's \s holds U+180E, which is no white space since Unicode 6.3 and none for the tokenizers.
std::string with_unicode_spaces(std::string_view pattern) {
  std::string out;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '\\' || i + 1 == pattern.size()) {
      out += pattern[i];
      continue;
    }
    const char escaped = pattern[++i];
    if (escaped == 's') {
      out += R"(\p{White_Space})";
    } else if (escaped == 'S') {
      out += R"(\P{White_Space})";
    } else {
      out += '\\';
      out += escaped;
    }
  }
  return out;
}

std::string pcre_message(int code) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

// `text` with kBroken in place of each byte that is part of no UTF-8 character.
std::string with_broken_bytes_masked(std::string_view text, size_t first_broken) {
  std::string out(text);
  for (size_t pos = first_broken; pos != text.npos; pos = find_broken_utf8(text, pos + 1)) {
    out[pos] = kBroken;
  }
  return out;
}

struct FreeMatch {
  void operator()(pcre2_match_data* match) const { pcre2_match_data_free(match); }
};
struct FreeCode {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};

}  // namespace

struct Pretokenizer::Pattern {
  std::unique_ptr<pcre2_code, FreeCode> code;

  explicit Pattern(std::string_view expression) {
    const std::string text = with_unicode_spaces(expression);
    int error = 0;
    PCRE2_SIZE offset = 0;
    code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                             PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr));
    if (!code) fail("pre-tokenizer {}: at byte {}: {}", text, offset, pcre_message(error));
    // Where the system forbids code made at run time this fails and matching interprets.
    pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);
  }
};

Pretokenizer::Pretokenizer(std::unique_ptr<const Pattern> pattern) : pattern_(std::move(pattern)) {}
Pretokenizer::Pretokenizer(Pretokenizer&&) noexcept = default;
Pretokenizer& Pretokenizer::operator=(Pretokenizer&&) noexcept = default;
Pretokenizer::~Pretokenizer() = default;

Pretokenizer Pretokenizer::named(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) {
    std::string known;
    for (const std::string_view one : kNames) known.append(known.empty() ? "" : ", ").append(one);
    fail("unknown pre-tokenizer '{}'; Braid knows {}", printable(name), known);
  }
  return Pretokenizer(std::make_unique<const Pattern>(kPatterns[found - kNames.begin()]));
}

void Pretokenizer::split(std::string_view text, std::vector<std::string_view>& pieces) const {
  std::string masked;
  const size_t broken = find_broken_utf8(text);
  if (broken != text.npos) masked = with_broken_bytes_masked(text, broken);
  const std::string_view subject = broken == text.npos ? text : masked;
  std::unique_ptr<pcre2_match_data, FreeMatch> match(pcre2_match_data_create(1, nullptr));
  CHECK(match);
  const PCRE2_SIZE* range = pcre2_get_ovector_pointer(match.get());
  size_t done = 0;
  for (size_t from = 0; from < subject.size();) {
    const int found = pcre2_match(pattern_->code.get(),
                                  reinterpret_cast<PCRE2_SPTR>(subject.data()), subject.size(),
                                  from, PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, match.get(), nullptr);
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found < 0) fail("pre-tokenizer: at byte {} of the text: {}", from, pcre_message(found));
    // What the expression does not match is a piece of its own.
    if (range[0] > done) pieces.push_back(text.substr(done, range[0] - done));
    pieces.push_back(text.substr(range[0], range[1] - range[0]));
    from = done = range[1];
  }
  if (done < text.size()) pieces.push_back(text.substr(done));
}

std::span<const std::string_view> pretokenizer_names() { return kNames; }

std::optional<std::string_view> pretokenizer_of(std::string_view expression) {
  const auto found = std::find(kPatterns.begin(), kPatterns.end(), expression);
  if (found == kPatterns.end()) return std::nullopt;
  return kNames[found - kPatterns.begin()];
}

}  // namespace braid
