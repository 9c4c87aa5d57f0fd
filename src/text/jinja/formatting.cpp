#include "text/jinja/formatting.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/jinja/characters.h"
#include "text/jinja/compare.h"
#include "text/jinja/format_spec.h"
#include "text/jinja/numbers.h"
#include "text/jinja/operators.h"
#include "text/jinja/printing.h"

namespace braid::jinja {
namespace {

std::string ascii_repr(Meter& meter, const Value& value) {
  if (value.is_string()) return repr_text(value.text(), true);
  std::string out;
  for (const char32_t c : to_characters(repr(meter, value))) {
    out += c < 0x80      ? std::string(1, static_cast<char>(c))
           : c < 0x100   ? fmt::format("\\x{:02x}", static_cast<uint32_t>(c))
           : c < 0x10000 ? fmt::format("\\u{:04x}", static_cast<uint32_t>(c))
                         : fmt::format("\\U{:08x}", static_cast<uint32_t>(c));
  }
  return out;
}

class PercentFormatter {
 public:
  PercentFormatter(Meter& meter, const Value& format, const Value& values)
      : meter_(meter), text_(format.text()), escape_(format.as<Str>().markup), values_(values) {}

  std::string run() {
    while (pos_ < text_.size()) {
      const size_t percent = std::min(text_.find('%', pos_), text_.size());
      out_ += text_.substr(pos_, percent - pos_);
      pos_ = percent;
      if (pos_ < text_.size()) {
        ++pos_;
        write_value();
      }
      meter_.step();
      meter_.check_string(out_.size());
    }
    const bool one = !values_.is(Kind::kTuple);
    const bool lenient = values_.is(Kind::kDict) || values_.is(Kind::kList) ||
                         values_.is_undefined() || values_.is(Kind::kRange);
    if (one ? !lenient && used_ == 0 : used_ < values_.items().size()) {
      throw Failure("not all arguments converted during string formatting");
    }
    return std::move(out_);
  }

 private:
  char now() const { return pos_ < text_.size() ? text_[pos_] : '\0'; }

  const Value& take() {
    const bool tuple = values_.is(Kind::kTuple);
    if (used_ >= (tuple ? values_.items().size() : 1)) {
      throw Failure("not enough arguments for format string");
    }
    return tuple ? values_.items()[used_++] : (++used_, values_);
  }

  const Value& keyed() {
    const size_t end = text_.find(')', pos_);
    if (end == std::string::npos) throw Failure("incomplete format key");
    if (!values_.is(Kind::kDict)) throw Failure("format requires a mapping");
    const std::string key = text_.substr(pos_ + 1, end - pos_ - 1);
    pos_ = end + 1;
    const Value* found = values_.as<Dict>().find(key);
    if (found == nullptr) throw Failure(fmt::format("no value for the format key '{}'", key));
    return *found;
  }

  int64_t number_or_star() {
    if (now() != '*') return read_format_number(text_, pos_);
    ++pos_;
    return require_integer(take());
  }

  void read_flags(FormatSpec& spec) {
    for (;; ++pos_) {
      switch (now()) {
        case '-':
          spec.align = '<';
          break;
        case '+':
          spec.sign = '+';
          break;
        case ' ':
          spec.sign = spec.sign == '+' ? '+' : ' ';
          break;
        case '#':
          spec.alternate = true;
          break;
        case '0':
          spec.zero = true;
          break;
        default:
          return;
      }
    }
  }

  void write_value() {
    FormatSpec spec;
    const Value* value = now() == '(' ? &keyed() : nullptr;
    read_flags(spec);
    spec.width = number_or_star();
    if (spec.width < 0) {
      spec.align = '<';
      spec.width = -spec.width;
    }
    if (now() == '.') {
      ++pos_;
      spec.precision = std::max<int64_t>(number_or_star(), 0);
    }
    while (now() == 'l' || now() == 'h' || now() == 'L') ++pos_;
    if (pos_ >= text_.size()) throw Failure("incomplete format");
    const char type = text_[pos_++];
    if (type == '%') {
      out_ += '%';
      return;
    }
    if (std::string_view("diuxXofFeEgGcrsa").find(type) == std::string_view::npos) {
      throw Failure("unsupported format character");
    }
    write(spec, type, value != nullptr ? *value : take());
  }

  void write(FormatSpec& spec, char type, const Value& value) {
    if (type == 's' || type == 'r' || type == 'a') {
      const std::string text = type == 's'   ? to_text(meter_, value)
                               : type == 'r' ? repr(meter_, value)
                                             : ascii_repr(meter_, value);
      const bool is_markup = value.is_string() && value.as<Str>().markup && type == 's';
      return write_text(spec, escape_ && !is_markup ? escape_html(text) : text);
    }
    require_defined(value);
    if (type == 'c') {
      if (value.is_string() && value.as<Str>().characters == 1)
        return write_text(spec, value.text());
      const int64_t code = require_integer(value);
      if (code < 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
        throw Failure("%c wants the number of a character");
      }
      std::string text;
      append_utf8(text, static_cast<char32_t>(code));
      return write_text(spec, text);
    }
    if (!value.is_number()) {
      throw Failure(
          fmt::format("%{} format: a number is required, not {}", type, type_name(value)));
    }
    const bool decimal = type == 'd' || type == 'i' || type == 'u';
    if (!decimal && (type == 'x' || type == 'X' || type == 'o')) require_integer(value);
    spec.type = decimal ? 'd' : type;
    if (decimal && spec.precision >= 0) throw Failure("a precision of an integer is not supported");
    const Value number =
        decimal && value.is(Kind::kFloat) ? integer_from_real(value.as_double()) : value;
    out_ += format_number(meter_, spec, number);
  }

  void write_text(FormatSpec& spec, std::string_view text) {
    if (spec.align == 0) spec.align = '>';
    out_ += format_text(meter_, spec, text);
  }

  Meter& meter_;
  const std::string& text_;
  bool escape_;
  const Value& values_;
  size_t pos_ = 0;
  size_t used_ = 0;
  std::string out_;
};

class BraceFormatter {
 public:
  BraceFormatter(Meter& meter, const Value& format, const Arguments& arguments)
      : meter_(meter), escape_(format.as<Str>().markup), arguments_(arguments) {}

  std::string run(std::string_view text, int depth) {
    if (depth > 1) throw Failure("fields of a format are nested too deep");
    std::string out;
    for (size_t pos = 0; pos < text.size();) {
      const char c = text[pos++];
      if (c != '{' && c != '}') {
        out += c;
      } else if (pos < text.size() && text[pos] == c) {
        out += c;
        ++pos;
      } else if (c == '}') {
        throw Failure("single '}' encountered in format string");
      } else {
        const size_t end = field_end(text, pos);
        out += field(text.substr(pos, end - pos), depth);
        pos = end + 1;
      }
      meter_.step();
      meter_.check_string(out.size());
    }
    return out;
  }

 private:
  static size_t field_end(std::string_view text, size_t pos) {
    for (int open = 1; pos < text.size(); ++pos) {
      if (text[pos] == '{') ++open;
      if (text[pos] == '}' && --open == 0) return pos;
    }
    throw Failure("expected '}' before end of string");
  }

  std::string field(std::string_view text, int depth) {
    const size_t colon = std::min(text.find(':'), text.size());
    std::string_view name = text.substr(0, colon);
    char conversion = 0;
    if (const size_t mark = name.find('!'); mark != std::string_view::npos) {
      if (mark + 2 != name.size()) throw Failure("a format's conversion is one letter");
      conversion = name[mark + 1];
      name = name.substr(0, mark);
    }
    Value value = lookup(name);
    const std::string spec =
        colon < text.size() ? run(text.substr(colon + 1), depth + 1) : std::string();
    if (conversion != 0) value = converted(value, conversion);
    const bool is_markup = value.is_string() && value.as<Str>().markup;
    const std::string out = layout(value, spec);
    return escape_ && !is_markup ? escape_html(out) : out;
  }

  Value converted(const Value& value, char conversion) {
    if (conversion == 's') return meter_.string(to_text(meter_, value));
    if (conversion == 'r') return meter_.string(repr(meter_, value));
    if (conversion == 'a') return meter_.string(ascii_repr(meter_, value));
    throw Failure(fmt::format("unknown conversion specifier '{}'", conversion));
  }

  std::string layout(const Value& value, std::string_view text) {
    if (text.empty()) return to_text(meter_, value);
    const FormatSpec spec = parse_format_spec(text);
    if (value.is_number() && !(value.is(Kind::kBool) && spec.type == 's')) {
      if (value.is_integer() && spec.type == 'c') {
        throw Failure("the format code 'c' is not supported");
      }
      return format_number(meter_, spec, value);
    }
    if (!value.is_string() || (spec.type != 0 && spec.type != 's') || spec.align == '=') {
      throw Failure(fmt::format("unsupported format for a value of type '{}'", type_name(value)));
    }
    FormatSpec own = spec;
    if (own.zero && own.fill == " ") own.fill = "0";
    return format_text(meter_, own, value.text());
  }

  Value lookup(std::string_view name) {
    const size_t end = std::min(name.find_first_of(".["), name.size());
    Value value = argument(name.substr(0, end));
    for (size_t pos = end; pos < name.size();) {
      if (name[pos] == '.') {
        const size_t next = std::min(name.find_first_of(".[", pos + 1), name.size());
        value = attribute_of(meter_, value, name.substr(pos + 1, next - pos - 1));
        pos = next;
      } else {
        const size_t close = name.find(']', pos);
        if (name[pos] != '[' || close == std::string_view::npos) {
          throw Failure("a field of a format is malformed");
        }
        const std::string_view key = name.substr(pos + 1, close - pos - 1);
        const bool number = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
          return c >= '0' && c <= '9';
        });
        size_t at = 0;
        value = item_of(
            meter_, value,
            number ? Value::integer(read_format_number(key, at)) : meter_.string(std::string(key)));
        pos = close + 1;
      }
    }
    return value;
  }

  Value argument(std::string_view name) {
    const bool number = !name.empty() && name[0] >= '0' && name[0] <= '9';
    if (!name.empty() && !number) {
      for (const auto& [key, value] : arguments_.named) {
        if (key == name) return value;
      }
      throw Failure(fmt::format("no value for the field '{}' of a format", name));
    }
    size_t pos = 0;
    const auto index = name.empty() ? next_++ : static_cast<size_t>(read_format_number(name, pos));
    if (index >= arguments_.positional.size()) {
      throw Failure(fmt::format("replacement index {} out of range for positional args", index));
    }
    return arguments_.positional[index];
  }

  Meter& meter_;
  bool escape_;
  const Arguments& arguments_;
  size_t next_ = 0;
};

}  // namespace

Value format_percent(Meter& meter, const Value& format, const Value& values) {
  return meter.string(PercentFormatter(meter, format, values).run(), format.as<Str>().markup);
}

Value format_braces(Meter& meter, const Value& format, const Arguments& arguments) {
  return meter.string(BraceFormatter(meter, format, arguments).run(format.text(), 0),
                      format.as<Str>().markup);
}

}  // namespace braid::jinja
