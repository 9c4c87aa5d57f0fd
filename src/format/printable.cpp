#include "format/printable.h"

#include <fmt/format.h>

#include <cstdint>

namespace braid {
namespace {

struct CodePoint {
  uint32_t value = 0;
  size_t length = 0;  // bytes; 0 when the text does not begin with valid UTF-8
};

// Decodes the first code point of a text that is not empty.
CodePoint first_code_point(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return {};
  uint32_t value = lead & (0x7fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0u) != 0x80u) return {};
    value = (value << 6) | (byte(i) & 0x3fu);
  }
  const bool overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (overlong || surrogate || value > 0x10ffff) return {};
  return {value, length};
}

bool is_control(uint32_t value) { return value < 0x20 || (value >= 0x7f && value < 0xa0); }

// Line separators, marks that reorder text, and the byte order mark.
bool disturbs_a_line(uint32_t value) {
  return (value >= 0x2028 && value <= 0x202e) || (value >= 0x2066 && value <= 0x2069) ||
         value == 0x200e || value == 0x200f || value == 0xfeff;
}

}  // namespace

std::string printable(std::string_view text, size_t max) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const CodePoint point = first_code_point(text.substr(i));
    const size_t length = point.length == 0 ? 1 : point.length;
    const bool escape =
        point.length == 0 || is_control(point.value) || disturbs_a_line(point.value);
    std::string piece;
    for (size_t k = i; escape && k < i + length; ++k) {
      piece += fmt::format("\\x{:02x}", static_cast<uint8_t>(text[k]));
    }
    if (!escape) piece = text.substr(i, length);
    if (out.size() + piece.size() > max) return out + fmt::format("... ({} bytes)", text.size());
    out += piece;
    i += length;
  }
  return out;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = first_code_point(text).length;
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

bool is_plain_name(std::string_view text) {
  if (text.empty()) return false;
  while (!text.empty()) {
    const CodePoint point = first_code_point(text);
    if (point.length == 0 || is_control(point.value)) return false;
    text.remove_prefix(point.length);
  }
  return true;
}

}  // namespace braid
