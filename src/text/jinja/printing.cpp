#include "text/jinja/printing.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "text/jinja/characters.h"
#include "text/jinja/compare.h"
#include "text/jinja/functions.h"
#include "text/jinja/interpreter.h"

namespace braid::jinja {
namespace {

void append_repr(Meter& meter, std::string& out, const Value& value);

void append_items(Meter& meter, std::string& out, const Values& items) {
  for (size_t i = 0; i < items.size(); ++i) {
    if (i != 0) out += ", ";
    append_repr(meter, out, items[i]);
  }
}

void append_dict(Meter& meter, std::string& out, const Dict& dict) {
  out += '{';
  for (size_t i = 0; i < dict.entries.size(); ++i) {
    if (i != 0) out += ", ";
    append_repr(meter, out, dict.entries[i].first);
    out += ": ";
    append_repr(meter, out, dict.entries[i].second);
  }
  out += '}';
}

void append_view(Meter& meter, std::string& out, const View& view) {
  constexpr const char* kNames[] = {"dict_keys([", "dict_values([", "dict_items(["};
  out += kNames[static_cast<int>(view.of)];
  const size_t n = length(view.dict);
  for (size_t i = 0; i < n; ++i) {
    if (i != 0) out += ", ";
    append_repr(meter, out, view_item(meter, view, i));
  }
  out += "])";
}

void append_namespace(Meter& meter, std::string& out, const Namespace& space) {
  const Nest nest(meter);  // a namespace may hold itself
  out += "<Namespace {";
  bool first = true;
  for (const auto& [name, value] : space.attributes) {
    if (!std::exchange(first, false)) out += ", ";
    out += repr_text(name) + ": ";
    append_repr(meter, out, value);
  }
  out += "}>";
}

void append_range(std::string& out, const Range& range) {
  out += fmt::format("range({}, {}", range.start, range.stop);
  if (range.step != 1) out += fmt::format(", {}", range.step);
  out += ')';
}

void append_repr(Meter& meter, std::string& out, const Value& value) {
  meter.step();
  meter.check_string(out.size());
  switch (value.kind()) {
    case Kind::kUndefined:
      out += "Undefined";
      break;
    case Kind::kNone:
      out += "None";
      break;
    case Kind::kBool:
      out += value.as_bool() ? "True" : "False";
      break;
    case Kind::kInt:
      out += fmt::to_string(value.as_int());
      break;
    case Kind::kBig:
      out += fmt::to_string(value.as_big());
      break;
    case Kind::kFloat:
      out += float_repr(value.as_double());
      break;
    case Kind::kString: {
      const auto& string = value.as<Str>();
      meter.work(string.text.size());
      const std::string quoted = repr_text(string.text);
      out += string.markup ? "Markup(" + quoted + ")" : quoted;
      break;
    }
    case Kind::kList:
      out += '[';
      append_items(meter, out, value.items());
      out += ']';
      break;
    case Kind::kTuple:
      out += '(';
      append_items(meter, out, value.items());
      out += value.items().size() == 1 ? ",)" : ")";
      break;
    case Kind::kDict:
      append_dict(meter, out, value.as<Dict>());
      break;
    case Kind::kRange:
      append_range(out, value.as<Range>());
      break;
    case Kind::kView:
      append_view(meter, out, value.as<View>());
      break;
    case Kind::kNamespace:
      append_namespace(meter, out, value.as<Namespace>());
      break;
    case Kind::kMacro:
      out += describe_macro(value);
      break;
    case Kind::kLoop:
      out += describe_loop(value);
      break;
    case Kind::kTemplate:
      out += "<TemplateReference None>";
      break;
    case Kind::kFunction:
      out += fmt::format("<function {}>", function_name(value.as_int()));
      break;
    default:
      out += fmt::format("<{} object>", type_name(value));
      break;
  }
}

void append_escape(std::string& out, char32_t c, bool capital_u) {
  if (c < 0x100 && capital_u) {
    out += fmt::format("\\x{:02x}", static_cast<uint32_t>(c));
  } else if (c < 0x10000) {
    out += fmt::format("\\u{:04x}", static_cast<uint32_t>(c));
  } else if (capital_u) {
    out += fmt::format("\\U{:08x}", static_cast<uint32_t>(c));
  } else {
    const auto rest = static_cast<uint32_t>(c) - 0x10000;
    out += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10), 0xDC00 + (rest & 0x3FF));
  }
}

class JsonWriter {
 public:
  JsonWriter(Meter& meter, const JsonStyle& style) : meter_(meter), style_(style) {}

  void write(const Value& value) {
    meter_.step();
    meter_.check_string(out.size());
    switch (value.kind()) {
      case Kind::kString:
        write_text(value.text());
        break;
      case Kind::kList:
      case Kind::kTuple:
        write_items(value.items());
        break;
      case Kind::kDict:
        write_dict(value.as<Dict>());
        break;
      default:
        out += scalar(value);
        break;
    }
  }

  std::string out;

 private:
  std::string scalar(const Value& value) const {
    switch (value.kind()) {
      case Kind::kNone:
        return "null";
      case Kind::kBool:
        return value.as_bool() ? "true" : "false";
      case Kind::kInt:
        return fmt::to_string(value.as_int());
      case Kind::kBig:
        return fmt::to_string(value.as_big());
      case Kind::kFloat: {
        const double real = value.as_double();
        if (std::isnan(real)) return "NaN";
        if (std::isinf(real)) return real > 0 ? "Infinity" : "-Infinity";
        return float_repr(real);
      }
      default:
        throw Failure(fmt::format("Object of type {} is not JSON serializable{}", type_name(value),
                                  value.is_undefined() ? ": " + undefined_message(value) : ""));
    }
  }

  void write_text(std::string_view text) {
    meter_.work(text.size());
    out += '"';
    for (size_t pos = 0; pos < text.size();) {
      const auto c = static_cast<unsigned char>(text[pos]);
      if (c >= 0x80 || c < 0x20 || c == '"' || c == '\\' || c == 0x7F) {
        write_special(text, pos);
        pos = next_character(text, pos);
      } else {
        out += text[pos++];
      }
    }
    out += '"';
  }

  void write_special(std::string_view text, size_t pos) {
    constexpr std::string_view kPlain = "\"\\\n\r\t\f\b";
    constexpr std::string_view kLetters = "\"\\nrtfb";
    const char32_t c = character_at(text, pos);
    if (const size_t at = kPlain.find(text[pos]); at != std::string_view::npos) {
      out += '\\';
      out += kLetters[at];
    } else if (c < 0x20 || style_.ascii_only) {
      append_escape(out, c, false);
    } else {
      append_utf8(out, c);
    }
  }

  void new_line() {
    if (!style_.pretty) return;
    out += '\n';
    meter_.check_string(out.size() + style_.indent.size() * static_cast<size_t>(level_));
    for (int i = 0; i < level_; ++i) out += style_.indent;
  }

  template <class WriteItem>
  void write_all(char open, char close, size_t n, const WriteItem& write_item) {
    out += open;
    if (n != 0) {
      ++level_;
      for (size_t i = 0; i < n; ++i) {
        if (i != 0) out += style_.item_separator;
        new_line();
        write_item(i);
      }
      --level_;
      new_line();
    }
    out += close;
  }

  void write_items(const Values& items) {
    write_all('[', ']', items.size(), [&](size_t i) { write(items[i]); });
  }

  void write_dict(const Dict& dict) {
    std::vector<size_t> order(dict.entries.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    if (style_.sort_keys) {
      std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
        return less(meter_, dict.entries[a].first, dict.entries[b].first);
      });
    }
    write_all('{', '}', order.size(), [&](size_t i) {
      const auto& [key, value] = dict.entries[order[i]];
      if (!key.is_string() && !key.is_number() && !key.is_none()) {
        throw Failure(
            fmt::format("keys must be str, int, float, bool or None, not {}", type_name(key)));
      }
      write_text(key.is_string() ? key.text() : scalar(key));
      out += style_.key_separator;
      write(value);
    });
  }

  Meter& meter_;
  const JsonStyle& style_;
  int level_ = 0;
};

}  // namespace

std::string repr_text(std::string_view text, bool ascii_only) {
  const bool double_quotes =
      text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos;
  const char quote = double_quotes ? '"' : '\'';
  std::string out(1, quote);
  for (size_t pos = 0; pos < text.size(); pos = next_character(text, pos)) {
    const char32_t c = character_at(text, pos);
    if (c == static_cast<char32_t>(quote) || c == U'\\') {
      out += '\\';
      out += text[pos];
    } else if (c == U'\n' || c == U'\r' || c == U'\t') {
      out += c == U'\n' ? "\\n" : c == U'\r' ? "\\r" : "\\t";
    } else if (c >= 0x20 && c < 0x7F) {
      out += text[pos];
    } else if (!ascii_only && is_printable(c)) {
      append_utf8(out, c);
    } else {
      append_escape(out, c, true);
    }
  }
  return out + quote;
}

std::string float_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[40];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  const std::string_view text(buffer, static_cast<size_t>(end.ptr - buffer));
  const size_t e = text.find('e');
  const int exponent = std::stoi(std::string(text.substr(e + 1)));
  std::string digits;
  for (const char c : text.substr(0, e)) {
    if (c >= '0' && c <= '9') digits += c;
  }
  const std::string sign = value < 0 || (value == 0 && std::signbit(value)) ? "-" : "";
  const int n = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {
    const std::string fraction = n > 1 ? "." + digits.substr(1) : "";
    return fmt::format("{}{}{}e{}{:02d}", sign, digits[0], fraction, exponent < 0 ? '-' : '+',
                       std::abs(exponent));
  }
  if (exponent < 0) {
    return sign + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  }
  if (n <= exponent + 1) {
    return sign + digits + std::string(static_cast<size_t>(exponent + 1 - n), '0') + ".0";
  }
  return sign + digits.substr(0, static_cast<size_t>(exponent) + 1) + "." +
         digits.substr(static_cast<size_t>(exponent) + 1);
}

std::string repr(Meter& meter, const Value& value) {
  std::string out;
  append_repr(meter, out, value);
  meter.check_string(out.size());
  return out;
}

std::string to_text(Meter& meter, const Value& value) {
  if (value.is_string()) return value.text();
  if (value.is_undefined()) return "";
  return repr(meter, value);
}

Value soft_string(Meter& meter, const Value& value) {
  return value.is_string() ? value : meter.string(to_text(meter, value));
}

std::string to_json(Meter& meter, const Value& value, const JsonStyle& style) {
  JsonWriter writer(meter, style);
  writer.write(value);
  meter.check_string(writer.out.size());
  return std::move(writer.out);
}

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace braid::jinja
