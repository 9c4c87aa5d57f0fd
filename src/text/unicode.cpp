#include "text/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/check.h"

namespace braid {
namespace {

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
    append_decomposed(codes, decode(text, pos, length));
    pos += length;
  }
  append_nfc(out, codes);
  return out;
}

}  // namespace braid
