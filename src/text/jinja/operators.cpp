#include "text/jinja/operators.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "text/jinja/arguments.h"
#include "text/jinja/characters.h"
#include "text/jinja/compare.h"
#include "text/jinja/formatting.h"
#include "text/jinja/functions.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/numbers.h"
#include "text/jinja/printing.h"

namespace braid::jinja {
namespace {

std::string_view symbol(Op op) {
  constexpr std::string_view kSymbols[] = {
      "+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", "<=", ">", ">=", "in", "not in"};
  return kSymbols[static_cast<int>(op)];
}

Value add_texts(Meter& meter, const Value& a, const Value& b) {
  const bool markup_a = a.as<Str>().markup;
  const bool markup_b = b.as<Str>().markup;
  meter.check_string(a.text().size() + b.text().size());
  if (markup_a == markup_b) return meter.string(a.text() + b.text(), markup_a);
  return meter.string(
      (markup_a ? a.text() : escape_html(a.text())) + (markup_b ? b.text() : escape_html(b.text())),
      true);
}

Value add(Meter& meter, const Value& a, const Value& b) {
  if (a.is_string() && b.is_string()) return add_texts(meter, a, b);
  if (a.kind() == b.kind() && (a.is(Kind::kList) || a.is(Kind::kTuple))) {
    Values items = a.items();
    items.insert(items.end(), b.items().begin(), b.items().end());
    return a.is(Kind::kList) ? meter.list(std::move(items)) : meter.tuple(std::move(items));
  }
  throw Failure(
      fmt::format("cannot add values of the types '{}' and '{}'", type_name(a), type_name(b)));
}

bool is_sequence(const Value& value) {
  return value.is_string() || value.is(Kind::kList) || value.is(Kind::kTuple);
}

std::string missing_attribute(const Value& value, std::string_view name) {
  return value.is_none() ? fmt::format("'None' has no attribute '{}'", name)
                         : fmt::format("'{} object' has no attribute '{}'", type_name(value), name);
}

std::string describe_key(Meter& meter, const Value& key) {
  constexpr size_t kMaxKey = 200;
  std::string text = repr(meter, key);
  return text.size() > kMaxKey ? "..." : text;
}

std::optional<Value> sequence_item(Meter& meter, const Value& value, const Value& key) {
  if (!key.is_integer()) return {};
  const auto size = static_cast<int64_t>(length(value));
  int64_t index = key.as_int();
  if (index < 0) index += size;
  if (index < 0 || index >= size) return {};
  if (value.is(Kind::kRange)) {
    const auto& range = value.as<Range>();
    return Value::integer(range.start + index * range.step);
  }
  if (!value.is_string()) return value.items()[static_cast<size_t>(index)];
  const auto& text = value.as<Str>();
  auto begin = static_cast<size_t>(index);
  if (!text.is_ascii()) {
    meter.work(text.text.size());
    begin = byte_offset(text.text, begin);
  }
  const size_t end = next_character(text.text, begin);
  return meter.string(text.text.substr(begin, end - begin), text.markup);
}

// value[key] alone; none where Python raises TypeError or LookupError.
std::optional<Value> python_item(Meter& meter, const Value& value, const Value& key) {
  switch (value.kind()) {
    case Kind::kUndefined:
      fail_undefined(value);
    case Kind::kDict: {
      if (key.is(Kind::kList) || key.is(Kind::kDict) || key.is(Kind::kView)) return {};
      const Value* found = value.as<Dict>().find(meter, key);
      return found != nullptr ? std::optional(*found) : std::nullopt;
    }
    case Kind::kString:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kRange:
      return sequence_item(meter, value, key);
    default:
      return {};
  }
}

bool is_double_underscore(std::string_view name) {
  return name.size() > 4 && name.starts_with("__") && name.ends_with("__");
}

Value unsafe(Meter& meter, const Value& value, std::string_view name) {
  return meter.undefined(
      fmt::format("access to attribute '{}' of '{}' object is unsafe", name, type_name(value)));
}

std::optional<Value> number_attribute(const Value& value, std::string_view name) {
  const bool whole = value.is_integer();
  if (name == "real") return whole ? Value::integer(value.as_int()) : value;
  if (name == "imag") return whole ? Value::integer(0) : Value::real(0);
  if (whole && name == "numerator") return Value::integer(value.as_int());
  if (whole && name == "denominator") return Value::integer(1);
  return {};
}

std::optional<Value> own_attribute(Meter& meter, const Value& value, std::string_view name) {
  switch (value.kind()) {
    case Kind::kNamespace: {
      const Value* found = value.as<Namespace>().find(name);
      return found != nullptr ? std::optional(*found) : std::nullopt;
    }
    case Kind::kTuple:
      if (!value.as<Sequence>().group) return {};
      if (name == "grouper") return value.items()[0];
      if (name == "list") return value.items()[1];
      return {};
    case Kind::kRange: {
      const auto& range = value.as<Range>();
      if (name == "start") return Value::integer(range.start);
      if (name == "stop") return Value::integer(range.stop);
      if (name == "step") return Value::integer(range.step);
      return {};
    }
    case Kind::kCycler: {
      const auto& cycler = value.as<Cycler>();
      if (name == "current") return cycler.items[cycler.position];
      if (name == "pos") return Value::integer(static_cast<int64_t>(cycler.position));
      if (name == "items") return meter.tuple(cycler.items);
      return {};
    }
    case Kind::kJoiner: {
      const auto& joiner = value.as<Joiner>();
      if (name == "sep") return joiner.separator;
      if (name == "used") return Value::boolean(joiner.used);
      return {};
    }
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kFloat:
      return number_attribute(value, name);
    case Kind::kLoop:
      return loop_attribute(meter, value, name);
    case Kind::kMacro:
      return macro_attribute(meter, value, name);
    default:
      return {};
  }
}

struct SliceBounds {
  int64_t start, stop, step;
  int64_t size() const {
    if (step > 0) return start < stop ? (stop - start - 1) / step + 1 : 0;
    return start > stop ? (start - stop - 1) / -step + 1 : 0;
  }
};

SliceBounds slice_bounds(int64_t size, const Value& start, const Value& stop, const Value& step) {
  const auto part = [](const Value& value, int64_t otherwise) {
    if (value.is_none()) return otherwise;
    if (!value.is_integer()) {
      require_defined(value);
      throw Failure("slice indices must be integers or None");
    }
    return value.as_int();
  };
  constexpr int64_t kLargest = std::numeric_limits<int64_t>::max();
  SliceBounds bounds{0, 0, std::clamp(part(step, 1), -kLargest, kLargest)};
  if (bounds.step == 0) throw Failure("slice step cannot be zero");
  const bool forward = bounds.step > 0;
  const auto clamp = [&](int64_t index) {
    if (index < 0) index += size;
    return forward ? std::clamp<int64_t>(index, 0, size) : std::clamp<int64_t>(index, -1, size - 1);
  };
  bounds.start = start.is_none() ? (forward ? 0 : size - 1) : clamp(part(start, 0));
  bounds.stop = stop.is_none() ? (forward ? size : -1) : clamp(part(stop, 0));
  return bounds;
}

Value slice_text(Meter& meter, const Str& text, const SliceBounds& bounds) {
  const int64_t n = bounds.size();
  if (bounds.step == 1) {
    if (text.is_ascii()) {
      return meter.string(text.text.substr(n == 0 ? 0 : bounds.start, n), text.markup);
    }
    const size_t begin = byte_offset(text.text, static_cast<size_t>(bounds.start));
    const std::string_view rest = std::string_view(text.text).substr(begin);
    meter.work(text.text.size());
    return meter.string(std::string(rest.substr(0, byte_offset(rest, static_cast<size_t>(n)))),
                        text.markup);
  }
  const std::u32string characters = to_characters(text.text);
  meter.work(text.text.size());
  std::string out;
  for (int64_t i = 0; i < n; ++i) {
    append_utf8(out, characters[static_cast<size_t>(bounds.start + i * bounds.step)]);
  }
  return meter.string(std::move(out), text.markup);
}

}  // namespace

Value repeat(Meter& meter, const Value& value, int64_t times) {
  const size_t n = times > 0 ? static_cast<size_t>(times) : 0;
  if (value.is_string()) {
    const std::string& text = value.text();
    if (!text.empty() && n > meter.limits().output_bytes / text.size()) {
      meter.check_string(meter.limits().output_bytes + 1);
    }
    std::string out;
    if (!text.empty()) {
      out.reserve(text.size() * n);
      for (size_t i = 0; i < n; ++i) out += text;
    }
    return meter.string(std::move(out), value.as<Str>().markup);
  }
  Values items;
  if (!value.items().empty()) {
    for (size_t i = 0; i < n; ++i) {
      meter.step(value.items().size());
      if (items.size() * sizeof(Value) > meter.limits().live_bytes) {
        throw LimitFailure("a list of too many items");
      }
      items.insert(items.end(), value.items().begin(), value.items().end());
    }
  }
  return value.is(Kind::kList) ? meter.list(std::move(items)) : meter.tuple(std::move(items));
}

Value apply_binary(Meter& meter, Op op, const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return calculate(op, a, b);
  if (op == Op::kMod && a.is_string()) return format_percent(meter, a, b);
  require_defined(a);
  require_defined(b);
  if (op == Op::kAdd) return add(meter, a, b);
  if (op == Op::kMul && is_sequence(a) && b.is_integer()) return repeat(meter, a, b.as_int());
  if (op == Op::kMul && is_sequence(b) && a.is_integer()) return repeat(meter, b, a.as_int());
  throw Failure(fmt::format("unsupported operand types for {}: '{}' and '{}'", symbol(op),
                            type_name(a), type_name(b)));
}

Value apply_unary(Meter&, Op op, const Value& value) {
  if (op == Op::kNot) return Value::boolean(!truth(value));
  require_defined(value);
  if (!value.is_number()) {
    throw Failure(fmt::format("bad operand type for unary {}: '{}'", op == Op::kNeg ? '-' : '+',
                              type_name(value)));
  }
  if (op == Op::kNeg) return negate(value);
  return value.is(Kind::kBool) ? Value::integer(value.as_int()) : value;
}

bool apply_comparison(Meter& meter, Op op, const Value& a, const Value& b) {
  switch (op) {
    case Op::kEq:
      return equals(meter, a, b);
    case Op::kNe:
      return !equals(meter, a, b);
    case Op::kIn:
      return contains(meter, b, a);
    case Op::kNotIn:
      return !contains(meter, b, a);
    default:
      break;
  }
  const Order order = compare(meter, a, b, symbol(op));
  switch (op) {
    case Op::kLt:
      return order == Order::kLess;
    case Op::kLe:
      return order == Order::kLess || order == Order::kEqual;
    case Op::kGt:
      return order == Order::kGreater;
    default:
      return order == Order::kGreater || order == Order::kEqual;
  }
}

std::optional<Value> python_attribute(Meter& meter, const Value& value, std::string_view name) {
  if (value.is_undefined()) fail_undefined(value);
  if (is_double_underscore(name)) return unsafe(meter, value, name);
  if (auto found = own_attribute(meter, value, name)) {
    return name.starts_with('_') ? unsafe(meter, value, name) : std::move(found);
  }
  if (is_mutating_method(value, name)) return unsafe(meter, value, name);
  if (has_method(value, name)) return meter.method(value, name);
  return {};
}

Value attribute_of(Meter& meter, const Value& value, std::string_view name) {
  if (auto found = python_attribute(meter, value, name)) return std::move(*found);
  if (value.is(Kind::kDict)) {
    if (const Value* found = value.as<Dict>().find(name)) return *found;
  }
  return meter.undefined(missing_attribute(value, name));
}

Value item_of(Meter& meter, const Value& value, const Value& key) {
  if (auto found = python_item(meter, value, key)) return std::move(*found);
  if (key.is_string()) {
    if (auto found = python_attribute(meter, value, key.text())) return std::move(*found);
    return meter.undefined(missing_attribute(value, key.text()));
  }
  return meter.undefined(
      fmt::format("{} object has no element {}", type_name(value), describe_key(meter, key)));
}

Value slice_of(Meter& meter, const Value& value, const Value& start, const Value& stop,
               const Value& step) {
  require_defined(value);
  if (!is_sequence(value) && !value.is(Kind::kRange)) {
    throw Failure(fmt::format("'{}' object cannot be sliced", type_name(value)));
  }
  const SliceBounds bounds = slice_bounds(static_cast<int64_t>(length(value)), start, stop, step);
  if (value.is_string()) return slice_text(meter, value.as<Str>(), bounds);
  if (value.is(Kind::kRange)) {
    const auto& range = value.as<Range>();
    int64_t step_by = 0;
    if (__builtin_mul_overflow(range.step, bounds.step, &step_by)) {
      step_by = bounds.step < 0 ? -kMaxRangeNumber : kMaxRangeNumber;  // one item at most
    }
    return meter.range(range.start + bounds.start * range.step,
                       range.start + bounds.stop * range.step, step_by);
  }
  Values items;
  for (int64_t i = 0; i < bounds.size(); ++i) {
    items.push_back(value.items()[static_cast<size_t>(bounds.start + i * bounds.step)]);
  }
  return value.is(Kind::kList) ? meter.list(std::move(items)) : meter.tuple(std::move(items));
}

}  // namespace braid::jinja
