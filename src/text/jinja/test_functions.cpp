// The tests: what stands after `is`.
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "text/jinja/characters.h"
#include "text/jinja/compare.h"
#include "text/jinja/filters.h"
#include "text/jinja/functions.h"
#include "text/jinja/numbers.h"
#include "text/jinja/operators.h"
#include "text/jinja/printing.h"

namespace braid::jinja {
namespace {

bool has_remainder(Interpreter& run, const Value& value, const Value& divisor, int64_t wanted) {
  return equals(run.meter(), apply_binary(run.meter(), Op::kMod, value, divisor),
                Value::integer(wanted));
}

using Args = Arguments;

void take_none(std::string_view name, const Args& arguments) {
  const Bound args(name, arguments, {});
}

const Value& one(std::string_view name, const Args& arguments) {
  if (arguments.positional.size() != 1 || !arguments.named.empty()) {
    throw Failure(fmt::format("the test '{}' takes one argument", name));
  }
  return arguments.positional[0];
}

bool test_odd(Interpreter& run, const Value& value, const Args& args) {
  take_none("odd", args);
  return has_remainder(run, value, Value::integer(2), 1);
}

bool test_even(Interpreter& run, const Value& value, const Args& args) {
  take_none("even", args);
  return has_remainder(run, value, Value::integer(2), 0);
}

bool test_divisible(Interpreter& run, const Value& value, const Args& arguments) {
  const Bound args("divisibleby", arguments, {"num"}, 1);
  return has_remainder(run, value, args[0], 0);
}

bool test_defined(Interpreter&, const Value& value, const Args& args) {
  take_none("defined", args);
  return !value.is_undefined();
}

bool test_undefined(Interpreter&, const Value& value, const Args& args) {
  take_none("undefined", args);
  return value.is_undefined();
}

bool test_filter(Interpreter&, const Value& value, const Args& args) {
  take_none("filter", args);
  return value.is_string() && find_filter(value.text()) != nullptr;
}

bool test_test(Interpreter&, const Value& value, const Args& args) {
  take_none("test", args);
  return value.is_string() && find_test(value.text()) != nullptr;
}

template <Kind... kinds>
bool test_kind(Interpreter&, const Value& value, const Args& args) {
  take_none("of a type", args);
  return (value.is(kinds) || ...);
}

template <bool wanted>
bool test_bool(Interpreter&, const Value& value, const Args& args) {
  take_none("true", args);
  return value.is(Kind::kBool) && value.as_bool() == wanted;
}

// All letters with case have this one, and there is one.
bool all_case(std::string_view text, bool upper) {
  bool any = false;
  for (const char32_t c : to_characters(text)) {
    if (upper ? is_lower(c) || is_title(c) : is_upper(c) || is_title(c)) return false;
    any = any || (upper ? is_upper(c) : is_lower(c));
  }
  return any;
}

template <bool upper>
bool test_case(Interpreter& run, const Value& value, const Args& args) {
  take_none("lower", args);
  return all_case(to_text(run.meter(), value), upper);
}

bool test_sequence(Interpreter&, const Value& value, const Args& args) {
  take_none("sequence", args);
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kString:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
    case Kind::kRange:
      return true;
    default:
      return false;
  }
}

bool test_iterable(Interpreter&, const Value& value, const Args& args) {
  take_none("iterable", args);
  return is_iterable(value) || value.is(Kind::kTemplate);  // iter() takes it, a loop fails
}

bool test_callable(Interpreter&, const Value& value, const Args& args) {
  take_none("callable", args);
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kFunction:
    case Kind::kMethod:
    case Kind::kMacro:
    case Kind::kLoop:
    case Kind::kJoiner:
      return true;
    default:
      return false;
  }
}

bool test_same(Interpreter&, const Value& value, const Args& args) {
  return same(value, one("sameas", args));
}

bool test_escaped(Interpreter&, const Value& value, const Args& args) {
  take_none("escaped", args);
  return value.is_string() && value.as<Str>().markup;
}

bool test_in(Interpreter& run, const Value& value, const Args& args) {
  return contains(run.meter(), one("in", args), value);
}

template <Op op>
bool test_order(Interpreter& run, const Value& value, const Args& args) {
  return apply_comparison(run.meter(), op, value, one("comparison", args));
}

constexpr Test kTests[] = {
    {"odd", test_odd},
    {"even", test_even},
    {"divisibleby", test_divisible},
    {"defined", test_defined},
    {"undefined", test_undefined},
    {"filter", test_filter},
    {"test", test_test},
    {"none", test_kind<Kind::kNone>},
    {"boolean", test_kind<Kind::kBool>},
    {"false", test_bool<false>},
    {"true", test_bool<true>},
    {"integer", test_kind<Kind::kInt, Kind::kBig>},
    {"float", test_kind<Kind::kFloat>},
    {"lower", test_case<false>},
    {"upper", test_case<true>},
    {"string", test_kind<Kind::kString>},
    {"mapping", test_kind<Kind::kDict>},
    {"number", test_kind<Kind::kBool, Kind::kInt, Kind::kBig, Kind::kFloat>},
    {"sequence", test_sequence},
    {"iterable", test_iterable},
    {"callable", test_callable},
    {"sameas", test_same},
    {"escaped", test_escaped},
    {"in", test_in},
    {"==", test_order<Op::kEq>},
    {"eq", test_order<Op::kEq>},
    {"equalto", test_order<Op::kEq>},
    {"!=", test_order<Op::kNe>},
    {"ne", test_order<Op::kNe>},
    {">", test_order<Op::kGt>},
    {"gt", test_order<Op::kGt>},
    {"greaterthan", test_order<Op::kGt>},
    {">=", test_order<Op::kGe>},
    {"ge", test_order<Op::kGe>},
    {"<", test_order<Op::kLt>},
    {"lt", test_order<Op::kLt>},
    {"lessthan", test_order<Op::kLt>},
    {"<=", test_order<Op::kLe>},
    {"le", test_order<Op::kLe>},
};

}  // namespace

const Test* find_test(std::string_view name) {
  const auto* found = std::find_if(std::begin(kTests), std::end(kTests),
                                   [&](const Test& test) { return test.name == name; });
  return found != std::end(kTests) ? found : nullptr;
}

std::string no_test_message(std::string_view name) {
  return fmt::format("no test named '{}' found", name);
}

}  // namespace braid::jinja
