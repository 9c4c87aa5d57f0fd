// Methods of dicts, lists, tuples, ranges, numbers, loops and cyclers.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <span>

#include "text/jinja/compare.h"
#include "text/jinja/functions.h"
#include "text/jinja/interpreter.h"

namespace braid::jinja {
namespace {

using Names = std::span<const std::string_view>;

constexpr std::string_view kDictMethods[] = {"copy", "fromkeys", "get", "items", "keys", "values"};
constexpr std::string_view kDictChanges[] = {"clear", "pop", "popitem", "setdefault", "update"};
constexpr std::string_view kListMethods[] = {"copy", "count", "index"};
constexpr std::string_view kListChanges[] = {"append", "clear", "pop",    "reverse",
                                             "insert", "sort",  "extend", "remove"};
constexpr std::string_view kTupleMethods[] = {"count", "index"};
constexpr std::string_view kIntMethods[] = {"bit_length", "conjugate"};
constexpr std::string_view kFloatMethods[] = {"is_integer", "conjugate"};
constexpr std::string_view kLoopMethods[] = {"cycle", "changed"};
constexpr std::string_view kCyclerMethods[] = {"next", "reset"};
constexpr std::string_view kDictTypeMethods[] = {"fromkeys"};

bool has(Names names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Names methods_of(const Value& self) {
  switch (self.kind()) {
    case Kind::kDict:
      return kDictMethods;
    case Kind::kList:
      return kListMethods;
    case Kind::kTuple:
    case Kind::kRange:
      return kTupleMethods;
    case Kind::kBool:
    case Kind::kInt:
      return kIntMethods;
    case Kind::kFloat:
      return kFloatMethods;
    case Kind::kLoop:
      return kLoopMethods;
    case Kind::kCycler:
      return kCyclerMethods;
    case Kind::kFunction:
      return self.as_int() == find_function("dict") ? Names(kDictTypeMethods) : Names();
    default:
      return {};
  }
}

Value from_keys(Interpreter& run, const Arguments& arguments) {
  const Bound args("fromkeys", arguments, {"iterable", "value"}, 1);
  auto dict = run.meter().dict();
  for (Value& key : items_of(run.meter(), args[0])) {
    dict->set(run.meter(), std::move(key), args.value(1, Value::none()));
  }
  return run.meter().finish(std::move(dict));
}

Value call_dict_method(Interpreter& run, const Value& self, std::string_view name,
                       const Arguments& arguments) {
  Meter& meter = run.meter();
  arguments.refuse_named(name);
  if (name == "get") {
    const Bound args("get", arguments, {"key", "default"}, 1);
    const Value* found = self.as<Dict>().find(meter, args[0]);
    return found != nullptr ? *found : args.value(1, Value::none());
  }
  if (name == "fromkeys") return from_keys(run, arguments);
  const Bound args(name, arguments, {});
  if (name == "items") return meter.view(View::Of::kItems, self);
  if (name == "keys") return meter.view(View::Of::kKeys, self);
  if (name == "values") return meter.view(View::Of::kValues, self);
  return self;  // copy: nothing can tell the two apart, for neither can change
}

Value call_sequence_method(Interpreter& run, const Value& self, std::string_view name,
                           const Arguments& arguments) {
  Meter& meter = run.meter();
  arguments.refuse_named(name);
  if (name == "copy") {
    const Bound args("copy", arguments, {});
    return self;
  }
  const bool range = self.is(Kind::kRange);
  const Bound args(name, arguments, {"value", "start", "stop"}, 1);
  if ((name == "count" || range) && args.has(1)) {
    throw Failure(fmt::format("{}() takes one argument", name));
  }
  const Values items = items_of(meter, self);
  const auto size = static_cast<int64_t>(items.size());
  const auto bound = [&](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + size : i, 0, size); };
  int64_t count = 0;
  const int64_t stop = bound(args.integer(2, size));
  for (int64_t i = bound(args.integer(1, 0)); i < stop; ++i) {
    if (!equals(meter, items[static_cast<size_t>(i)], args[0])) continue;
    if (name == "index") return Value::integer(i);
    ++count;
  }
  if (name == "index") throw Failure("index(): the value is not in the sequence");
  return Value::integer(count);
}

Value call_number_method(const Value& self, std::string_view name, const Arguments& arguments) {
  const Bound args(name, arguments, {});
  if (name == "conjugate") return self;
  if (name == "is_integer") return Value::boolean(std::floor(self.as_double()) == self.as_double());
  const auto value = static_cast<uint64_t>(self.as_int());
  return Value::integer(std::bit_width(self.as_int() < 0 ? 0 - value : value));
}

Value call_cycler_method(const Value& self, std::string_view name, const Arguments& arguments) {
  const Bound args(name, arguments, {});
  auto& cycler = self.as<Cycler>();
  if (name == "reset") {
    cycler.position = 0;
    return Value::none();
  }
  const size_t at = cycler.position;
  cycler.position = (at + 1) % cycler.items.size();
  return cycler.items[at];
}

}  // namespace

bool has_method(const Value& self, std::string_view name) {
  return self.is_string() ? has_text_method(name) : has(methods_of(self), name);
}

bool is_mutating_method(const Value& self, std::string_view name) {
  return (self.is(Kind::kDict) && has(kDictChanges, name)) ||
         (self.is(Kind::kList) && has(kListChanges, name));
}

Value call_method(Interpreter& run, const Method& method, const Arguments& arguments) {
  const Value self = method.self;
  switch (self.kind()) {
    case Kind::kString:
      return call_text_method(run, self, method.name, arguments);
    case Kind::kDict:
      return call_dict_method(run, self, method.name, arguments);
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kRange:
      return call_sequence_method(run, self, method.name, arguments);
    case Kind::kLoop:
      return call_loop_method(run, self, method.name, arguments);
    case Kind::kCycler:
      return call_cycler_method(self, method.name, arguments);
    case Kind::kFunction:
      return from_keys(run, arguments);
    default:
      return call_number_method(self, method.name, arguments);
  }
}

}  // namespace braid::jinja
