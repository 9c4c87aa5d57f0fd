// How one value is laid out in a text: the part of "%5.1f" or "{:>5.1f}" after the sign.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "text/jinja/value.h"

namespace braid::jinja {

struct FormatSpec {
  std::string fill = " ";
  char align = 0;  // < > ^ = or none given
  char sign = '-';
  bool alternate = false;
  bool zero = false;
  int64_t width = 0;
  char grouping = 0;  // , or _
  int64_t precision = -1;
  char type = 0;
};

// A width or precision of a format: digits from `pos` on, which is left after them.
int64_t read_format_number(std::string_view text, size_t& pos);
// [[fill]align][sign][#][0][width][grouping][.precision][type]
FormatSpec parse_format_spec(std::string_view text);

std::string format_text(Meter& meter, const FormatSpec& spec, std::string_view text);
std::string format_number(Meter& meter, const FormatSpec& spec, const Value& number);

}  // namespace braid::jinja
