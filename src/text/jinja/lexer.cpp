#include "text/jinja/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "text/jinja/ast.h"
#include "text/jinja/characters.h"
#include "text/jinja/string_literal.h"

namespace braid::jinja {
namespace {

using Type = Token::Type;

bool is_ascii_digit(char c) { return c >= '0' && c <= '9'; }

// Lines end in \n afterwards, and the last one in nothing.
std::string with_plain_lines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out += source[i];
    }
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

class Lexer {
 public:
  Lexer(std::string_view title, std::string source) : title_(title), source_(std::move(source)) {}

  std::vector<Token> run() {
    while (pos_ < source_.size()) read_text();
    push(Type::kEnd, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(std::string_view message) const { fail_at(title_, line_, message); }

  bool at(std::string_view what, size_t offset = 0) const {
    return std::string_view(source_)
        .substr(std::min(pos_ + offset, source_.size()))
        .starts_with(what);
  }
  size_t after_spaces(size_t pos) const {
    while (pos < source_.size() && is_space(character_at(source_, pos))) {
      pos = next_character(source_, pos);
    }
    return pos;
  }
  void push(Type type, std::string text) { tokens_.push_back({type, line_, std::move(text)}); }
  void advance(size_t to) {
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<ptrdiff_t>(pos_),
                                         source_.begin() + static_cast<ptrdiff_t>(to), '\n'));
    line_starts_ = to > pos_ && source_[to - 1] == '\n';
    pos_ = to;
  }

  // The text up to the next tag, and the tag.
  void read_text() {
    size_t tag = pos_;
    while ((tag = source_.find('{', tag)) != std::string::npos) {
      const char next = tag + 1 < source_.size() ? source_[tag + 1] : ' ';
      if (next == '{' || next == '%' || next == '#') break;
      ++tag;
    }
    if (tag == std::string::npos) {
      push(Type::kData, source_.substr(pos_));
      return advance(source_.size());
    }
    const char kind = source_[tag + 1];
    const char sign = sign_at(tag + 2);
    push_text(std::string_view(source_).substr(pos_, tag - pos_), sign, kind == '{');
    advance(tag);
    if (kind == '%' && read_raw()) return;
    advance(tag + (sign != ' ' ? 3 : 2));
    if (kind == '#') return read_comment();
    push(kind == '{' ? Type::kVariableBegin : Type::kBlockBegin, "");
    read_tag(kind == '{');
  }

  char sign_at(size_t pos) const {
    return pos < source_.size() && (source_[pos] == '-' || source_[pos] == '+') ? source_[pos]
                                                                                : ' ';
  }

  void push_text(std::string_view text, char sign, bool variable) {
    if (sign == '-') {
      text = strip(text, false, true);
    } else if (sign != '+' && !variable) {
      const size_t line = text.rfind('\n') + 1;
      const bool whole_line = line > 0 || line_starts_;
      if (whole_line && strip(text.substr(line), true, true).empty()) text = text.substr(0, line);
    }
    if (!text.empty()) push(Type::kData, std::string(text));
  }

  // At the end of a block tag or comment: how much of what follows belongs to it.
  size_t after_block(size_t end, char sign) const {
    if (sign == '-') return after_spaces(end);
    return sign != '+' && end < source_.size() && source_[end] == '\n' ? end + 1 : end;
  }

  void read_comment() {
    const size_t end = source_.find("#}", pos_);
    if (end == std::string::npos) fail("missing end of comment tag");
    advance(after_block(end + 2, end > pos_ ? sign_at(end - 1) : ' '));
  }

  // {% raw %} ... {% endraw %} at pos_; false when it is another tag.
  bool read_raw() {
    size_t pos = after_spaces(pos_ + 2 + (sign_at(pos_ + 2) != ' '));
    if (source_.compare(pos, 3, "raw") != 0) return false;
    pos = after_spaces(pos + 3);
    const bool strips = pos < source_.size() && source_[pos] == '-';
    if (source_.compare(pos + strips, 2, "%}") != 0) return false;
    pos += strips + 2u;
    advance(strips ? after_spaces(pos) : pos);
    for (size_t tag = pos_; (tag = source_.find("{%", tag)) != std::string::npos; tag += 2) {
      const char sign = sign_at(tag + 2);
      size_t end = after_spaces(tag + 2 + (sign != ' '));
      if (source_.compare(end, 6, "endraw") != 0) continue;
      end = after_spaces(end + 6);
      const char end_sign = sign_at(end);
      end += end_sign != ' ';
      if (source_.compare(std::min(end, source_.size()), 2, "%}") != 0) continue;
      push_text(std::string_view(source_).substr(pos_, tag - pos_), sign, false);
      advance(after_block(end + 2, end_sign));
      return true;
    }
    fail("missing end of raw directive");
  }

  void read_tag(bool variable) {
    open_.clear();
    while (pos_ < source_.size()) {
      if (open_.empty() && read_tag_end(variable)) return;
      const size_t next = after_spaces(pos_);
      if (next != pos_) {
        advance(next);
      } else {
        read_token();
      }
    }
  }

  bool read_tag_end(bool variable) {
    const std::string_view end = variable ? "}}" : "%}";
    const char sign = sign_at(pos_);
    const bool signed_end = sign == '-' || (sign == '+' && !variable);
    if (!at(end, signed_end)) return false;
    push(variable ? Type::kVariableEnd : Type::kBlockEnd, "");
    const size_t after = pos_ + 2 + signed_end;
    if (variable) {
      advance(sign == '-' ? after_spaces(after) : after);
    } else {
      advance(after_block(after, sign));
    }
    return true;
  }

  void read_token() {
    const char c = source_[pos_];
    if (is_ascii_digit(c)) return read_number();
    if (c == '"' || c == '\'') return read_string(c);
    const char32_t letter = character_at(source_, pos_);
    if (letter == U'_' || is_alpha(letter) || (is_word(letter) && !is_numeric(letter))) {
      size_t end = pos_;
      while (end < source_.size() && is_word(character_at(source_, end))) {
        end = next_character(source_, end);
      }
      push(Type::kName, source_.substr(pos_, end - pos_));
      return advance(end);
    }
    read_operator();
  }

  size_t digits_from(size_t pos) const {
    while (pos < source_.size() &&
           (is_ascii_digit(source_[pos]) || (source_[pos] == '_' && pos + 1 < source_.size() &&
                                             is_ascii_digit(source_[pos + 1])))) {
      ++pos;
    }
    return pos;
  }

  bool digit_at(size_t pos) const { return pos < source_.size() && is_ascii_digit(source_[pos]); }

  void read_number() {
    const char base = pos_ + 1 < source_.size() ? source_[pos_ + 1] : ' ';
    if (source_[pos_] == '0' && std::string_view("xXoObB").find(base) != std::string_view::npos) {
      return read_prefixed_number(base | 0x20);
    }
    size_t end = digits_from(pos_);
    bool real = false;
    if (end + 1 < source_.size() && source_[end] == '.' && is_ascii_digit(source_[end + 1])) {
      end = digits_from(end + 1);
      real = true;
    }
    if (end < source_.size() && (source_[end] | 0x20) == 'e') {
      const size_t exponent = end + 1 + (sign_at(end + 1) != ' ');
      if (digit_at(exponent)) {
        end = digits_from(exponent);
        real = true;
      }
    }
    if (!real && source_[pos_] == '0') {  // only zeros make a number that begins with one
      end = pos_ + 1;
      while (end < source_.size() && source_[end] == '0') ++end;
    }
    push_number(real ? Type::kFloat : Type::kInteger, end);
  }

  void read_prefixed_number(int base) {
    const std::string_view digits = base == 'x'   ? "0123456789abcdefABCDEF_"
                                    : base == 'o' ? "01234567_"
                                                  : "01_";
    size_t end = pos_ + 2;
    while (end < source_.size() && digits.find(source_[end]) != std::string_view::npos) ++end;
    push_number(Type::kInteger, end == pos_ + 2 ? pos_ + 1 : end);
  }

  void push_number(Type type, size_t end) {
    std::string digits = source_.substr(pos_, end - pos_);
    digits.erase(std::remove(digits.begin(), digits.end(), '_'), digits.end());
    push(type, std::move(digits));
    advance(end);
  }

  void read_string(char quote) {
    size_t end = pos_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) fail(fmt::format("a text that begins with {} does not end", quote));
    try {
      push(Type::kString, unescape(std::string_view(source_).substr(pos_ + 1, end - pos_ - 1)));
    } catch (const Failure& failure) {
      fail(failure.what());
    }
    advance(end + 1);
  }

  void read_operator() {
    constexpr std::array<std::string_view, 26> kOperators = {
        "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
        "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};
    for (const std::string_view op : kOperators) {
      if (!at(op)) continue;
      if (op == "{" || op == "(" || op == "[") open_ += op == "{" ? '}' : op == "(" ? ')' : ']';
      if (op == "}" || op == ")" || op == "]") {
        if (open_.empty()) fail(fmt::format("unexpected '{}'", op));
        if (open_.back() != op[0]) {
          fail(fmt::format("unexpected '{}', expected '{}'", op, open_.back()));
        }
        open_.pop_back();
      }
      push(Type::kOperator, std::string(op));
      return advance(pos_ + op.size());
    }
    const size_t end = next_character(source_, pos_);
    fail(fmt::format("unexpected character '{}'", source_.substr(pos_, end - pos_)));
  }

  std::string_view title_;
  std::string source_;
  std::vector<Token> tokens_;
  std::string open_;  // the brackets that are still to be closed
  size_t pos_ = 0;
  int line_ = 1;
  bool line_starts_ = true;
};

}  // namespace

std::vector<Token> tokenize(std::string_view title, std::string_view source) {
  return Lexer(title, with_plain_lines(source)).run();
}

}  // namespace braid::jinja
