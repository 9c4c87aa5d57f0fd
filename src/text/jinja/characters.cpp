// Character classes and case by utf8proc, with what it does not hold: the case mappings that make
// more than one character, and Unicode's Other_Lowercase, Other_Uppercase and digit types.
#include "text/jinja/characters.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "text/unicode.h"

namespace braid::jinja {
namespace {

struct SpecialCase {
  char32_t from;
  const char32_t* upper;
  const char32_t* title;
};

// SpecialCasing.txt of Unicode, the entries without a condition.
constexpr SpecialCase kSpecialCases[] = {{0x00DF, U"SS", U"Ss"},
                                         {0x0149, U"\u02BCN", U"\u02BCN"},
                                         {0x01F0, U"J\u030C", U"J\u030C"},
                                         {0x0390, U"\u0399\u0308\u0301", U"\u0399\u0308\u0301"},
                                         {0x03B0, U"\u03A5\u0308\u0301", U"\u03A5\u0308\u0301"},
                                         {0x0587, U"\u0535\u0552", U"\u0535\u0582"},
                                         {0x1E96, U"H\u0331", U"H\u0331"},
                                         {0x1E97, U"T\u0308", U"T\u0308"},
                                         {0x1E98, U"W\u030A", U"W\u030A"},
                                         {0x1E99, U"Y\u030A", U"Y\u030A"},
                                         {0x1E9A, U"A\u02BE", U"A\u02BE"},
                                         {0x1F50, U"\u03A5\u0313", U"\u03A5\u0313"},
                                         {0x1F52, U"\u03A5\u0313\u0300", U"\u03A5\u0313\u0300"},
                                         {0x1F54, U"\u03A5\u0313\u0301", U"\u03A5\u0313\u0301"},
                                         {0x1F56, U"\u03A5\u0313\u0342", U"\u03A5\u0313\u0342"},
                                         {0x1F80, U"\u1F08\u0399", U"\u1F88"},
                                         {0x1F81, U"\u1F09\u0399", U"\u1F89"},
                                         {0x1F82, U"\u1F0A\u0399", U"\u1F8A"},
                                         {0x1F83, U"\u1F0B\u0399", U"\u1F8B"},
                                         {0x1F84, U"\u1F0C\u0399", U"\u1F8C"},
                                         {0x1F85, U"\u1F0D\u0399", U"\u1F8D"},
                                         {0x1F86, U"\u1F0E\u0399", U"\u1F8E"},
                                         {0x1F87, U"\u1F0F\u0399", U"\u1F8F"},
                                         {0x1F88, U"\u1F08\u0399", U"\u1F88"},
                                         {0x1F89, U"\u1F09\u0399", U"\u1F89"},
                                         {0x1F8A, U"\u1F0A\u0399", U"\u1F8A"},
                                         {0x1F8B, U"\u1F0B\u0399", U"\u1F8B"},
                                         {0x1F8C, U"\u1F0C\u0399", U"\u1F8C"},
                                         {0x1F8D, U"\u1F0D\u0399", U"\u1F8D"},
                                         {0x1F8E, U"\u1F0E\u0399", U"\u1F8E"},
                                         {0x1F8F, U"\u1F0F\u0399", U"\u1F8F"},
                                         {0x1F90, U"\u1F28\u0399", U"\u1F98"},
                                         {0x1F91, U"\u1F29\u0399", U"\u1F99"},
                                         {0x1F92, U"\u1F2A\u0399", U"\u1F9A"},
                                         {0x1F93, U"\u1F2B\u0399", U"\u1F9B"},
                                         {0x1F94, U"\u1F2C\u0399", U"\u1F9C"},
                                         {0x1F95, U"\u1F2D\u0399", U"\u1F9D"},
                                         {0x1F96, U"\u1F2E\u0399", U"\u1F9E"},
                                         {0x1F97, U"\u1F2F\u0399", U"\u1F9F"},
                                         {0x1F98, U"\u1F28\u0399", U"\u1F98"},
                                         {0x1F99, U"\u1F29\u0399", U"\u1F99"},
                                         {0x1F9A, U"\u1F2A\u0399", U"\u1F9A"},
                                         {0x1F9B, U"\u1F2B\u0399", U"\u1F9B"},
                                         {0x1F9C, U"\u1F2C\u0399", U"\u1F9C"},
                                         {0x1F9D, U"\u1F2D\u0399", U"\u1F9D"},
                                         {0x1F9E, U"\u1F2E\u0399", U"\u1F9E"},
                                         {0x1F9F, U"\u1F2F\u0399", U"\u1F9F"},
                                         {0x1FA0, U"\u1F68\u0399", U"\u1FA8"},
                                         {0x1FA1, U"\u1F69\u0399", U"\u1FA9"},
                                         {0x1FA2, U"\u1F6A\u0399", U"\u1FAA"},
                                         {0x1FA3, U"\u1F6B\u0399", U"\u1FAB"},
                                         {0x1FA4, U"\u1F6C\u0399", U"\u1FAC"},
                                         {0x1FA5, U"\u1F6D\u0399", U"\u1FAD"},
                                         {0x1FA6, U"\u1F6E\u0399", U"\u1FAE"},
                                         {0x1FA7, U"\u1F6F\u0399", U"\u1FAF"},
                                         {0x1FA8, U"\u1F68\u0399", U"\u1FA8"},
                                         {0x1FA9, U"\u1F69\u0399", U"\u1FA9"},
                                         {0x1FAA, U"\u1F6A\u0399", U"\u1FAA"},
                                         {0x1FAB, U"\u1F6B\u0399", U"\u1FAB"},
                                         {0x1FAC, U"\u1F6C\u0399", U"\u1FAC"},
                                         {0x1FAD, U"\u1F6D\u0399", U"\u1FAD"},
                                         {0x1FAE, U"\u1F6E\u0399", U"\u1FAE"},
                                         {0x1FAF, U"\u1F6F\u0399", U"\u1FAF"},
                                         {0x1FB2, U"\u1FBA\u0399", U"\u1FBA\u0345"},
                                         {0x1FB3, U"\u0391\u0399", U"\u1FBC"},
                                         {0x1FB4, U"\u0386\u0399", U"\u0386\u0345"},
                                         {0x1FB6, U"\u0391\u0342", U"\u0391\u0342"},
                                         {0x1FB7, U"\u0391\u0342\u0399", U"\u0391\u0342\u0345"},
                                         {0x1FBC, U"\u0391\u0399", U"\u1FBC"},
                                         {0x1FC2, U"\u1FCA\u0399", U"\u1FCA\u0345"},
                                         {0x1FC3, U"\u0397\u0399", U"\u1FCC"},
                                         {0x1FC4, U"\u0389\u0399", U"\u0389\u0345"},
                                         {0x1FC6, U"\u0397\u0342", U"\u0397\u0342"},
                                         {0x1FC7, U"\u0397\u0342\u0399", U"\u0397\u0342\u0345"},
                                         {0x1FCC, U"\u0397\u0399", U"\u1FCC"},
                                         {0x1FD2, U"\u0399\u0308\u0300", U"\u0399\u0308\u0300"},
                                         {0x1FD3, U"\u0399\u0308\u0301", U"\u0399\u0308\u0301"},
                                         {0x1FD6, U"\u0399\u0342", U"\u0399\u0342"},
                                         {0x1FD7, U"\u0399\u0308\u0342", U"\u0399\u0308\u0342"},
                                         {0x1FE2, U"\u03A5\u0308\u0300", U"\u03A5\u0308\u0300"},
                                         {0x1FE3, U"\u03A5\u0308\u0301", U"\u03A5\u0308\u0301"},
                                         {0x1FE4, U"\u03A1\u0313", U"\u03A1\u0313"},
                                         {0x1FE6, U"\u03A5\u0342", U"\u03A5\u0342"},
                                         {0x1FE7, U"\u03A5\u0308\u0342", U"\u03A5\u0308\u0342"},
                                         {0x1FF2, U"\u1FFA\u0399", U"\u1FFA\u0345"},
                                         {0x1FF3, U"\u03A9\u0399", U"\u1FFC"},
                                         {0x1FF4, U"\u038F\u0399", U"\u038F\u0345"},
                                         {0x1FF6, U"\u03A9\u0342", U"\u03A9\u0342"},
                                         {0x1FF7, U"\u03A9\u0342\u0399", U"\u03A9\u0342\u0345"},
                                         {0x1FFC, U"\u03A9\u0399", U"\u1FFC"},
                                         {0xFB00, U"FF", U"Ff"},
                                         {0xFB01, U"FI", U"Fi"},
                                         {0xFB02, U"FL", U"Fl"},
                                         {0xFB03, U"FFI", U"Ffi"},
                                         {0xFB04, U"FFL", U"Ffl"},
                                         {0xFB05, U"ST", U"St"},
                                         {0xFB06, U"ST", U"St"},
                                         {0xFB13, U"\u0544\u0546", U"\u0544\u0576"},
                                         {0xFB14, U"\u0544\u0535", U"\u0544\u0565"},
                                         {0xFB15, U"\u0544\u053B", U"\u0544\u056B"},
                                         {0xFB16, U"\u054E\u0546", U"\u054E\u0576"},
                                         {0xFB17, U"\u0544\u053D", U"\u0544\u056D"}};

struct Range {
  char32_t first, last;
};

constexpr Range kOtherLower[] = {
    {0x00AA, 0x00AA},   {0x00BA, 0x00BA},   {0x02B0, 0x02B8},   {0x02C0, 0x02C1},  {0x02E0, 0x02E4},
    {0x0345, 0x0345},   {0x037A, 0x037A},   {0x1D2C, 0x1D6A},   {0x1D78, 0x1D78},  {0x1D9B, 0x1DBF},
    {0x2071, 0x2071},   {0x207F, 0x207F},   {0x2090, 0x209C},   {0x2170, 0x217F},  {0x24D0, 0x24E9},
    {0x2C7C, 0x2C7D},   {0xA69C, 0xA69D},   {0xA770, 0xA770},   {0xA7F8, 0xA7F9},  {0xAB5C, 0xAB5F},
    {0x10780, 0x10780}, {0x10783, 0x10785}, {0x10787, 0x107B0}, {0x107B2, 0x107BA}};
constexpr Range kOtherUpper[] = {
    {0x2160, 0x216F}, {0x24B6, 0x24CF}, {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189}};
constexpr Range kOtherDigits[] = {
    {0x00B2, 0x00B3},   {0x00B9, 0x00B9},   {0x1369, 0x1371},   {0x19DA, 0x19DA},
    {0x2070, 0x2070},   {0x2074, 0x2079},   {0x2080, 0x2089},   {0x2460, 0x2468},
    {0x2474, 0x247C},   {0x2488, 0x2490},   {0x24EA, 0x24EA},   {0x24F5, 0x24FD},
    {0x24FF, 0x24FF},   {0x2776, 0x277E},   {0x2780, 0x2788},   {0x278A, 0x2792},
    {0x10A40, 0x10A43}, {0x10E60, 0x10E68}, {0x11052, 0x1105A}, {0x1F100, 0x1F10A}};

template <size_t n>
bool in(const Range (&ranges)[n], char32_t c) {
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [c](Range r) { return c >= r.first && c <= r.last; });
}

const SpecialCase* special_case(char32_t c) {
  const auto* found = std::lower_bound(std::begin(kSpecialCases), std::end(kSpecialCases), c,
                                       [](const SpecialCase& s, char32_t v) { return s.from < v; });
  return found != std::end(kSpecialCases) && found->from == c ? found : nullptr;
}

utf8proc_category_t category(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

void append_upper(std::string& out, char32_t c) {
  if (const SpecialCase* special = special_case(c)) {
    for (const char32_t* p = special->upper; *p != 0; ++p) append_utf8(out, *p);
  } else {
    append_utf8(out, static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c))));
  }
}

void append_title(std::string& out, char32_t c) {
  if (const SpecialCase* special = special_case(c)) {
    for (const char32_t* p = special->title; *p != 0; ++p) append_utf8(out, *p);
  } else {
    append_utf8(out, static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(c))));
  }
}

bool is_cased(char32_t c) {
  return is_lower(c) || is_upper(c) || category(c) == UTF8PROC_CATEGORY_LT;
}

bool is_case_ignorable(char32_t c) {
  switch (category(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
      return true;
    default:
      break;
  }
  constexpr std::array<char32_t, 14> kMidWord = {0x27,   0x2E,   0x3A,   0xB7,   0x387,
                                                 0x55F,  0x5F4,  0x2018, 0x2019, 0x2024,
                                                 0x2027, 0xFE13, 0xFE52, 0xFE55};
  return std::find(kMidWord.begin(), kMidWord.end(), c) != kMidWord.end() || c == 0xFF07 ||
         c == 0xFF0E || c == 0xFF1A;
}

// A capital sigma becomes the final form when a letter stands before it and none after it.
bool is_final_sigma(const std::u32string& text, size_t at) {
  size_t before = at;
  while (before > 0 && is_case_ignorable(text[before - 1])) --before;
  if (before == 0 || !is_cased(text[before - 1])) return false;
  size_t after = at + 1;
  while (after < text.size() && is_case_ignorable(text[after])) ++after;
  return after == text.size() || !is_cased(text[after]);
}

void append_lower(std::string& out, const std::u32string& text, size_t at) {
  const char32_t c = text[at];
  if (c == 0x3A3) {
    append_utf8(out, is_final_sigma(text, at) ? 0x3C2 : 0x3C3);
  } else if (c == 0x130) {
    out += "i\u0307";
  } else {
    append_utf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
  }
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<signed char>(c) >= 0; });
}

}  // namespace

size_t count_characters(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

char32_t character_at(std::string_view text, size_t pos) {
  const size_t length = utf8_length(text, pos);
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[pos + i]); };
  if (length <= 1) return byte(0);
  char32_t c = byte(0) & (0xFFu >> (length + 1));
  for (size_t i = 1; i < length; ++i) c = c << 6 | (byte(i) & 0x3Fu);
  return c;
}

size_t next_character(std::string_view text, size_t pos) {
  return pos + std::max<size_t>(utf8_length(text, pos), 1);
}

size_t byte_offset(std::string_view text, size_t characters) {
  size_t pos = 0;
  for (; characters > 0 && pos < text.size(); --characters) pos = next_character(text, pos);
  return pos;
}

std::u32string to_characters(std::string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (size_t pos = 0; pos < text.size(); pos = next_character(text, pos)) {
    out += character_at(text, pos);
  }
  return out;
}

void append_utf8(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
    return;
  }
  const int rest = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  out += static_cast<char>((0xFF00u >> (rest + 1) & 0xFFu) | c >> 6 * rest);
  for (int i = rest - 1; i >= 0; --i) out += static_cast<char>(0x80u | (c >> 6 * i & 0x3Fu));
}

bool is_space(char32_t c) {
  return (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

bool is_line_break(char32_t c) {
  return (c >= 10 && c <= 13) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

bool is_lower(char32_t c) { return category(c) == UTF8PROC_CATEGORY_LL || in(kOtherLower, c); }
bool is_upper(char32_t c) { return category(c) == UTF8PROC_CATEGORY_LU || in(kOtherUpper, c); }

bool is_title(char32_t c) { return category(c) == UTF8PROC_CATEGORY_LT; }

bool is_alpha(char32_t c) {
  const auto kind = category(c);
  return kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO;
}

bool is_decimal(char32_t c) { return category(c) == UTF8PROC_CATEGORY_ND; }
bool is_digit(char32_t c) { return is_decimal(c) || in(kOtherDigits, c); }

bool is_numeric(char32_t c) {
  const auto kind = category(c);
  return kind >= UTF8PROC_CATEGORY_ND && kind <= UTF8PROC_CATEGORY_NO;
}

bool is_word(char32_t c) { return c == U'_' || is_alpha(c) || is_numeric(c); }

bool is_printable(char32_t c) {
  switch (category(c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return false;
    case UTF8PROC_CATEGORY_ZS:
      return c == U' ';
    default:
      return true;
  }
}

std::string to_upper(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t pos = 0; pos < text.size(); pos = next_character(text, pos)) {
    append_upper(out, character_at(text, pos));
  }
  return out;
}

std::string to_lower(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  if (is_ascii(text)) {
    for (const char c : text) out += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return out;
  }
  const std::u32string characters = to_characters(text);
  for (size_t i = 0; i < characters.size(); ++i) append_lower(out, characters, i);
  return out;
}

std::string capitalize(std::string_view text) {
  const std::u32string characters = to_characters(text);
  std::string out;
  for (size_t i = 0; i < characters.size(); ++i) {
    if (i == 0) {
      append_title(out, characters[i]);
    } else {
      append_lower(out, characters, i);
    }
  }
  return out;
}

std::string title_words(std::string_view text) {
  const std::u32string characters = to_characters(text);
  std::string out;
  bool in_word = false;
  for (size_t i = 0; i < characters.size(); ++i) {
    if (in_word) {
      append_lower(out, characters, i);
    } else {
      append_title(out, characters[i]);
    }
    in_word = is_cased(characters[i]);
  }
  return out;
}

std::string swap_case(std::string_view text) {
  const std::u32string characters = to_characters(text);
  std::string out;
  for (size_t i = 0; i < characters.size(); ++i) {
    if (is_upper(characters[i])) {
      append_lower(out, characters, i);
    } else if (is_lower(characters[i])) {
      append_upper(out, characters[i]);
    } else {
      append_utf8(out, characters[i]);
    }
  }
  return out;
}

std::string_view strip(std::string_view text, bool left, bool right, const std::string* set) {
  std::u32string characters = set != nullptr ? to_characters(*set) : std::u32string();
  std::sort(characters.begin(), characters.end());
  const auto drop = [&](char32_t c) {
    return set != nullptr ? std::binary_search(characters.begin(), characters.end(), c)
                          : is_space(c);
  };
  size_t begin = 0;
  while (left && begin < text.size() && drop(character_at(text, begin))) {
    begin = next_character(text, begin);
  }
  size_t end = text.size();
  while (right && end > begin) {
    size_t last = end - 1;
    while (last > begin && (text[last] & 0xC0) == 0x80) --last;
    if (!drop(character_at(text, last))) break;
    end = last;
  }
  return text.substr(begin, end - begin);
}

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> lines;
  size_t begin = 0;
  for (size_t pos = 0; pos < text.size();) {
    const char32_t c = character_at(text, pos);
    const size_t end = pos;
    pos = next_character(text, pos);
    if (!is_line_break(c)) continue;
    if (c == U'\r' && pos < text.size() && text[pos] == '\n') ++pos;
    lines.push_back(text.substr(begin, (keep_ends ? pos : end) - begin));
    begin = pos;
  }
  if (begin < text.size()) lines.push_back(text.substr(begin));
  return lines;
}

}  // namespace braid::jinja
