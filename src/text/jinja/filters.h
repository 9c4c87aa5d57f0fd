// The tables of filters, and what both of them and the methods use.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/functions.h"
#include "text/jinja/interpreter.h"

namespace braid::jinja {

std::span<const Filter> text_filters();
std::span<const Filter> sequence_filters();

// text.replace(old, with, count), all when count is negative.
std::string replace_text(Meter& meter, std::string_view text, std::string_view old,
                         std::string_view with, int64_t count);
// text.center(width, fill)
std::string center_text(Meter& meter, std::string_view text, int64_t width, std::string_view fill);
std::string padding(Meter& meter, std::string_view fill, int64_t count);

// What `attribute` arguments of filters name: "a.b.0", also "a,b" where several are taken.
class AttributePath {
 public:
  AttributePath(Meter& meter, const Value& attribute);
  // With `otherwise` in place of what is undefined, unless it is none.
  Value get(Meter& meter, Value item, const Value& otherwise = Value::none()) const;

 private:
  Values parts_;
};

}  // namespace braid::jinja
