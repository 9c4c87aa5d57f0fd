#include "text/banned_texts.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "base/check.h"
#include "text/unicode.h"

namespace braid {
namespace {

// For all expressions in one find() together: a few hundred microseconds.
constexpr uint32_t kMostSteps = 20'000;
constexpr uint32_t kMostDepth = 2000, kMostHeapKib = 512, kMostNesting = 50;

std::string pcre_message(int code) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

struct Free {
  void operator()(pcre2_match_data* p) const { pcre2_match_data_free(p); }
  void operator()(pcre2_code* p) const { pcre2_code_free(p); }
  void operator()(pcre2_match_context* p) const { pcre2_match_context_free(p); }
  void operator()(pcre2_compile_context* p) const { pcre2_compile_context_free(p); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

uint32_t told(const pcre2_code* code, uint32_t what) {
  uint32_t value = 0;
  CHECK(pcre2_pattern_info(code, what, &value) == 0);
  return value;
}

// Where the end of the text first becomes the beginning of `wanted`.
size_t open_at(std::string_view text, size_t from, std::string_view wanted) {
  const size_t most = std::min(text.size() - from, wanted.size() - 1);
  size_t at = text.find(wanted[0], text.size() - most);
  while (at != text.npos && text.substr(at) != wanted.substr(0, text.size() - at))
    at = text.find(wanted[0], at + 1);
  return at;
}

}  // namespace

struct BannedTexts::Expression {
  Owned<pcre2_code> code;

  // The shares of all expressions are one budget.
  Found find(std::string_view text, size_t from, bool ended, uint32_t steps) const {
    const Owned<pcre2_match_context> limits(pcre2_match_context_create(nullptr));
    const Owned<pcre2_match_data> match(pcre2_match_data_create(1, nullptr));
    CHECK(limits && match);
    pcre2_set_match_limit(limits.get(), steps);
    pcre2_set_depth_limit(limits.get(), kMostDepth);
    pcre2_set_heap_limit(limits.get(), kMostHeapKib);
    const uint32_t options = PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY | (ended ? 0 : PCRE2_PARTIAL_HARD);
    const int rc = pcre2_match(code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                               from, options, match.get(), limits.get());
    if (rc == PCRE2_ERROR_NOMATCH) return {};
    if (rc < 0 && rc != PCRE2_ERROR_PARTIAL)
      fail("a banned expression cannot be looked for in this text: {}; make it simpler",
           pcre_message(rc));
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(match.get());
    const size_t begin = std::max(from, std::min<size_t>(range[0], range[1]));
    return rc == PCRE2_ERROR_PARTIAL ? Found{npos, begin} : Found{begin, npos};
  }
};

BannedTexts::BannedTexts() = default;
BannedTexts::BannedTexts(BannedTexts&&) noexcept = default;
BannedTexts& BannedTexts::operator=(BannedTexts&&) noexcept = default;
BannedTexts::~BannedTexts() = default;

size_t BannedTexts::size() const { return strings_.size() + expressions_.size(); }

void BannedTexts::add_string(std::string text) {
  if (text.empty()) fail("an empty text would ban everything");
  if (find_broken_utf8(text) != std::string::npos) fail("a banned text is not UTF-8");
  if (strings_.size() == kMostStrings) fail("there are more than {} banned texts", kMostStrings);
  bytes_ += text.size();
  if (bytes_ > kMostStringBytes)
    fail("the banned texts have {} bytes; at most {} are taken", bytes_, kMostStringBytes);
  strings_.push_back(std::move(text));
}

void BannedTexts::add_expression(std::string_view pattern, bool any_case) {
  if (expressions_.size() == kMostExpressions)
    fail("there are more than {} expressions", kMostExpressions);
  if (pattern.size() > kLongestExpression)
    fail("an expression has {} bytes; at most {} are taken", pattern.size(), kLongestExpression);
  if (find_broken_utf8(pattern) != std::string::npos) fail("an expression is not UTF-8");
  const Owned<pcre2_compile_context> limits(pcre2_compile_context_create(nullptr));
  CHECK(limits);
  pcre2_set_parens_nest_limit(limits.get(), kMostNesting);
  int error = 0;
  PCRE2_SIZE offset = 0;
  Expression expression;
  expression.code.reset(pcre2_compile(
      reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
      PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | (any_case ? PCRE2_CASELESS : 0u), &error,
      &offset, limits.get()));
  if (!expression.code) fail("\"{}\", at byte {}: {}", pattern, offset, pcre_message(error));
  if (told(expression.code.get(), PCRE2_INFO_MATCHEMPTY) != 0)
    fail("\"{}\" matches a text without any characters, which is everywhere", pattern);
  if (told(expression.code.get(), PCRE2_INFO_MAXLOOKBEHIND) > kLookBehind)
    fail("\"{}\" looks back further than {} characters", pattern, kLookBehind);
  expressions_.push_back(std::move(expression));
}

BannedTexts::Found BannedTexts::find(std::string_view text, size_t from, bool ended,
                                     size_t known) const {
  Found found;
  for (const std::string& wanted : strings_) {
    const size_t first = std::max(from, known - std::min(known, wanted.size() - 1));
    found.begin = std::min(found.begin, text.find(wanted, first));
    if (!ended) found.open = std::min(found.open, open_at(text, from, wanted));
  }
  for (const Expression& expression : expressions_) {
    const auto steps = kMostSteps / static_cast<uint32_t>(expressions_.size());
    const Found here = expression.find(text, from, ended, steps);
    found.begin = std::min(found.begin, here.begin);
    found.open = std::min(found.open, here.open);
  }
  return found;
}

}  // namespace braid
