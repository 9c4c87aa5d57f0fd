// Characters of a UTF-8 text as Python's str sees them: counting, classes, case, white space.
//
// All texts here are valid UTF-8; positions are in bytes unless the name says characters. What
// Python takes from its own Unicode tables (14.0 in CPython 3.11) comes from utf8proc's.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace braid::jinja {

size_t count_characters(std::string_view text);
char32_t character_at(std::string_view text, size_t pos);
size_t next_character(std::string_view text, size_t pos);
// Where the character with this number begins; the length of the text when it is shorter.
size_t byte_offset(std::string_view text, size_t characters);
std::u32string to_characters(std::string_view text);
void append_utf8(std::string& out, char32_t c);

bool is_space(char32_t c);       // str.isspace and \s
bool is_line_break(char32_t c);  // str.splitlines
bool is_lower(char32_t c);
bool is_upper(char32_t c);
bool is_title(char32_t c);
bool is_alpha(char32_t c);
bool is_decimal(char32_t c);
bool is_digit(char32_t c);
bool is_numeric(char32_t c);    // by category: the CJK ideographs that are numbers are not in it
bool is_word(char32_t c);       // \w
bool is_printable(char32_t c);  // what repr leaves as it is

std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
std::string capitalize(std::string_view text);
std::string title_words(std::string_view text);  // str.title
std::string swap_case(std::string_view text);

// Without the characters of `set` (white space when null) at the chosen ends.
std::string_view strip(std::string_view text, bool left, bool right,
                       const std::string* set = nullptr);

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends = false);

}  // namespace braid::jinja
