// The global functions of a template.
#include <fmt/format.h>

#include <array>
#include <ctime>

#include "text/jinja/compare.h"
#include "text/jinja/functions.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/printing.h"

namespace braid::jinja {
namespace {

enum Function : int64_t {
  kRange,
  kDictType,
  kNamespaceType,
  kCyclerType,
  kJoinerType,
  kLipsum,
  kRaise,
  kStrftimeNow,
  kCount
};
constexpr std::array<std::string_view, kCount> kNames = {
    "range", "dict", "namespace", "cycler", "joiner", "lipsum", "raise_exception", "strftime_now"};

Value make_range(Interpreter& run, const Arguments& arguments) {
  arguments.refuse_named("range");
  const Values& given = arguments.positional;
  if (given.empty() || given.size() > 3) throw Failure("range() takes 1 to 3 arguments");
  std::array<int64_t, 3> numbers = {0, 0, 1};
  if (given.size() == 1) {
    numbers[1] = require_integer(given[0]);
  } else {
    for (size_t i = 0; i < given.size(); ++i) numbers[i] = require_integer(given[i]);
  }
  const auto& [start, stop, step] = numbers;
  if (step == 0) throw Failure("range() arg 3 must not be zero");
  for (const int64_t number : numbers) {
    if (number > kMaxRangeNumber || number < -kMaxRangeNumber) {
      throw LimitFailure("range() of too large numbers");
    }
  }
  const Value range = run.meter().range(start, stop, step);
  if (range.as<Range>().size() > kMaxRange) {
    throw LimitFailure(fmt::format("range() of more than {} numbers", kMaxRange));
  }
  return range;
}

// dict(mapping or pairs, **named)
std::shared_ptr<Dict> make_dict(Interpreter& run, std::string_view callee,
                                const Arguments& arguments) {
  Meter& meter = run.meter();
  if (arguments.positional.size() > 1) {
    throw Failure(fmt::format("{}() takes at most one argument", callee));
  }
  auto dict = meter.dict();
  if (!arguments.positional.empty()) {
    const Value& from = arguments.positional[0];
    if (from.is(Kind::kDict)) {
      for (const auto& [key, value] : from.as<Dict>().entries) dict->set(meter, key, value);
    } else {
      for (const Value& item : items_of(meter, from)) {
        Values pair = items_of(meter, item);
        if (pair.size() != 2)
          throw Failure(fmt::format("{}() wants pairs of key and value", callee));
        dict->set(meter, pair[0], pair[1]);
      }
    }
  }
  for (const auto& [name, value] : arguments.named) dict->set(meter, meter.string(name), value);
  return dict;
}

Value make_namespace(Interpreter& run, const Arguments& arguments) {
  const auto dict = make_dict(run, "namespace", arguments);
  Value space = run.meter().name_space();
  for (const auto& [key, value] : dict->entries) {
    if (!key.is_string()) throw Failure("the names of a namespace are texts");
    if (key.text().starts_with('_')) {
      throw Failure(fmt::format(
          "a namespace does not take the name '{}': it begins with an underscore", key.text()));
    }
    run.meter().step(space.as<Namespace>().attributes.size());
    space.as<Namespace>().set(key.text(), value);
  }
  return space;
}

// One directive of strftime, in the C locale; empty when there is none of this letter.
std::string format_time(const std::tm& time, char directive, bool plain) {
  constexpr std::string_view kDirectives = "aAbBcdDeFgGhHIjklmMnprRsStTuUVwWxXyYzZ%";
  if (kDirectives.find(directive) == std::string_view::npos) return "";
  const std::string format = plain ? std::string("%-") + directive : std::string("%") + directive;
  char buffer[100];
  return std::string(buffer, std::strftime(buffer, sizeof buffer, format.c_str(), &time));
}

Value strftime_now(Interpreter& run, const Arguments& arguments) {
  const Bound args("strftime_now", arguments, {"format"}, 1);
  const std::string& format = args.text(0);
  const std::tm time = run.now();
  std::string out;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      out += format[i];
      continue;
    }
    const bool plain = format[i + 1] == '-' && i + 2 < format.size();
    i += plain ? 2 : 1;
    if (format[i] == 'f') {
      out += "000000";
      continue;
    }
    const std::string part = format_time(time, format[i], plain);
    out += part.empty() ? std::string(plain ? "%-" : "%") + format[i] : part;
    run.meter().check_string(out.size());
  }
  return run.text(std::move(out));
}

}  // namespace

int64_t find_function(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<int64_t>(i);
  }
  return -1;
}

std::string_view function_name(int64_t id) { return kNames[static_cast<size_t>(id)]; }

Value call_function(Interpreter& run, int64_t id, const Arguments& arguments) {
  switch (static_cast<Function>(id)) {
    case kRange:
      return make_range(run, arguments);
    case kDictType:
      return run.meter().finish(make_dict(run, "dict", arguments));
    case kNamespaceType:
      return make_namespace(run, arguments);
    case kCyclerType:
      arguments.refuse_named("cycler");
      if (arguments.positional.empty()) throw Failure("cycler() wants at least one item");
      return run.meter().cycler(arguments.positional);
    case kJoinerType: {
      const Bound args("joiner", arguments, {"sep"});
      return run.meter().joiner(args.has(0) ? args[0] : run.text(", "));
    }
    case kRaise: {
      const Bound args("raise_exception", arguments, {"message"}, 1);
      throw Failure(to_text(run.meter(), args[0]));
    }
    case kStrftimeNow:
      return strftime_now(run, arguments);
    default:
      throw Failure("lipsum() is not supported in chat templates");
  }
}

}  // namespace braid::jinja
