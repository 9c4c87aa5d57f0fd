#include "text/jinja/numbers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>

#include "text/jinja/characters.h"
#include "text/jinja/compare.h"

namespace braid::jinja {
namespace {

[[noreturn]] void fail_overflow() {
  throw Failure("the result does not fit into 64 bits, the size of integers here");
}

[[noreturn]] void fail_zero() { throw Failure("division by zero"); }

int64_t checked_power(int64_t base, int64_t exponent) {
  int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) fail_overflow();
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) fail_overflow();
  }
  return result;
}

int64_t floor_divide(int64_t a, int64_t b) {
  if (b == 0) fail_zero();
  if (b == -1) {
    if (a == std::numeric_limits<int64_t>::min()) fail_overflow();
    return -a;
  }
  return a / b - ((a % b != 0) && ((a < 0) != (b < 0)));
}

int64_t modulo(int64_t a, int64_t b) {
  if (b == 0) fail_zero();
  if (b == -1) return 0;
  const int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

double real_modulo(double a, double b) {
  if (b == 0) fail_zero();
  const double rest = std::fmod(a, b);
  if (rest == 0) return std::copysign(0.0, b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
}

double real_floor_divide(double a, double b) {
  const double rest = real_modulo(a, b);
  const double quotient = (a - rest) / b;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double floored = std::floor(quotient);
  return quotient - floored > 0.5 ? floored + 1 : floored;
}

Value power(const Value& a, const Value& b) {
  if (a.is_integer() && b.is_integer() && b.as_int() >= 0) {
    return Value::integer(checked_power(a.as_int(), b.as_int()));
  }
  const double base = a.as_double();
  const double exponent = b.as_double();
  if (base == 0 && exponent < 0) throw Failure("0.0 cannot be raised to a negative power");
  const double result = std::pow(base, exponent);
  if (std::isnan(result) && !std::isnan(base) && !std::isnan(exponent)) {
    throw Failure("a negative number raised to a fraction is a complex number: not supported");
  }
  if (std::isinf(result) && !std::isinf(base) && !std::isinf(exponent)) {
    throw Failure("the result of ** is too large");
  }
  return Value::real(result);
}

Value calculate_reals(Op op, double a, double b) {
  switch (op) {
    case Op::kAdd:
      return Value::real(a + b);
    case Op::kSub:
      return Value::real(a - b);
    case Op::kMul:
      return Value::real(a * b);
    case Op::kFloorDiv:
      return Value::real(real_floor_divide(a, b));
    default:
      return Value::real(real_modulo(a, b));
  }
}

std::optional<std::string> without_underscores(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      out += text[i];
      continue;
    }
    const auto is_letter = [&](size_t at) {
      return at < text.size() && std::isalnum(static_cast<unsigned char>(text[at])) != 0;
    };
    if (i == 0 || !is_letter(i - 1) || !is_letter(i + 1)) return {};
  }
  return out;
}

template <class T>
std::optional<T> parse_all(std::string_view text, int base) {
  T value{};
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size()) return {};
  return value;
}

}  // namespace

std::optional<Value> parse_number(std::string_view digits, bool real) {
  if (real) {
    double value = 0;
    const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (end.ec == std::errc::result_out_of_range) value = real_from_text(digits).value_or(0);
    return Value::real(value);
  }
  int base = 10;
  if (digits.size() > 2 && digits[0] == '0' && (digits[1] | 0x20) > '9') {
    const int letter = digits[1] | 0x20;
    base = letter == 'x' ? 16 : letter == 'o' ? 8 : 2;
    digits.remove_prefix(2);
  }
  const auto value = parse_all<int64_t>(digits, base);
  return value ? std::optional(Value::integer(*value)) : std::nullopt;
}

std::optional<Value> integer_from_text(std::string_view text, int base) {
  text = strip(text, true, true);
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  if (text.size() > 2 && text[0] == '0') {
    const int letter = text[1] | 0x20;
    const int prefix = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
    if (prefix != 0 && (base == prefix || base == 0)) {
      base = prefix;
      text.remove_prefix(text[2] == '_' ? 3 : 2);
    }
  }
  if (base == 0) base = 10;
  const auto digits = without_underscores(text);
  if (!digits || digits->empty() || (*digits)[0] == '-') return {};
  const auto value = parse_all<uint64_t>(*digits, base);
  if (!value) {
    const bool is_number =
        std::all_of(digits->begin(), digits->end(), [](char c) { return c >= '0' && c <= '9'; });
    if (is_number && base == 10) fail_overflow();
    return {};
  }
  constexpr auto kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  if (*value > kMax) fail_overflow();
  const auto magnitude = static_cast<int64_t>(*value);
  return Value::integer(negative ? -magnitude : magnitude);
}

std::optional<double> real_from_text(std::string_view text) {
  const auto plain = without_underscores(strip(text, true, true));
  if (!plain || plain->empty()) return {};
  std::string digits = to_lower(*plain);
  double sign = 1;
  if (digits[0] == '-' || digits[0] == '+') {
    sign = digits[0] == '-' ? -1 : 1;
    digits.erase(0, 1);
  }
  if (digits == "inf" || digits == "infinity")
    return sign * std::numeric_limits<double>::infinity();
  if (digits == "nan") return std::numeric_limits<double>::quiet_NaN();
  if (digits.empty() || (digits[0] != '.' && (digits[0] < '0' || digits[0] > '9'))) return {};
  double value = 0;
  const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (end.ptr != digits.data() + digits.size()) return {};
  if (end.ec == std::errc::result_out_of_range) {
    // Too small or too large: the exponent's sign tells which.
    value = digits.find("e-") != std::string::npos ? 0 : std::numeric_limits<double>::infinity();
  } else if (end.ec != std::errc()) {
    return {};
  }
  return sign * value;
}

Value integer_from_real(double real) {
  if (std::isnan(real)) throw Failure("cannot convert float NaN to integer");
  if (std::isinf(real)) throw Failure("cannot convert float infinity to integer");
  const double whole = std::trunc(real);
  if (whole < -0x1p63 || whole >= 0x1p63) fail_overflow();
  return Value::integer(static_cast<int64_t>(whole));
}

Value calculate(Op op, const Value& a, const Value& b) {
  if ((a.is(Kind::kBig) && !b.is(Kind::kFloat)) || (b.is(Kind::kBig) && !a.is(Kind::kFloat))) {
    fail_overflow();
  }
  if (op == Op::kPow) return power(a, b);
  if (op == Op::kDiv) {
    if (b.as_double() == 0) fail_zero();
    return Value::real(a.as_double() / b.as_double());
  }
  if (!a.is_integer() || !b.is_integer()) return calculate_reals(op, a.as_double(), b.as_double());
  const int64_t x = a.as_int();
  const int64_t y = b.as_int();
  int64_t result = 0;
  bool overflow = false;
  switch (op) {
    case Op::kAdd:
      overflow = __builtin_add_overflow(x, y, &result);
      break;
    case Op::kSub:
      overflow = __builtin_sub_overflow(x, y, &result);
      break;
    case Op::kMul:
      overflow = __builtin_mul_overflow(x, y, &result);
      break;
    case Op::kFloorDiv:
      result = floor_divide(x, y);
      break;
    default:
      result = modulo(x, y);
      break;
  }
  if (overflow) fail_overflow();
  return Value::integer(result);
}

Value negate(const Value& value) {
  if (value.is(Kind::kFloat)) return Value::real(-value.as_double());
  return calculate(Op::kSub, Value::integer(0), value);
}

Value absolute(const Value& value) {
  if (value.is(Kind::kBig)) return value;
  if (value.is(Kind::kFloat)) return Value::real(std::fabs(value.as_double()));
  return value.as_int() < 0 ? negate(value) : Value::integer(value.as_int());
}

Value round_number(const Value& value, int64_t digits) {
  if (!value.is(Kind::kFloat)) {
    if (digits >= 0 || value.is(Kind::kBig))
      return value.is(Kind::kBool) ? Value::integer(value.as_int()) : value;
    if (digits < -18) return Value::integer(0);
    const int64_t unit = checked_power(10, -digits);
    const int64_t rest = modulo(value.as_int(), unit);
    const int64_t down = value.as_int() - rest;
    const bool up = rest * 2 > unit || (rest * 2 == unit && floor_divide(down, unit) % 2 != 0);
    return calculate(Op::kAdd, Value::integer(down), Value::integer(up ? unit : 0));
  }
  const double real = value.as_double();
  if (!std::isfinite(real) || digits > 320) return value;
  if (digits < -308) return Value::real(std::copysign(0.0, real));
  if (digits < 0) {
    const double unit = std::pow(10.0, static_cast<double>(-digits));
    return Value::real(std::nearbyint(real / unit) * unit);
  }
  // Correctly rounded by way of the decimal text, as Python does it.
  const std::string text = fmt::format("{:.{}f}", real, static_cast<int>(digits));
  return Value::real(real_from_text(text).value_or(real));
}

}  // namespace braid::jinja
