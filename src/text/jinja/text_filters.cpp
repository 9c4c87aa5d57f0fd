// Filters that make texts and numbers.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "text/jinja/characters.h"
#include "text/jinja/compare.h"
#include "text/jinja/filters.h"
#include "text/jinja/formatting.h"
#include "text/jinja/numbers.h"
#include "text/jinja/printing.h"
#include "text/jinja/search.h"

namespace braid::jinja {
namespace {

bool is_markup(const Value& value) { return value.is_string() && value.as<Str>().markup; }

// soft_str(value) changed by a function of texts; Markup stays Markup.
template <class Change>
Value changed(Interpreter& run, const Value& input, const Change& change) {
  const Value text = soft_string(run.meter(), input);
  run.meter().work(text.text().size());
  return run.meter().string(std::string(change(text.text())), is_markup(text));
}

Value filter_upper(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("upper", arguments, {});
  return changed(run, input, [](const std::string& text) { return to_upper(text); });
}

Value filter_lower(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("lower", arguments, {});
  return changed(run, input, [](const std::string& text) { return to_lower(text); });
}

Value filter_capitalize(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("capitalize", arguments, {});
  return changed(run, input, [](const std::string& text) { return capitalize(text); });
}

Value filter_trim(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("trim", arguments, {"chars"});
  const std::string* set = args.is_set(0) ? &args.text(0) : nullptr;
  return changed(run, input, [&](const std::string& text) { return strip(text, true, true, set); });
}

Value filter_title(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("title", arguments, {});
  std::string out;
  const Value text = soft_string(run.meter(), input);
  run.meter().work(text.text().size());
  std::string word;
  const auto finish_word = [&] {
    const size_t first = word.empty() ? 0 : next_character(word, 0);
    out += to_upper(word.substr(0, first)) + to_lower(word.substr(first));
    word.clear();
  };
  for (const char32_t c : to_characters(text.text())) {
    const bool between =
        is_space(c) || c == U'-' || c == U'(' || c == U'{' || c == U'[' || c == U'<';
    if (between) finish_word();
    append_utf8(between ? out : word, c);
  }
  finish_word();
  return run.text(std::move(out));
}

Value filter_string(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("string", arguments, {});
  return soft_string(run.meter(), input);
}

Value filter_safe(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("safe", arguments, {});
  return run.meter().string(to_text(run.meter(), input), true);
}

Value filter_escape(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("escape", arguments, {});
  if (is_markup(input)) return input;
  return run.meter().string(escape_html(to_text(run.meter(), input)), true);
}

Value filter_force_escape(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("forceescape", arguments, {});
  return run.meter().string(escape_html(to_text(run.meter(), input)), true);
}

Value filter_center(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("center", arguments, {"width"});
  return changed(run, input, [&](const std::string& text) {
    return center_text(run.meter(), text, args.integer(0, 80), " ");
  });
}

Value filter_replace(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("replace", arguments, {"old", "new", "count"}, 2);
  Meter& meter = run.meter();
  const int64_t count = args.is_set(2) ? args.integer(2, -1) : -1;
  return run.text(replace_text(meter, to_text(meter, input), to_text(meter, args[0]),
                               to_text(meter, args[1]), count));
}

Value filter_format(Interpreter& run, const Value& input, const Arguments& arguments) {
  Meter& meter = run.meter();
  if (!arguments.positional.empty() && !arguments.named.empty()) {
    throw Failure("format: positional and keyword arguments at the same time");
  }
  const Value text = soft_string(meter, input);
  if (arguments.named.empty())
    return format_percent(meter, text, meter.tuple(arguments.positional));
  auto dict = meter.dict();
  for (const auto& [name, value] : arguments.named) dict->set(meter, meter.string(name), value);
  return format_percent(meter, text, meter.finish(std::move(dict)));
}

Value filter_indent(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("indent", arguments, {"width", "first", "blank"});
  Meter& meter = run.meter();
  const std::string text = require_text(input, "indent") + "\n";
  const std::string indent =
      args.has(0) && args[0].is_string() ? args[0].text() : padding(meter, " ", args.integer(0, 4));
  const bool blank = args.truth(2, false);
  std::string out = args.truth(1, false) ? indent : "";
  bool first = true;
  for (const std::string_view line : split_lines(text)) {
    if (!first) {
      out += '\n';
      if (blank || !line.empty()) out += indent;
    }
    first = false;
    out += line;
    meter.check_string(out.size());
  }
  return meter.string(std::move(out), is_markup(input));
}

Value filter_truncate(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("truncate", arguments, {"length", "killwords", "end", "leeway"});
  const int64_t size = args.integer(0, 255);
  const std::string end = args.has(2) ? args.text(2) : "...";
  const auto end_size = static_cast<int64_t>(count_characters(end));
  const int64_t leeway = args.is_set(3) ? args.integer(3, 5) : 5;
  if (size < end_size || leeway < 0) throw Failure("truncate: the length is too small");
  if (static_cast<int64_t>(length(input)) <= size + leeway) return input;
  const std::string& text = require_text(input, "truncate");
  std::string_view head =
      std::string_view(text).substr(0, byte_offset(text, static_cast<size_t>(size - end_size)));
  if (!args.truth(1, false)) head = head.substr(0, std::min(head.rfind(' '), head.size()));
  return run.meter().string(std::string(head) + end, is_markup(input));
}

Value filter_wordcount(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("wordcount", arguments, {});
  int64_t words = 0;
  bool in_word = false;
  for (const char32_t c : to_characters(to_text(run.meter(), input))) {
    words += is_word(c) && !in_word;
    in_word = is_word(c);
  }
  return Value::integer(words);
}

std::string quote_url(Meter& meter, const Value& value, bool query) {
  std::string out;
  for (const char c : to_text(meter, value)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("_.-~").find(c) != std::string_view::npos;
    if (plain || (c == '/' && !query)) {
      out += c;
    } else if (c == ' ' && query) {
      out += '+';
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

Value filter_urlencode(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("urlencode", arguments, {});
  Meter& meter = run.meter();
  if (input.is_string() || !is_iterable(input)) return run.text(quote_url(meter, input, false));
  Values pairs;
  if (input.is(Kind::kDict)) {
    for (const auto& [key, value] : input.as<Dict>().entries)
      pairs.push_back(meter.tuple({key, value}));
  } else {
    pairs = items_of(meter, input);
  }
  std::string out;
  for (const Value& pair : pairs) {
    const Values parts = items_of(meter, pair);
    if (parts.size() != 2) throw Failure("urlencode wants pairs of a key and a value");
    out += (out.empty() ? "" : "&") + quote_url(meter, parts[0], true) + "=" +
           quote_url(meter, parts[1], true);
  }
  return run.text(std::move(out));
}

Value filter_xmlattr(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("xmlattr", arguments, {"autospace"});
  require_defined(input);
  if (!input.is(Kind::kDict)) throw Failure("xmlattr wants a mapping");
  const auto escaped = [&](const Value& value) {
    const std::string text = to_text(run.meter(), value);
    return is_markup(value) ? text : escape_html(text);
  };
  std::string out;
  for (const auto& [key, value] : input.as<Dict>().entries) {
    if (value.is_none() || value.is_undefined()) continue;
    if (require_text(key, "xmlattr").find_first_of(" \t\n\r\f\v/>=") != std::string::npos) {
      throw Failure("xmlattr: invalid character in attribute name: " + repr_text(key.text()));
    }
    out += (out.empty() ? "" : " ") + escaped(key) + "=\"" + escaped(value) + "\"";
  }
  return run.text(args.truth(0, true) && !out.empty() ? " " + out : out);
}

Value filter_filesizeformat(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("filesizeformat", arguments, {"binary"});
  require_defined(input);
  const auto size = input.is_number()   ? std::optional(input.as_double())
                    : input.is_string() ? real_from_text(input.text())
                                        : std::nullopt;
  if (!size) throw Failure("filesizeformat wants a number");
  const bool binary = args.truth(0, false);
  const double base = binary ? 1024 : 1000;
  if (*size == 1) return run.text("1 Byte");
  if (*size < base) return run.text(fmt::format("{} Bytes", integer_from_real(*size).as_int()));
  constexpr std::string_view kPrefixes = "kMGTPEZY";
  double unit = base;
  for (size_t i = 0;; ++i) {
    if (*size < unit * base || i + 1 == kPrefixes.size()) {
      const char prefix = binary && i == 0 ? 'K' : kPrefixes[i];
      return run.text(fmt::format("{:.1f} {}{}", *size / unit, prefix, binary ? "iB" : "B"));
    }
    unit *= base;
  }
}

Value filter_int(Interpreter&, const Value& input, const Arguments& arguments) {
  const Bound args("int", arguments, {"default", "base"});
  require_defined(input);
  const Value otherwise = args.value(0, Value::integer(0));
  if (input.is_string()) {
    const int64_t base = args.integer(1, 10);
    if (base == 0 || (base >= 2 && base <= 36)) {
      if (const auto value = integer_from_text(input.text(), static_cast<int>(base))) return *value;
    }
    const auto real = real_from_text(input.text());
    return real && std::isfinite(*real) ? integer_from_real(*real) : otherwise;
  }
  if (input.is(Kind::kFloat)) {
    return std::isnan(input.as_double()) ? otherwise : integer_from_real(input.as_double());
  }
  if (input.is(Kind::kBig)) return input;
  return input.is_integer() ? Value::integer(input.as_int()) : otherwise;
}

Value filter_float(Interpreter&, const Value& input, const Arguments& arguments) {
  const Bound args("float", arguments, {"default"});
  require_defined(input);
  if (input.is_number()) return Value::real(input.as_double());
  if (input.is_string()) {
    if (const auto real = real_from_text(input.text())) return Value::real(*real);
  }
  return args.value(0, Value::real(0));
}

Value filter_abs(Interpreter&, const Value& input, const Arguments& arguments) {
  const Bound args("abs", arguments, {});
  require_defined(input);
  if (!input.is_number())
    throw Failure(fmt::format("bad operand type for abs(): '{}'", type_name(input)));
  return absolute(input);
}

Value filter_round(Interpreter&, const Value& input, const Arguments& arguments) {
  const Bound args("round", arguments, {"precision", "method"});
  const std::string method = args.has(1) ? args.text(1) : "common";
  require_defined(input);
  if (method != "common" && method != "ceil" && method != "floor") {
    throw Failure("round: method must be common, ceil or floor");
  }
  if (!input.is_number())
    throw Failure(fmt::format("round wants a number, not '{}'", type_name(input)));
  const int64_t precision = args.integer(0, 0);
  if (method == "common") return round_number(input, precision);
  const Value unit = calculate(Op::kPow, Value::integer(10), Value::integer(precision));
  const double scaled = calculate(Op::kMul, input, unit).as_double();
  const Value whole = integer_from_real(method == "ceil" ? std::ceil(scaled) : std::floor(scaled));
  return calculate(Op::kDiv, whole, unit);
}

Value filter_tojson(Interpreter& run, const Value& input, const Arguments& arguments) {
  const Bound args("tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ascii_only = args.truth(0, false);
  style.sort_keys = args.truth(3, false);
  if (args.is_set(1)) {
    style.pretty = true;
    style.item_separator = ",";
    style.indent =
        args[1].is_string() ? args[1].text() : padding(run.meter(), " ", args.integer(1, 0));
  }
  if (args.is_set(2)) {
    const Values separators = items_of(run.meter(), args[2]);
    if (separators.size() != 2) throw Failure("tojson: separators are two texts");
    style.item_separator = require_text(separators[0], "tojson");
    style.key_separator = require_text(separators[1], "tojson");
  }
  return run.text(to_json(run.meter(), input, style));
}

constexpr Filter kFilters[] = {
    {"abs", filter_abs},
    {"capitalize", filter_capitalize},
    {"center", filter_center},
    {"e", filter_escape},
    {"escape", filter_escape},
    {"filesizeformat", filter_filesizeformat},
    {"float", filter_float},
    {"forceescape", filter_force_escape},
    {"format", filter_format},
    {"indent", filter_indent},
    {"int", filter_int},
    {"lower", filter_lower},
    {"replace", filter_replace},
    {"round", filter_round},
    {"safe", filter_safe},
    {"string", filter_string},
    {"title", filter_title},
    {"tojson", filter_tojson},
    {"trim", filter_trim},
    {"truncate", filter_truncate},
    {"upper", filter_upper},
    {"urlencode", filter_urlencode},
    {"wordcount", filter_wordcount},
    {"xmlattr", filter_xmlattr},
};

}  // namespace

std::span<const Filter> text_filters() { return kFilters; }

std::string padding(Meter& meter, std::string_view fill, int64_t count) {
  std::string out;
  if (count <= 0) return out;
  meter.check_string(std::min<size_t>(static_cast<size_t>(count), SIZE_MAX / 8) * fill.size());
  for (int64_t i = 0; i < count; ++i) out += fill;
  return out;
}

std::string center_text(Meter& meter, std::string_view text, int64_t width, std::string_view fill) {
  const auto size = static_cast<int64_t>(count_characters(text));
  if (width <= size) return std::string(text);
  const int64_t missing = width - size;
  const int64_t left = missing / 2 + (missing & width & 1);
  return padding(meter, fill, left) + std::string(text) + padding(meter, fill, missing - left);
}

std::string replace_text(Meter& meter, std::string_view text, std::string_view old,
                         std::string_view with, int64_t count) {
  const size_t max = count < 0 ? SIZE_MAX : static_cast<size_t>(count);
  meter.work(text.size());
  std::string out;
  if (old.empty()) {  // before each character and at the end
    size_t done = 0;
    for (size_t pos = 0; pos <= text.size();) {
      if (done++ < max) out += with;
      if (pos == text.size()) break;
      const size_t next = next_character(text, pos);
      out += text.substr(pos, next - pos);
      pos = next;
      meter.check_string(out.size());
    }
    return out;
  }
  size_t pos = 0;
  for (const size_t found : find_all_text(text, old, max)) {
    out += text.substr(pos, found - pos);
    out += with;
    pos = found + old.size();
    meter.check_string(out.size());
  }
  out += text.substr(pos);
  return out;
}

}  // namespace braid::jinja
