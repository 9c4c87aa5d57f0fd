// Filters on lists, dicts and anything that can be iterated over.
#include <fmt/format.h>

#include <algorithm>

#include "text/jinja/characters.h"
#include "text/jinja/compare.h"
#include "text/jinja/filters.h"
#include "text/jinja/numbers.h"
#include "text/jinja/operators.h"
#include "text/jinja/printing.h"

namespace braid::jinja {
namespace {

Value lower_case(Meter& meter, const Value& value) {
  if (!value.is_string()) return value;
  meter.work(value.text().size());
  return meter.string(to_lower(value.text()));
}

// A generator of jinja2 does nothing until it is asked, and nothing at all for a false input. Ours
// does its work at once and keeps what fails for the one who takes that item.
template <class Make>
Value generate(Interpreter& run, const Make& make) {
  Values items;
  std::optional<std::string> failure;
  try {
    make(items);
  } catch (const LimitFailure&) {
    throw;
  } catch (const Failure& met) {
    failure = met.what();
  }
  return run.meter().iterator(std::move(items), std::move(failure));
}

template <class Take>
void for_each(Interpreter& run, const Value& input, const Take& take) {
  Source source(run.meter(), input);
  while (const auto item = source.next()) take(*item);
}

Value filter_attr(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("attr", arguments, {"name"}, 1);
  if (auto found = python_attribute(run.meter(), input, args.text(0))) return std::move(*found);
  return run.meter().undefined(
      fmt::format("'{} object' has no attribute '{}'", type_name(input), args.text(0)));
}

Value filter_length(Interpreter&, const Value& input, const Arguments& arguments) {
  const Bound args("length", arguments, {});
  if (input.is(Kind::kLoop)) throw Failure("the length of a loop is loop.length");
  return Value::integer(static_cast<int64_t>(length(input)));
}

Value filter_default(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("default", arguments, {"default_value", "boolean"});
  if (input.is_undefined() || (args.truth(1, false) && !truth(input))) {
    return args.has(0) ? args[0] : run.text("");
  }
  return input;
}

Value filter_list(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("list", arguments, {});
  return run.meter().list(items_of(run.meter(), input));
}

Value filter_items(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("items", arguments, {});
  return generate(run, [&](Values& items) {
    if (input.is_undefined()) return;
    if (!input.is(Kind::kDict)) throw Failure("can only get item pairs from a mapping");
    for (const auto& [key, value] : input.as<Dict>().entries) {
      items.push_back(run.meter().tuple({key, value}));
    }
  });
}

Value filter_first(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("first", arguments, {});
  Source source(run.meter(), input);
  if (auto item = source.next()) return std::move(*item);
  return run.meter().undefined("no first item, sequence was empty");
}

bool is_reversible(const Value& value) {
  return is_iterable(value) && !value.is(Kind::kIterator) && !value.is(Kind::kLoop);
}

Value filter_last(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("last", arguments, {});
  if (!is_reversible(input)) {
    throw Failure(fmt::format("'{}' object is not reversible", type_name(input)));
  }
  Values items = items_of(run.meter(), input);
  return items.empty() ? run.meter().undefined("no last item, sequence was empty")
                       : std::move(items.back());
}

Value filter_reverse(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("reverse", arguments, {});
  Meter& meter = run.meter();
  if (input.is_string()) {
    return slice_of(meter, input, Value::none(), Value::none(), Value::integer(-1));
  }
  const bool reversible = is_reversible(input);
  Values items = items_of(meter, input);
  std::reverse(items.begin(), items.end());
  return reversible ? meter.iterator(std::move(items)) : meter.list(std::move(items));
}

Value filter_join(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("join", arguments, {"d", "attribute"});
  Meter& meter = run.meter();
  const std::string separator = args.has(0) ? to_text(meter, args[0]) : "";
  const AttributePath path(meter, args.value(1, Value::none()));
  std::string out;
  bool first = true;
  for_each(run, input, [&](const Value& item) {
    if (!std::exchange(first, false)) out += separator;
    out += to_text(meter, path.get(meter, item));
    meter.check_string(out.size());
  });
  return run.text(std::move(out));
}

template <class Less>
void sort_values(Values& items, const std::vector<Values>& keys, bool reverse, const Less& less) {
  std::vector<size_t> order(items.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return reverse ? less(keys[b], keys[a]) : less(keys[a], keys[b]);
  });
  Values sorted;
  sorted.reserve(items.size());
  for (const size_t i : order) sorted.push_back(items[i]);
  items = std::move(sorted);
}

// Keys compare as Python's lists do: by the first items that differ.
bool less_keys(Meter& meter, const Values& a, const Values& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (!equals(meter, a[i], b[i])) return less(meter, a[i], b[i]);
  }
  return false;
}

void sort_by(Meter& meter, Values& items, const std::vector<AttributePath>& paths,
             bool case_sensitive, bool reverse, const Value& otherwise = Value::none()) {
  std::vector<Values> keys;
  for (const Value& item : items) {
    Values& key = keys.emplace_back();
    for (const AttributePath& path : paths) {
      Value part = path.get(meter, item, otherwise);
      key.push_back(case_sensitive ? std::move(part) : lower_case(meter, part));
    }
  }
  sort_values(items, keys, reverse,
              [&](const Values& a, const Values& b) { return less_keys(meter, a, b); });
}

Value filter_sort(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("sort", arguments, {"reverse", "case_sensitive", "attribute"});
  Meter& meter = run.meter();
  std::vector<AttributePath> paths;
  const Value attribute = args.value(2, Value::none());
  if (attribute.is_string()) {
    std::string_view rest = attribute.text();
    while (true) {
      const size_t comma = std::min(rest.find(','), rest.size());
      paths.emplace_back(meter, meter.string(std::string(rest.substr(0, comma))));
      if (comma == rest.size()) break;
      rest = rest.substr(comma + 1);
    }
  } else {
    paths.emplace_back(meter, attribute);
  }
  Values items = items_of(meter, input);
  sort_by(meter, items, paths, args.truth(1, false), args.truth(0, false));
  return meter.list(std::move(items));
}

Value filter_dictsort(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("dictsort", arguments, {"case_sensitive", "by", "reverse"});
  Meter& meter = run.meter();
  const std::string by = args.has(1) ? args.text(1) : "key";
  if (by != "key" && by != "value") throw Failure("dictsort: by is either \"key\" or \"value\"");
  require_defined(input);
  if (!input.is(Kind::kDict)) {
    throw Failure(fmt::format("'{} object' has no attribute 'items'", type_name(input)));
  }
  Values pairs;
  for (const auto& [key, value] : input.as<Dict>().entries)
    pairs.push_back(meter.tuple({key, value}));
  std::vector<AttributePath> paths;
  paths.emplace_back(meter, Value::integer(by == "key" ? 0 : 1));
  sort_by(meter, pairs, paths, args.truth(0, false), args.truth(2, false));
  return meter.list(std::move(pairs));
}

Value filter_unique(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("unique", arguments, {"case_sensitive", "attribute"});
  Meter& meter = run.meter();
  const AttributePath path(meter, args.value(1, Value::none()));
  const bool case_sensitive = args.truth(0, false);
  return generate(run, [&](Values& items) {
    auto seen = meter.dict();
    for_each(run, input, [&](const Value& item) {
      Value key = path.get(meter, item);
      if (!case_sensitive) key = lower_case(meter, key);
      if (seen->find(meter, key) != nullptr) return;
      seen->set(meter, std::move(key), Value::none());
      items.push_back(item);
    });
  });
}

Value extreme(Interpreter& run, const Value& input, const Arguments& arguments, bool largest) {
  const Bound args(largest ? "max" : "min", arguments, {"case_sensitive", "attribute"});
  Meter& meter = run.meter();
  const AttributePath path(meter, args.value(1, Value::none()));
  const bool case_sensitive = args.truth(0, false);
  std::optional<Value> best, best_key;
  for_each(run, input, [&](const Value& item) {
    Value key = path.get(meter, item);
    if (!case_sensitive) key = lower_case(meter, key);
    const bool better = !best || compare(meter, key, *best_key, largest ? ">" : "<") ==
                                     (largest ? Order::kGreater : Order::kLess);
    if (!better) return;
    best = item;
    best_key = std::move(key);
  });
  return best ? *best : meter.undefined("no aggregated item, sequence was empty");
}

Value filter_min(Interpreter& run, const Value& input, const Arguments& arguments) {
  return extreme(run, input, arguments, false);
}

Value filter_max(Interpreter& run, const Value& input, const Arguments& arguments) {
  return extreme(run, input, arguments, true);
}

Value filter_sum(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("sum", arguments, {"attribute", "start"});
  Meter& meter = run.meter();
  const AttributePath path(meter, args.value(0, Value::none()));
  Value total = args.value(1, Value::integer(0));
  if (total.is_string()) throw Failure("sum() can't sum strings");
  for_each(run, input, [&](const Value& item) {
    total = apply_binary(meter, Op::kAdd, total, path.get(meter, item));
  });
  return total;
}

Value filter_groupby(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("groupby", arguments, {"attribute", "default", "case_sensitive"}, 1);
  Meter& meter = run.meter();
  const AttributePath path(meter, args[0]);
  const Value otherwise = args.value(1, Value::none());
  const bool case_sensitive = args.truth(2, false);
  Values items = items_of(meter, input);
  sort_by(meter, items, {path}, case_sensitive, false, otherwise);
  Values groups;
  for (size_t i = 0; i < items.size();) {
    const Value grouper = path.get(meter, items[i], otherwise);
    const Value key = case_sensitive ? grouper : lower_case(meter, grouper);
    Values members;
    for (; i < items.size(); ++i) {
      const Value other = path.get(meter, items[i], otherwise);
      if (!equals(meter, key, case_sensitive ? other : lower_case(meter, other))) break;
      members.push_back(items[i]);
    }
    if (members.empty()) throw Failure("groupby: a key that does not equal itself");
    groups.push_back(meter.tuple({grouper, meter.list(std::move(members))}));
    groups.back().as<Sequence>().group = true;
  }
  return meter.list(std::move(groups));
}

Value filter_batch(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("batch", arguments, {"linecount", "fill_with"}, 1);
  Meter& meter = run.meter();
  const Value fill = args.value(1, Value::none());
  return generate(run, [&](Values& batches) {
    const int64_t size = require_integer(args[0]);
    Values batch;
    for_each(run, input, [&](const Value& item) {
      if (static_cast<int64_t>(batch.size()) == size) {
        batches.push_back(meter.list(std::exchange(batch, {})));
      }
      batch.push_back(item);
    });
    if (batch.empty()) return;
    while (!fill.is_none() && static_cast<int64_t>(batch.size()) < size) {
      meter.step();
      if (batch.size() > static_cast<size_t>(kMaxRange))
        throw LimitFailure("batch: too many items");
      batch.push_back(fill);
    }
    batches.push_back(meter.list(std::move(batch)));
  });
}

Value filter_slice(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("slice", arguments, {"slices", "fill_with"}, 1);
  Meter& meter = run.meter();
  const Value fill = args.value(1, Value::none());
  return generate(run, [&](Values& slices) {
    const Values items = items_of(meter, input);
    const int64_t n = require_integer(args[0]);
    if (n == 0) throw Failure("slice: division by zero");
    if (n > kMaxRange) throw LimitFailure(fmt::format("slice: more than {} slices", kMaxRange));
    const int64_t size = static_cast<int64_t>(items.size()) / std::max<int64_t>(n, 1);
    const int64_t longer = static_cast<int64_t>(items.size()) % std::max<int64_t>(n, 1);
    auto from = items.begin();
    for (int64_t i = 0; i < n; ++i) {
      meter.step();
      const auto to = from + size + (i < longer ? 1 : 0);
      Values slice(from, to);
      if (!fill.is_none() && i >= longer) slice.push_back(fill);
      slices.push_back(meter.list(std::move(slice)));
      from = to;
    }
  });
}

Value filter_map(Interpreter& run, const Value& input, const Arguments& arguments) {
  Meter& meter = run.meter();
  return generate(run, [&](Values& items) {
    if (!truth(input)) return;
    if (arguments.positional.empty()) {
      const Bound args("map", arguments, {"attribute", "default"});
      if (!args.has(0)) throw Failure("map requires a filter argument");
      const AttributePath path(meter, args[0]);
      for_each(run, input, [&](const Value& item) {
        items.push_back(path.get(meter, item, args.value(1, Value::none())));
      });
      return;
    }
    const std::string& name = require_text(arguments.positional[0], "map");
    const Filter* filter = find_filter(name);
    if (filter == nullptr) throw Failure(no_filter_message(name));
    const Arguments rest{{arguments.positional.begin() + 1, arguments.positional.end()},
                         arguments.named};
    for_each(run, input, [&](const Value& item) {
      const Nest nest(meter);
      items.push_back(filter->call(run, item, rest));
    });
  });
}

// select and reject (n_before = 0) and those on an attribute (1): how many arguments stand before
// the test's name.
Value choose(Interpreter& run, const Value& input, const Arguments& arguments, bool keep,
             size_t n_before) {
  Meter& meter = run.meter();
  return generate(run, [&](Values& items) {
    if (!truth(input)) return;
    const Values& given = arguments.positional;
    if (given.size() < n_before) throw Failure("missing parameter for attribute name");
    const AttributePath path(meter, n_before == 1 ? given[0] : Value::none());
    const Test* test = nullptr;
    Arguments rest;
    if (given.size() > n_before) {
      const std::string& name = require_text(given[n_before], "select");
      test = find_test(name);
      if (test == nullptr) throw Failure(no_test_message(name));
      rest = {{given.begin() + static_cast<ptrdiff_t>(n_before) + 1, given.end()}, arguments.named};
    }
    for_each(run, input, [&](const Value& item) {
      const Value subject = path.get(meter, item);
      if ((test != nullptr ? test->call(run, subject, rest) : truth(subject)) == keep) {
        items.push_back(item);
      }
    });
  });
}

Value filter_select(Interpreter& run, const Value& input, const Arguments& arguments) {
  return choose(run, input, arguments, true, 0);
}
Value filter_reject(Interpreter& run, const Value& input, const Arguments& arguments) {
  return choose(run, input, arguments, false, 0);
}
Value filter_selectattr(Interpreter& run, const Value& input, const Arguments& arguments) {
  return choose(run, input, arguments, true, 1);
}
Value filter_rejectattr(Interpreter& run, const Value& input, const Arguments& arguments) {
  return choose(run, input, arguments, false, 1);
}

constexpr Filter kFilters[] = {
    {"attr", filter_attr},       {"batch", filter_batch},     {"count", filter_length},
    {"d", filter_default},       {"default", filter_default}, {"dictsort", filter_dictsort},
    {"first", filter_first},     {"groupby", filter_groupby}, {"items", filter_items},
    {"join", filter_join},       {"last", filter_last},       {"length", filter_length},
    {"list", filter_list},       {"map", filter_map},         {"max", filter_max},
    {"min", filter_min},         {"reject", filter_reject},   {"rejectattr", filter_rejectattr},
    {"reverse", filter_reverse}, {"select", filter_select},   {"selectattr", filter_selectattr},
    {"slice", filter_slice},     {"sort", filter_sort},       {"sum", filter_sum},
    {"unique", filter_unique},
};

}  // namespace

std::span<const Filter> sequence_filters() { return kFilters; }

AttributePath::AttributePath(Meter& meter, const Value& attribute) {
  if (attribute.is_none()) return;
  if (!attribute.is_string()) {
    parts_.push_back(attribute);
    return;
  }
  std::string_view rest = attribute.text();
  while (true) {
    const size_t dot = std::min(rest.find('.'), rest.size());
    const std::string_view part = rest.substr(0, dot);
    const bool digits =
        !part.empty() && part.size() < 18 &&
        std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
    parts_.push_back(digits ? *parse_number(part, false) : meter.string(std::string(part)));
    if (dot == rest.size()) break;
    rest = rest.substr(dot + 1);
  }
}

Value AttributePath::get(Meter& meter, Value item, const Value& otherwise) const {
  for (const Value& part : parts_) {
    item = item_of(meter, item, part);
    if (item.is_undefined() && !otherwise.is_none()) item = otherwise;
  }
  return item;
}

const Filter* find_filter(std::string_view name) {
  for (const auto& table : {text_filters(), sequence_filters()}) {
    const auto found = std::find_if(table.begin(), table.end(),
                                    [&](const Filter& filter) { return filter.name == name; });
    if (found != table.end()) return &*found;
  }
  return nullptr;
}

std::string no_filter_message(std::string_view name) {
  for (const std::string_view refused : {"pprint", "random", "striptags", "urlize", "wordwrap"}) {
    if (name == refused)
      return fmt::format("the filter '{}' is not supported in chat templates", name);
  }
  return fmt::format("no filter named '{}' found", name);
}

}  // namespace braid::jinja
