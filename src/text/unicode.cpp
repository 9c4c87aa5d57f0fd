#include "text/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/check.h"

namespace braid {
namespace {

struct Range {
  int32_t first, last;
};

// Characters that NFC here passes by: nothing is ordered around them and they join with nothing.
//
// Models know the ids that Hugging Face's `tokenizers` made, whose NFC has the tables of Unicode 9.
// Those are the characters with a combining class or a composition that came later, up to utf8proc
// 2.8's Unicode 15 (Unicode Character Database). The one exception is U+11A7, the place before the
// first trailing consonant of Hangul, which utf8proc takes for one and lets vanish.
constexpr Range kPassedBy[] = {
    {0x07FD, 0x07FD},   {0x0898, 0x089F},   {0x08CA, 0x08D3},   {0x09FE, 0x09FE},
    {0x0C3C, 0x0C3C},   {0x0D3B, 0x0D3C},   {0x0EBA, 0x0EBA},   {0x0ECE, 0x0ECE},
    {0x11A7, 0x11A7},   {0x1715, 0x1715},   {0x1ABF, 0x1ACE},   {0x1DF6, 0x1DFA},
    {0xA82C, 0xA82C},   {0x10D24, 0x10D27}, {0x10EAB, 0x10EAC}, {0x10EFD, 0x10EFF},
    {0x10F46, 0x10F50}, {0x10F82, 0x10F85}, {0x11070, 0x11070}, {0x1133B, 0x1133B},
    {0x1145E, 0x1145E}, {0x11839, 0x1183A}, {0x11930, 0x11930}, {0x11935, 0x11935},
    {0x11938, 0x11938}, {0x1193D, 0x1193E}, {0x11943, 0x11943}, {0x119E0, 0x119E0},
    {0x11A34, 0x11A34}, {0x11A47, 0x11A47}, {0x11A99, 0x11A99}, {0x11D42, 0x11D42},
    {0x11D44, 0x11D45}, {0x11D97, 0x11D97}, {0x11F41, 0x11F42}, {0x16FF0, 0x16FF1},
    {0x1E08F, 0x1E08F}, {0x1E130, 0x1E136}, {0x1E2AE, 0x1E2AE}, {0x1E2EC, 0x1E2EF},
    {0x1E4EC, 0x1E4EF},
};

bool is_passed_by(int32_t code) {
  const auto* found =
      std::lower_bound(std::begin(kPassedBy), std::end(kPassedBy), code,
                       [](const Range& range, int32_t c) { return range.last < c; });
  return found != std::end(kPassedBy) && found->first <= code;
}

bool is_continuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

// First position from `pos` on that does not begin eight ASCII bytes.
size_t skip_ascii(std::string_view text, size_t pos) {
  for (; pos + 8 <= text.size(); pos += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + pos, sizeof word);
    if (word & 0x8080808080808080u) break;
  }
  return pos;
}

// One character of `length` bytes that utf8_length has found valid.
int32_t decode(std::string_view text, size_t pos, size_t length) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[pos + i]); };
  if (length == 1) return byte(0);
  int32_t code = byte(0) & (0xFF >> (length + 1));
  for (size_t i = 1; i < length; ++i) code = code << 6 | (byte(i) & 0x3F);
  return code;
}

void append_utf8(std::string& out, int32_t code) {
  utf8proc_uint8_t bytes[4];
  const utf8proc_ssize_t length = utf8proc_encode_char(code, bytes);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(length));
}

void append_decomposed(std::vector<int32_t>& out, int32_t code) {
  constexpr auto kOptions = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
  int32_t parts[16];  // Unicode's longest canonical decomposition has 4
  int boundary = 0;
  const utf8proc_ssize_t count =
      utf8proc_decompose_char(code, parts, std::size(parts), kOptions, &boundary);
  CHECK(count >= 0 && count <= std::ssize(parts));
  out.insert(out.end(), parts, parts + count);
}

// Canonical order of every run of combining marks. utf8proc has this too, in time quadratic in the
// run; a text of nothing but marks must not hang.
void order_marks(std::vector<int32_t>& codes) {
  const auto mark_class = [](int32_t code) { return utf8proc_get_property(code)->combining_class; };
  for (size_t begin = 0; begin < codes.size(); ++begin) {
    if (mark_class(codes[begin]) == 0) continue;
    size_t end = begin + 1;
    while (end < codes.size() && mark_class(codes[end]) != 0) ++end;
    std::stable_sort(codes.begin() + begin, codes.begin() + end,
                     [&](int32_t a, int32_t b) { return mark_class(a) < mark_class(b); });
    begin = end;
  }
}

void append_nfc(std::string& out, std::vector<int32_t>& codes) {
  constexpr auto kOptions = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  order_marks(codes);
  const utf8proc_ssize_t count =
      utf8proc_normalize_utf32(codes.data(), static_cast<utf8proc_ssize_t>(codes.size()), kOptions);
  CHECK(count >= 0);
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) append_utf8(out, codes[i]);
  codes.clear();
}

}  // namespace

size_t utf8_length(std::string_view text, size_t pos) {
  const auto lead = static_cast<unsigned char>(text[pos]);
  if (lead < 0x80) return 1;
  const size_t length = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  if (length == 0 || pos + length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i) {
    if (!is_continuation(static_cast<unsigned char>(text[pos + i]))) return 0;
  }
  const auto second = static_cast<unsigned char>(text[pos + 1]);
  if (lead == 0xE0 && second < 0xA0) return 0;   // overlong
  if (lead == 0xED && second >= 0xA0) return 0;  // surrogate
  if (lead == 0xF0 && second < 0x90) return 0;   // overlong
  if (lead == 0xF4 && second >= 0x90) return 0;  // above U+10FFFF
  return length;
}

size_t space_length(std::string_view text, size_t pos) {
  const size_t length = utf8_length(text, pos);
  if (length == 0 || length == 4) return 0;
  const int32_t code = decode(text, pos, length);
  const bool space = (code >= 0x9 && code <= 0xD) || code == 0x20 || code == 0x85 || code == 0xA0 ||
                     code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
                     code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
  return space ? length : 0;
}

size_t find_broken_utf8(std::string_view text, size_t from) {
  size_t pos = from;
  while ((pos = skip_ascii(text, pos)) < text.size()) {
    const size_t length = utf8_length(text, pos);
    if (length == 0) return pos;
    pos += length;
  }
  return text.npos;
}

bool may_change_in_nfc(std::string_view text) {
  // U+0300 is CC 80; no byte of a lower character reaches CC.
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) >= 0xCC; });
}

std::string to_nfc(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  std::vector<int32_t> codes;
  for (size_t pos = 0; pos < text.size();) {
    const size_t length = utf8_length(text, pos);
    if (length == 0) {
      append_nfc(out, codes);
      out.push_back(text[pos++]);
      continue;
    }
    const int32_t code = decode(text, pos, length);
    if (is_passed_by(code)) {
      append_nfc(out, codes);
      append_utf8(out, code);
    } else {
      append_decomposed(codes, code);
    }
    pos += length;
  }
  append_nfc(out, codes);
  return out;
}

}  // namespace braid
