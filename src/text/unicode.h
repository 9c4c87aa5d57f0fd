// UTF-8 as far as a tokenizer needs it: what is valid, and normal form C.
//
// Text comes from users and files and may hold broken UTF-8. Nothing here fails on it: validity is
// a question with an answer, and normalisation leaves the broken bytes as they are. Character
// classes belong to the pre-tokeniser's regex library, not here.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace braid {

// Bytes of the UTF-8 character that begins at text[pos] (1 to 4), or 0 when none does: a stray
// continuation byte, a character cut short, an overlong form, a surrogate, a value above U+10FFFF.
size_t utf8_length(std::string_view text, size_t pos);

// Bytes of the white space character (Unicode's White_Space) that begins at text[pos], 0 when there
// is none.
size_t space_length(std::string_view text, size_t pos);

// The first byte at or after `from` that is part of no character, or npos; `from` is the beginning
// of a character or such a byte.
size_t find_broken_utf8(std::string_view text, size_t from = 0);

// `text` in Unicode normal form C, as Hugging Face's `tokenizers` have it: characters that came
// after Unicode 9 are passed by. Bytes that are not UTF-8 stay where they are and count as
// characters that combine with nothing.
std::string to_nfc(std::string_view text);

// False for most text that is in form C already, by a look at the bytes alone: no character from
// U+0300 on occurs. A true answer means only that to_nfc has to be asked.
bool may_change_in_nfc(std::string_view text);

}  // namespace braid
