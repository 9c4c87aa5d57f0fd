// Values as text: str, repr and json.dumps of Python.
#pragma once

#include <string>
#include <string_view>

#include "text/jinja/value.h"

namespace braid::jinja {

std::string to_text(Meter& meter, const Value& value);  // str(value)
// str(value) as a value: a string stays the object that it is, Markup stays Markup (soft_str).
Value soft_string(Meter& meter, const Value& value);
std::string repr(Meter& meter, const Value& value);
std::string repr_text(std::string_view text, bool ascii_only = false);
std::string float_repr(double value);

struct JsonStyle {
  bool ascii_only = false;
  bool sort_keys = false;
  bool pretty = false;
  std::string indent;  // of one level, when pretty
  std::string item_separator = ", ";
  std::string key_separator = ": ";
};
std::string to_json(Meter& meter, const Value& value, const JsonStyle& style);

// & < > " ' as markupsafe.escape writes them.
std::string escape_html(std::string_view text);

}  // namespace braid::jinja
