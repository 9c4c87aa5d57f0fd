// Methods of texts, as Python's str has them.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "text/jinja/characters.h"
#include "text/jinja/compare.h"
#include "text/jinja/filters.h"
#include "text/jinja/formatting.h"
#include "text/jinja/printing.h"
#include "text/jinja/search.h"

namespace braid::jinja {
namespace {

// A call in progress: the text, and answers that are Markup where the text is.
struct Call {
  Interpreter& run;
  const Str& self;
  std::string_view name;
  const Arguments& arguments;

  Meter& meter() const { return run.meter(); }
  const std::string& text() const { return self.text; }
  Value answer(std::string_view value) const {
    return meter().string(std::string(value), self.markup);
  }
  Value answer_list(const std::vector<std::string_view>& parts) const {
    Values items;
    items.reserve(parts.size());
    for (const std::string_view part : parts) items.push_back(answer(part));
    return meter().list(std::move(items));
  }
  // In Markup, what comes from outside is escaped.
  std::string inserted(const Value& value) const {
    const std::string& other = require_text(value, name);
    return self.markup && !value.as<Str>().markup ? escape_html(other) : other;
  }
};

template <std::string (*change)(std::string_view)>
Value change_case(const Call& call) {
  const Bound args(call.name, call.arguments, {});
  return call.answer(change(call.text()));
}

Value do_strip(const Call& call, bool left, bool right) {
  const Bound args(call.name, call.arguments, {"chars"});
  return call.answer(strip(call.text(), left, right, args.is_set(0) ? &args.text(0) : nullptr));
}

Value do_lstrip(const Call& call) { return do_strip(call, true, false); }
Value do_rstrip(const Call& call) { return do_strip(call, false, true); }
Value do_strip_both(const Call& call) { return do_strip(call, true, true); }

std::vector<std::string_view> split_at(std::string_view text, std::string_view separator,
                                       const std::vector<size_t>& places) {
  std::vector<std::string_view> parts;
  size_t begin = 0;
  for (const size_t place : places) {
    parts.push_back(text.substr(begin, place - begin));
    begin = place + separator.size();
  }
  parts.push_back(text.substr(begin));
  return parts;
}

std::vector<std::string_view> split_spaces(std::string_view text, size_t max) {
  std::vector<std::string_view> parts;
  text = strip(text, true, false);
  while (!text.empty()) {
    if (parts.size() == max) {
      parts.push_back(text);
      break;
    }
    size_t end = 0;
    while (end < text.size() && !is_space(character_at(text, end))) end = next_character(text, end);
    parts.push_back(text.substr(0, end));
    text = strip(text.substr(end), true, false);
  }
  return parts;
}

std::vector<std::string_view> split_spaces_from_right(std::string_view text, size_t max) {
  std::vector<std::string_view> parts;
  text = strip(text, false, true);
  while (!text.empty()) {
    if (parts.size() == max) {
      parts.push_back(text);
      break;
    }
    size_t begin = text.size();
    while (begin > 0) {
      size_t previous = begin - 1;
      while (previous > 0 && (text[previous] & 0xC0) == 0x80) --previous;
      if (is_space(character_at(text, previous))) break;
      begin = previous;
    }
    parts.push_back(text.substr(begin));
    text = strip(text.substr(0, begin), false, true);
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

Value do_split(const Call& call, bool from_right) {
  const Bound args(call.name, call.arguments, {"sep", "maxsplit"});
  const int64_t limit = args.integer(1, -1);
  const size_t max = limit < 0 ? SIZE_MAX : static_cast<size_t>(limit);
  if (!args.is_set(0)) {
    return call.answer_list(from_right ? split_spaces_from_right(call.text(), max)
                                       : split_spaces(call.text(), max));
  }
  const std::string& separator = args.text(0);
  if (separator.empty()) throw Failure("split(): empty separator");
  return call.answer_list(
      split_at(call.text(), separator, find_all_text(call.text(), separator, max, from_right)));
}

Value do_split_left(const Call& call) { return do_split(call, false); }
Value do_split_right(const Call& call) { return do_split(call, true); }

Value do_splitlines(const Call& call) {
  const Bound args(call.name, call.arguments, {"keepends"});
  return call.answer_list(split_lines(call.text(), args.truth(0, false)));
}

Value do_partition(const Call& call) {
  const Bound args(call.name, call.arguments, {"sep"}, 1);
  const std::string& separator = args.text(0);
  if (separator.empty()) throw Failure("partition(): empty separator");
  const bool right = call.name == "rpartition";
  const std::string_view text = call.text();
  const size_t at = right ? find_last_text(text, separator) : find_text(text, separator);
  Values parts;
  if (at == std::string_view::npos) {
    parts = {call.answer(right ? "" : text), call.answer(""), call.answer(right ? text : "")};
  } else {
    parts = {call.answer(text.substr(0, at)), call.answer(separator),
             call.answer(text.substr(at + separator.size()))};
  }
  return call.meter().tuple(std::move(parts));
}

// text[start:end], and the number of the character at which it begins; nothing where the start is
// behind the end.
struct Part {
  std::string_view text;
  int64_t first = 0;
};

std::optional<Part> part_of(const Call& call, const Bound& args) {
  const auto size = static_cast<int64_t>(call.self.characters);
  const auto bound = [&](size_t i, int64_t otherwise) {
    int64_t index = args.is_set(i) ? args.integer(i, otherwise) : otherwise;
    if (index < 0) index = std::max<int64_t>(index + size, 0);
    return index;
  };
  const int64_t start = bound(1, 0);
  const int64_t end = std::min(bound(2, size), size);
  if (start > size || start > end) return {};
  const std::string_view text = call.text();
  const size_t begin = byte_offset(text, static_cast<size_t>(start));
  const std::string_view rest = text.substr(begin);
  return Part{rest.substr(0, byte_offset(rest, static_cast<size_t>(end - start))), start};
}

Value do_affix(const Call& call) {
  const Bound args(call.name, call.arguments, {"affix", "start", "end"}, 1);
  const auto part = part_of(call, args);
  Values affixes = {args[0]};
  if (args[0].is(Kind::kTuple)) affixes = args[0].items();
  bool found = false;
  for (const Value& affix : affixes) {
    const std::string& text = require_text(affix, call.name);
    found = found || (part && (call.name == "startswith" ? part->text.starts_with(text)
                                                         : part->text.ends_with(text)));
  }
  return Value::boolean(found);
}

Value do_find(const Call& call) {
  const Bound args(call.name, call.arguments, {"sub", "start", "end"}, 1);
  const std::string& needle = args.text(0);
  const bool right = call.name.starts_with('r');
  const auto part = part_of(call, args);
  const size_t at = !part   ? std::string_view::npos
                    : right ? find_last_text(part->text, needle)
                            : find_text(part->text, needle);
  if (at != std::string_view::npos) {
    return Value::integer(part->first +
                          static_cast<int64_t>(count_characters(part->text.substr(0, at))));
  }
  if (call.name.ends_with("index")) throw Failure("substring not found");
  return Value::integer(-1);
}

Value do_count(const Call& call) {
  const Bound args(call.name, call.arguments, {"sub", "start", "end"}, 1);
  const std::string& needle = args.text(0);
  const auto part = part_of(call, args);
  if (!part) return Value::integer(0);
  const size_t n = needle.empty() ? count_characters(part->text) + 1
                                  : find_all_text(part->text, needle, SIZE_MAX).size();
  return Value::integer(static_cast<int64_t>(n));
}

Value do_replace(const Call& call) {
  call.arguments.refuse_named(call.name);
  const Bound args(call.name, call.arguments, {"old", "new", "count"}, 2);
  return call.answer(replace_text(call.meter(), call.text(), args.text(0), call.inserted(args[1]),
                                  args.integer(2, -1)));
}

Value do_join(const Call& call) {
  const Bound args(call.name, call.arguments, {"iterable"}, 1);
  std::string out;
  bool first = true;
  Source source(call.meter(), args[0]);
  while (const auto item = source.next()) {
    if (!std::exchange(first, false)) out += call.text();
    out += call.inserted(*item);
    call.meter().check_string(out.size());
  }
  return call.answer(out);
}

Value do_remove_affix(const Call& call) {
  const Bound args(call.name, call.arguments, {"affix"}, 1);
  const std::string_view text = call.text();
  const std::string& affix = args.text(0);
  if (call.name == "removeprefix") {
    return call.answer(text.starts_with(affix) ? text.substr(affix.size()) : text);
  }
  return call.answer(text.ends_with(affix) ? text.substr(0, text.size() - affix.size()) : text);
}

Value do_justify(const Call& call) {
  const Bound args(call.name, call.arguments, {"width", "fillchar"}, 1);
  const std::string fill = args.has(1) ? args.text(1) : " ";
  if (count_characters(fill) != 1) throw Failure("the fill character must be one character long");
  const int64_t width = args.integer(0, 0);
  if (call.name == "center")
    return call.answer(center_text(call.meter(), call.text(), width, fill));
  const std::string space =
      padding(call.meter(), fill, width - static_cast<int64_t>(call.self.characters));
  return call.answer(call.name == "ljust" ? call.text() + space : space + call.text());
}

Value do_zfill(const Call& call) {
  const Bound args(call.name, call.arguments, {"width"}, 1);
  const std::string& text = call.text();
  const bool sign = !text.empty() && (text[0] == '-' || text[0] == '+');
  const std::string zeros =
      padding(call.meter(), "0", args.integer(0, 0) - static_cast<int64_t>(call.self.characters));
  return call.answer(text.substr(0, sign) + zeros + text.substr(sign));
}

Value do_expandtabs(const Call& call) {
  const Bound args(call.name, call.arguments, {"tabsize"});
  const int64_t size = args.integer(0, 8);
  int64_t column = 0;
  std::string out;
  for (const char32_t c : to_characters(call.text())) {
    if (c == U'\t') {
      const int64_t fill = size > 0 ? size - column % size : 0;
      out += padding(call.meter(), " ", fill);
      column += fill;
    } else {
      append_utf8(out, c);
      column = c == U'\n' || c == U'\r' ? 0 : column + 1;
    }
    call.meter().check_string(out.size());
  }
  return call.answer(out);
}

Value do_format(const Call& call) {
  const Value self = call.answer(call.text());
  if (call.name == "format") return format_braces(call.meter(), self, call.arguments);
  const Bound args(call.name, call.arguments, {"mapping"}, 1);
  if (!args[0].is(Kind::kDict)) throw Failure("format_map() wants a mapping");
  Arguments named;
  for (const auto& [key, value] : args[0].as<Dict>().entries) {
    if (key.is_string()) named.named.emplace_back(key.text(), value);
  }
  return format_braces(call.meter(), self, named);
}

// True when the text is not empty and all its characters are of the class.
template <bool (*is_in)(char32_t)>
Value all_are(const Call& call) {
  const Bound args(call.name, call.arguments, {});
  const std::u32string characters = to_characters(call.text());
  return Value::boolean(!characters.empty() &&
                        std::all_of(characters.begin(), characters.end(), is_in));
}

bool is_alnum(char32_t c) { return is_alpha(c) || is_numeric(c); }

Value do_is_case(const Call& call) {
  const Bound args(call.name, call.arguments, {});
  const bool upper = call.name == "isupper";
  bool any = false;
  for (const char32_t c : to_characters(call.text())) {
    if ((upper ? is_lower(c) : is_upper(c)) || is_title(c)) return Value::boolean(false);
    any = any || (upper ? is_upper(c) : is_lower(c));
  }
  return Value::boolean(any);
}

Value do_istitle(const Call& call) {
  const Bound args(call.name, call.arguments, {});
  bool any = false;
  bool in_word = false;
  for (const char32_t c : to_characters(call.text())) {
    const bool upper = is_upper(c) || is_title(c);
    if (upper ? in_word : is_lower(c) && !in_word) return Value::boolean(false);
    in_word = upper || is_lower(c);
    any = any || in_word;
  }
  return Value::boolean(any);
}

Value do_isascii(const Call& call) {
  const Bound args(call.name, call.arguments, {});
  return Value::boolean(call.self.is_ascii());
}

Value do_isprintable(const Call& call) {
  const Bound args(call.name, call.arguments, {});
  return Value::boolean(call.text().empty() || truth(all_are<is_printable>(call)));
}

Value do_isidentifier(const Call& call) {
  const Bound args(call.name, call.arguments, {});
  const std::u32string characters = to_characters(call.text());
  return Value::boolean(!characters.empty() && !is_numeric(characters[0]) &&
                        std::all_of(characters.begin(), characters.end(), is_word));
}

struct TextMethod {
  std::string_view name;
  Value (*call)(const Call& call);
};

constexpr TextMethod kMethods[] = {
    {"capitalize", change_case<capitalize>},
    {"casefold", change_case<to_lower>},
    {"center", do_justify},
    {"count", do_count},
    {"endswith", do_affix},
    {"expandtabs", do_expandtabs},
    {"find", do_find},
    {"format", do_format},
    {"format_map", do_format},
    {"index", do_find},
    {"isalnum", all_are<is_alnum>},
    {"isalpha", all_are<is_alpha>},
    {"isascii", do_isascii},
    {"isdecimal", all_are<is_decimal>},
    {"isdigit", all_are<is_digit>},
    {"isidentifier", do_isidentifier},
    {"islower", do_is_case},
    {"isnumeric", all_are<is_numeric>},
    {"isprintable", do_isprintable},
    {"isspace", all_are<is_space>},
    {"istitle", do_istitle},
    {"isupper", do_is_case},
    {"join", do_join},
    {"ljust", do_justify},
    {"lower", change_case<to_lower>},
    {"lstrip", do_lstrip},
    {"partition", do_partition},
    {"removeprefix", do_remove_affix},
    {"removesuffix", do_remove_affix},
    {"replace", do_replace},
    {"rfind", do_find},
    {"rindex", do_find},
    {"rjust", do_justify},
    {"rpartition", do_partition},
    {"rsplit", do_split_right},
    {"rstrip", do_rstrip},
    {"split", do_split_left},
    {"splitlines", do_splitlines},
    {"startswith", do_affix},
    {"strip", do_strip_both},
    {"swapcase", change_case<swap_case>},
    {"title", change_case<title_words>},
    {"upper", change_case<to_upper>},
    {"zfill", do_zfill},
};

const TextMethod* find_text_method(std::string_view name) {
  const auto* found = std::find_if(std::begin(kMethods), std::end(kMethods),
                                   [&](const TextMethod& method) { return method.name == name; });
  return found != std::end(kMethods) ? found : nullptr;
}

}  // namespace

bool has_text_method(std::string_view name) { return find_text_method(name) != nullptr; }

Value call_text_method(Interpreter& run, const Value& self, std::string_view name,
                       const Arguments& arguments) {
  run.meter().work(self.text().size());
  return find_text_method(name)->call({run, self.as<Str>(), name, arguments});
}

}  // namespace braid::jinja
