#include "text/jinja/format_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "text/jinja/characters.h"
#include "text/jinja/compare.h"
#include "text/jinja/numbers.h"
#include "text/jinja/printing.h"

namespace braid::jinja {
namespace {

constexpr int64_t kMaxPrecision = 1000;

std::string pad(Meter& meter, const FormatSpec& spec, std::string text, char default_align,
                size_t sign_length = 0) {
  const auto length = static_cast<int64_t>(count_characters(text));
  if (length >= spec.width) return text;
  const auto missing = static_cast<size_t>(spec.width - length);
  meter.check_string(text.size() + missing * spec.fill.size());
  const auto filling = [&](size_t n) {
    std::string out;
    for (size_t i = 0; i < n; ++i) out += spec.fill;
    return out;
  };
  switch (spec.align != 0 ? spec.align : default_align) {
    case '<':
      return text + filling(missing);
    case '^':
      return filling(missing / 2) + text + filling(missing - missing / 2);
    case '=':
      return text.substr(0, sign_length) + filling(missing) + text.substr(sign_length);
    default:
      return filling(missing) + text;
  }
}

std::string grouped(std::string digits, char separator, size_t group) {
  for (size_t i = digits.size(); i > group;) {
    i -= group;
    digits.insert(i, 1, separator);
  }
  return digits;
}

std::string integer_digits(const FormatSpec& spec, uint64_t magnitude) {
  switch (spec.type) {
    case 'x':
      return fmt::format("{:x}", magnitude);
    case 'X':
      return fmt::format("{:X}", magnitude);
    case 'o':
      return fmt::format("{:o}", magnitude);
    case 'b':
      return fmt::format("{:b}", magnitude);
    default:
      return fmt::to_string(magnitude);
  }
}

std::string real_digits(const FormatSpec& spec, double magnitude) {
  const int precision = spec.precision < 0 ? 6 : static_cast<int>(spec.precision);
  const bool upper = std::isupper(static_cast<unsigned char>(spec.type)) != 0;
  std::string out;
  if (!std::isfinite(magnitude)) {
    out = std::isnan(magnitude) ? "nan" : "inf";
  } else if (spec.type == 0 && spec.precision < 0) {
    out = float_repr(magnitude);
  } else if (spec.type == '%') {
    return fmt::format("{:.{}f}%", magnitude * 100, precision);
  } else if ((spec.type | 0x20) == 'f') {
    out = fmt::format("{:.{}f}", magnitude, precision);
  } else if ((spec.type | 0x20) == 'e') {
    out = fmt::format("{:.{}e}", magnitude, precision);
  } else {
    out = fmt::format("{:.{}g}", magnitude, std::max(precision, 1));
  }
  return upper ? to_upper(out) : out;
}

bool is_real_type(char type) {
  return std::string_view("fFeEgG%").find(type) != std::string_view::npos && type != 0;
}

std::string prefix_of(const FormatSpec& spec) {
  if (!spec.alternate || std::string_view("xXob").find(spec.type) == std::string_view::npos ||
      spec.type == 0) {
    return "";
  }
  return std::string("0") + spec.type;
}

}  // namespace

int64_t read_format_number(std::string_view text, size_t& pos) {
  int64_t number = 0;
  for (; pos < text.size() && text[pos] >= '0' && text[pos] <= '9'; ++pos) {
    number = number * 10 + (text[pos] - '0');
    if (number > kMaxRangeNumber) throw Failure("a number in a format is too large");
  }
  return number;
}

FormatSpec parse_format_spec(std::string_view text) {
  FormatSpec spec;
  size_t pos = 0;
  const auto now = [&] { return pos < text.size() ? text[pos] : '\0'; };
  const auto is_align = [](char c) { return c == '<' || c == '>' || c == '^' || c == '='; };
  const size_t second = text.empty() ? 0 : next_character(text, 0);
  if (second < text.size() && is_align(text[second])) {
    spec.fill = text.substr(0, second);
    spec.align = text[second];
    pos = second + 1;
  } else if (is_align(now())) {
    spec.align = text[pos++];
  }
  if (now() == '+' || now() == '-' || now() == ' ') spec.sign = text[pos++];
  if (now() == '#') {
    spec.alternate = true;
    ++pos;
  }
  if (now() == '0') {
    spec.zero = true;
    ++pos;
  }
  spec.width = read_format_number(text, pos);
  if (now() == ',' || now() == '_') spec.grouping = text[pos++];
  if (now() == '.') {
    ++pos;
    if (now() < '0' || now() > '9') throw Failure("a format's precision is missing");
    spec.precision = read_format_number(text, pos);
  }
  if (pos < text.size()) spec.type = text[pos++];
  if (pos < text.size()) throw Failure("invalid format specifier");
  return spec;
}

std::string format_text(Meter& meter, const FormatSpec& spec, std::string_view text) {
  if (spec.precision >= 0)
    text = text.substr(0, byte_offset(text, static_cast<size_t>(spec.precision)));
  return pad(meter, spec, std::string(text), '<');
}

std::string format_number(Meter& meter, const FormatSpec& given, const Value& number) {
  FormatSpec spec = given;
  if (spec.precision > kMaxPrecision) throw Failure("a format's precision is too large");
  if (spec.type != 0 &&
      std::string_view("dxXobfFeEgG%").find(spec.type) == std::string_view::npos) {
    throw Failure(fmt::format("unknown format code '{}' for a number", spec.type));
  }
  const bool real = number.is(Kind::kFloat) || is_real_type(spec.type);
  if (number.is(Kind::kFloat) && spec.type != 0 && !is_real_type(spec.type)) {
    throw Failure(fmt::format("unknown format code '{}' for a float", spec.type));
  }
  bool negative = false;
  std::string digits;
  if (real) {
    const double value = number.as_double();
    negative = std::signbit(value) && !std::isnan(value);
    digits = real_digits(spec, std::fabs(value));
  } else {
    negative = number.is_integer() && number.as_int() < 0;
    const uint64_t bits = number.as_big();
    digits = integer_digits(spec, negative ? 0 - bits : bits);
  }
  const size_t whole = std::min(digits.find_first_of(".e%"), digits.size());
  if (spec.grouping != 0) {
    const bool thousands = real || spec.type == 0 || spec.type == 'd';
    digits =
        grouped(digits.substr(0, whole), spec.grouping, thousands ? 3 : 4) + digits.substr(whole);
  }
  const std::string sign = negative ? "-" : spec.sign == '-' ? "" : std::string(1, spec.sign);
  const std::string head = sign + prefix_of(spec);
  if (spec.zero && spec.align == 0) {
    spec.fill = "0";
    spec.align = '=';
  }
  return pad(meter, spec, head + digits, '>', head.size());
}

}  // namespace braid::jinja
