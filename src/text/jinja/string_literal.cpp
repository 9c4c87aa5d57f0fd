#include "text/jinja/string_literal.h"

#include <fmt/format.h>

#include "text/jinja/characters.h"
#include "text/jinja/limits.h"

namespace braid::jinja {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const int letter = (c | 0x20) - 'a';
  return letter >= 0 && letter < 6 ? letter + 10 : -1;
}

class Unescaper {
 public:
  explicit Unescaper(std::string_view text) : text_(text) {}

  std::string run() {
    while (pos_ < text_.size()) {
      const char c = text_[pos_++];
      if (c != '\\' || pos_ == text_.size()) {
        out_ += c;
      } else {
        read_escape();
      }
    }
    return std::move(out_);
  }

 private:
  void read_escape() {
    const char c = text_[pos_];
    constexpr std::string_view kLetters = "\\'\"abfnrtv";
    constexpr std::string_view kMeant = "\\'\"\a\b\f\n\r\t\v";
    if (const size_t at = kLetters.find(c); at != std::string_view::npos) {
      out_ += kMeant[at];
      ++pos_;
    } else if (c == '\n') {
      ++pos_;
    } else if (c >= '0' && c <= '7') {
      read_octal();
    } else if (c == 'x' || c == 'u' || c == 'U') {
      ++pos_;
      read_hex(c == 'x' ? 2 : c == 'u' ? 4 : 8);
    } else if (c == 'N') {
      throw Failure("\\N{...} in a text is not supported: write the character itself");
    } else if (static_cast<signed char>(c) < 0) {
      write_escaped_letter();
    } else {
      out_ += '\\';
    }
  }

  void read_octal() {
    char32_t code = 0;
    for (int i = 0; i < 3 && pos_ < text_.size() && text_[pos_] >= '0' && text_[pos_] <= '7'; ++i) {
      code = code * 8 + static_cast<char32_t>(text_[pos_++] - '0');
    }
    append_utf8(out_, code);
  }

  void read_hex(int digits) {
    char32_t code = 0;
    for (int i = 0; i < digits; ++i) {
      const int digit = pos_ < text_.size() ? hex_digit(text_[pos_]) : -1;
      if (digit < 0) throw Failure(fmt::format("an escape in a text wants {} hex digits", digits));
      code = code * 16 + static_cast<char32_t>(digit);
      ++pos_;
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
      throw Failure(fmt::format("no character has the number {:#x}", static_cast<uint32_t>(code)));
    }
    append_utf8(out_, code);
  }

  // jinja2 puts a text into ASCII before it takes the escapes out, so the backslash before another
  // letter makes that letter's own escape stand as it is.
  void write_escaped_letter() {
    const auto code = static_cast<uint32_t>(character_at(text_, pos_));
    pos_ = next_character(text_, pos_);
    out_ += code < 0x100     ? fmt::format("\\x{:02x}", code)
            : code < 0x10000 ? fmt::format("\\u{:04x}", code)
                             : fmt::format("\\U{:08x}", code);
  }

  std::string_view text_;
  std::string out_;
  size_t pos_ = 0;
};

}  // namespace

std::string unescape(std::string_view quoted) { return Unescaper(quoted).run(); }

}  // namespace braid::jinja
