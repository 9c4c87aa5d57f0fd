// Arithmetic as Python does it, on integers of 64 bits: a result that does not fit is an error.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "text/jinja/ast.h"
#include "text/jinja/value.h"

namespace braid::jinja {

// A number as a template writes it, without underscores. None when an integer does not fit.
std::optional<Value> parse_number(std::string_view digits, bool real);

// int(text, base) and float(text) of Python: spaces around and underscores within. None when the
// text is no such number.
std::optional<Value> integer_from_text(std::string_view text, int base);
std::optional<double> real_from_text(std::string_view text);

// The integer part; throws when it does not fit or there is none.
Value integer_from_real(double real);

Value calculate(Op op, const Value& a, const Value& b);  // both are numbers
Value negate(const Value& value);
Value absolute(const Value& value);
// round(value, digits)
Value round_number(const Value& value, int64_t digits);

}  // namespace braid::jinja
