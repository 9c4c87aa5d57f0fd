#include "text/jinja/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "text/jinja/characters.h"
#include "text/jinja/search.h"

namespace braid::jinja {
namespace {

// Exact, also where a double cannot hold the integer.
Order compare_int_real(int64_t a, double b) {
  if (std::isnan(b)) return Order::kNone;
  if (b >= 0x1p63) return Order::kLess;
  if (b < -0x1p63) return Order::kGreater;
  const double whole = std::floor(b);
  const auto integer = static_cast<int64_t>(whole);
  if (a != integer) return a < integer ? Order::kLess : Order::kGreater;
  return b > whole ? Order::kLess : Order::kEqual;
}

template <class T>
Order order(T a, T b) {
  return a < b ? Order::kLess : a > b ? Order::kGreater : a == b ? Order::kEqual : Order::kNone;
}

Order reversed(Order o) {
  return o == Order::kLess ? Order::kGreater : o == Order::kGreater ? Order::kLess : o;
}

Order compare_numbers(const Value& a, const Value& b) {
  if (a.is_integer() && b.is_integer()) return order(a.as_int(), b.as_int());
  if (a.is_integer() && b.is(Kind::kFloat)) return compare_int_real(a.as_int(), b.as_double());
  if (a.is(Kind::kFloat) && b.is_integer()) {
    return reversed(compare_int_real(b.as_int(), a.as_double()));
  }
  if (a.is(Kind::kBig) && b.is(Kind::kBig)) return order(a.as_big(), b.as_big());
  if (a.is(Kind::kBig) && b.is_integer()) return Order::kGreater;
  if (a.is_integer() && b.is(Kind::kBig)) return Order::kLess;
  return order(a.as_double(), b.as_double());
}

bool equal_items(Meter& meter, const Values& a, const Values& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [&](auto& x, auto& y) { return equals(meter, x, y); });
}

bool equal_dicts(Meter& meter, const Dict& a, const Dict& b) {
  if (a.entries.size() != b.entries.size()) return false;
  return std::all_of(a.entries.begin(), a.entries.end(), [&](const auto& entry) {
    const Value* other = b.find(meter, entry.first);
    return other != nullptr && equals(meter, entry.second, *other);
  });
}

bool equal_ranges(const Range& a, const Range& b) {
  const int64_t size = a.size();
  return size == b.size() && (size == 0 || a.start == b.start) && (size < 2 || a.step == b.step);
}

Order compare_items(Meter& meter, const Values& a, const Values& b, std::string_view op) {
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (!equals(meter, a[i], b[i])) return compare(meter, a[i], b[i], op);
  }
  return order(a.size(), b.size());
}

bool range_contains(const Range& range, const Value& item) {
  if (!item.is_integer()) return false;
  int64_t offset = 0;
  if (__builtin_sub_overflow(item.as_int(), range.start, &offset)) return false;
  return offset % range.step == 0 && offset / range.step >= 0 && offset / range.step < range.size();
}

}  // namespace

std::string_view type_name(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
    case Kind::kBig:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return "str";
    case Kind::kList:
      return "list";
    case Kind::kTuple:
      return "tuple";
    case Kind::kDict:
      return "dict";
    case Kind::kRange:
      return "range";
    case Kind::kView:
      return "dict view";
    case Kind::kIterator:
      return "generator";
    case Kind::kNamespace:
      return "Namespace";
    case Kind::kFunction:
      return "function";
    case Kind::kMethod:
      return "method";
    case Kind::kMacro:
      return "Macro";
    case Kind::kLoop:
      return "LoopContext";
    case Kind::kCycler:
      return "Cycler";
    case Kind::kJoiner:
      return "Joiner";
    case Kind::kTemplate:
      return "TemplateReference";
  }
  return "object";
}

std::string undefined_message(const Value& value) {
  return value.object() ? value.as<Missing>().message : "a value is undefined";
}

void fail_undefined(const Value& value) { throw Failure(undefined_message(value)); }

std::optional<size_t> length_of(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return 0;
    case Kind::kString:
      return value.as<Str>().characters;
    case Kind::kList:
    case Kind::kTuple:
      return value.items().size();
    case Kind::kDict:
      return value.as<Dict>().entries.size();
    case Kind::kRange:
      return static_cast<size_t>(value.as<Range>().size());
    case Kind::kView:
      return length_of(value.as<View>().dict);
    default:
      return {};
  }
}

size_t length(const Value& value) {
  const auto size = length_of(value);
  if (!size) throw Failure(fmt::format("object of type '{}' has no len()", type_name(value)));
  return *size;
}

bool truth(const Value& value) {
  switch (value.kind()) {
    case Kind::kNone:
      return false;
    case Kind::kBool:
    case Kind::kInt:
      return value.as_int() != 0;
    case Kind::kFloat:
      return value.as_double() != 0;
    default:
      return length_of(value).value_or(1) != 0;
  }
}

bool same(const Value& a, const Value& b) {
  if (a.kind() != b.kind()) return false;
  if (a.object() || b.object()) return a.object() == b.object();
  return a.is(Kind::kFloat) ? a.as_double() == b.as_double() : a.as_int() == b.as_int();
}

bool equals(Meter& meter, const Value& a, const Value& b) {
  meter.step();
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == Order::kEqual;
  if (a.kind() != b.kind()) return false;
  if (a.is_undefined() || same(a, b)) return true;
  switch (a.kind()) {
    case Kind::kString:
      return a.text() == b.text();
    case Kind::kList:
    case Kind::kTuple:
      return equal_items(meter, a.items(), b.items());
    case Kind::kDict:
      return equal_dicts(meter, a.as<Dict>(), b.as<Dict>());
    case Kind::kRange:
      return equal_ranges(a.as<Range>(), b.as<Range>());
    default:
      return false;
  }
}

Order compare(Meter& meter, const Value& a, const Value& b, std::string_view op) {
  meter.step();
  if (a.is_number() && b.is_number()) return compare_numbers(a, b);
  require_defined(a);
  require_defined(b);
  if (a.kind() == b.kind()) {
    if (a.is_string()) return order(a.text().compare(b.text()), 0);
    if (a.is(Kind::kList) || a.is(Kind::kTuple)) {
      return compare_items(meter, a.items(), b.items(), op);
    }
  }
  throw Failure(fmt::format("'{}' not supported between instances of '{}' and '{}'", op,
                            type_name(a), type_name(b)));
}

bool less(Meter& meter, const Value& a, const Value& b) {
  return compare(meter, a, b, "<") == Order::kLess;
}

size_t hash_text(std::string_view text) { return std::hash<std::string_view>()(text); }

size_t hash(Meter& meter, const Value& value) {
  meter.step();
  switch (value.kind()) {
    case Kind::kUndefined:
      return 1;
    case Kind::kNone:
      return 2;
    case Kind::kBool:
    case Kind::kInt:
      return std::hash<int64_t>()(value.as_int());
    case Kind::kBig:
      return std::hash<double>()(value.as_double());
    case Kind::kFloat: {
      const double real = value.as_double();
      if (real == std::floor(real) && std::fabs(real) < 0x1p63) {
        return std::hash<int64_t>()(static_cast<int64_t>(real));
      }
      return std::hash<double>()(real);
    }
    case Kind::kString:
      return hash_text(value.text());
    case Kind::kTuple: {
      size_t sum = 3;
      for (const Value& item : value.items()) sum = sum * 31 + hash(meter, item);
      return sum;
    }
    case Kind::kRange:
      return static_cast<size_t>(value.as<Range>().size());
    case Kind::kList:
    case Kind::kDict:
    case Kind::kView:
      throw Failure(fmt::format("unhashable type: '{}'", type_name(value)));
    case Kind::kFunction:
      return static_cast<size_t>(value.as_int()) + 100;
    default:
      return std::hash<const void*>()(value.object().get());
  }
}

bool is_iterable(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kString:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
    case Kind::kRange:
    case Kind::kView:
    case Kind::kIterator:
    case Kind::kLoop:
      return true;
    default:
      return false;
  }
}

Value view_item(Meter& meter, const View& view, size_t i) {
  const auto& [key, value] = view.dict.as<Dict>().entries[i];
  if (view.of == View::Of::kKeys) return key;
  if (view.of == View::Of::kValues) return value;
  return meter.tuple({key, value});
}

Values items_of(Meter& meter, const Value& value) {
  Values items;
  Source source(meter, value);
  if (source.size()) items.reserve(std::min<size_t>(*source.size(), 1 << 20));
  while (auto item = source.next()) items.push_back(std::move(*item));
  return items;
}

bool contains(Meter& meter, const Value& container, const Value& item) {
  if (container.is_string()) {
    if (!item.is_string()) {
      throw Failure(
          fmt::format("'in <string>' requires string as left operand, not {}", type_name(item)));
    }
    meter.work(container.text().size());
    return find_text(container.text(), item.text()) != std::string_view::npos;
  }
  if (container.is(Kind::kDict)) return container.as<Dict>().find(meter, item) != nullptr;
  if (container.is(Kind::kView) && container.as<View>().of == View::Of::kKeys) {
    return contains(meter, container.as<View>().dict, item);
  }
  if (container.is(Kind::kRange)) return range_contains(container.as<Range>(), item);
  if (!is_iterable(container)) {
    throw Failure(fmt::format("argument of type '{}' is not iterable", type_name(container)));
  }
  Source source(meter, container);
  while (const auto candidate = source.next()) {
    if (equals(meter, *candidate, item)) return true;
  }
  return false;
}

Source::Source(Meter& meter, Value value) : meter_(meter), value_(std::move(value)) {
  if (!is_iterable(value_) || value_.is(Kind::kLoop)) {
    throw Failure(fmt::format("'{}' object is not iterable", type_name(value_)));
  }
  size_ = length_of(value_);
  if (value_.is_string()) {
    const std::string& text = value_.text();
    for (size_t pos = 0; pos < text.size();) {
      const size_t end = next_character(text, pos);
      items_.push_back(meter_.string(text.substr(pos, end - pos)));
      pos = end;
    }
  }
}

std::optional<Value> Source::next() {
  meter_.step();
  const auto from = [this](const Values& items) -> std::optional<Value> {
    return next_ < items.size() ? std::optional(items[next_++]) : std::nullopt;
  };
  switch (value_.kind()) {
    case Kind::kList:
    case Kind::kTuple:
      return from(value_.items());
    case Kind::kString:
      return from(items_);
    case Kind::kIterator: {
      auto& iterator = value_.as<Iterator>();
      if (iterator.next < iterator.items.size()) return iterator.items[iterator.next++];
      if (iterator.failure) throw Failure(*std::exchange(iterator.failure, {}));
      return {};
    }
    case Kind::kRange: {
      const auto& range = value_.as<Range>();
      if (next_ >= static_cast<size_t>(range.size())) return {};
      return Value::integer(range.start + static_cast<int64_t>(next_++) * range.step);
    }
    case Kind::kDict: {
      const auto& entries = value_.as<Dict>().entries;
      return next_ < entries.size() ? std::optional(entries[next_++].first) : std::nullopt;
    }
    case Kind::kView:
      if (next_ >= *size_) return {};
      return view_item(meter_, value_.as<View>(), next_++);
    default:
      return {};
  }
}

}  // namespace braid::jinja
