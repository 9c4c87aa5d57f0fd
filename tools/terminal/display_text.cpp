#include "tools/terminal/display_text.h"

#include <utf8proc.h>

#include <algorithm>

namespace braid {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr bool is_flag_letter(utf8proc_int32_t c) { return c >= 0x1F1E6 && c <= 0x1F1FF; }
constexpr utf8proc_int32_t kEmojiStyle = 0xFE0F;  // asks for the wide picture of a character

struct Decoded {
  utf8proc_int32_t character = -1;  // -1: a byte that is part of none
  size_t bytes = 1;
};
Decoded decode(std::string_view text, size_t at) {
  Decoded out;
  const auto bytes =
      utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + at,
                       static_cast<utf8proc_ssize_t>(text.size() - at), &out.character);
  if (bytes <= 0) return {};
  out.bytes = static_cast<size_t>(bytes);
  return out;
}

bool is_ascii_control(utf8proc_int32_t c) { return (c >= 0 && c < 0x20) || c == 0x7F; }

bool is_control(utf8proc_int32_t c) { return is_ascii_control(c) || (c >= 0x80 && c < 0xA0); }

int columns_of_character(utf8proc_int32_t c) {
  if (c == '\n') return 0;
  if (is_ascii_control(c)) return 2;
  if (c < 0 || is_control(c)) return 1;
  return utf8proc_charwidth(c);
}

}  // namespace

Cluster cluster_at(std::string_view text, size_t at) {
  const Decoded first = decode(text, at);
  Cluster cluster{first.bytes, columns_of_character(first.character)};
  if (first.character < 0 || is_control(first.character)) return cluster;
  utf8proc_int32_t state = 0, last = first.character;
  for (size_t next = at + first.bytes; next < text.size();) {
    const Decoded more = decode(text, next);
    if (more.character < 0 || is_control(more.character)) break;
    if (utf8proc_grapheme_break_stateful(last, more.character, &state)) break;
    cluster.bytes += more.bytes;
    const bool picture = more.character == kEmojiStyle || is_flag_letter(more.character);
    const int columns = picture ? 2 : columns_of_character(more.character);
    cluster.columns = std::max(cluster.columns, columns);
    last = more.character;
    next += more.bytes;
  }
  return cluster;
}

size_t next_boundary(std::string_view text, size_t at) {
  return at >= text.size() ? text.size() : at + cluster_at(text, at).bytes;
}

size_t previous_boundary(std::string_view text, size_t at) {
  if (at == 0) return 0;
  // A line end is a boundary, so counting may begin behind the last one.
  size_t begin = 0;
  if (at >= 2) {
    const size_t line_end = text.rfind('\n', at - 2);
    if (line_end != std::string_view::npos) begin = line_end + 1;
  }
  for (size_t next = begin; next < at; next = next_boundary(text, next)) begin = next;
  return begin;
}

int columns_of(std::string_view text) {
  int columns = 0;
  for (size_t at = 0; at < text.size();) {
    const Cluster cluster = cluster_at(text, at);
    columns += cluster.columns;
    at += cluster.bytes;
  }
  return columns;
}

bool is_word_character(std::string_view text, size_t at) {
  const Decoded c = decode(text, at);
  if (c.character < 0) return false;
  if (c.character == '_') return true;
  const utf8proc_category_t category = utf8proc_category(c.character);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO;
}

std::string visible(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const Decoded c = decode(text, at);
    if (c.character == '\n' || c.character == '\t') {
      out += text[at];
    } else if (is_ascii_control(c.character)) {
      out += '^';
      out += static_cast<char>(text[at] ^ 0x40);
    } else if (c.character < 0 || is_control(c.character)) {
      out += kReplacement;
    } else {
      out += text.substr(at, c.bytes);
    }
    at += c.bytes;
  }
  return out;
}

}  // namespace braid
