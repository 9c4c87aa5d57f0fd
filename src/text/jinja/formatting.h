// Texts with values put in: the % operator and str.format of Python.
#pragma once

#include "text/jinja/arguments.h"
#include "text/jinja/value.h"

namespace braid::jinja {

// format % values. In Markup what is put in is escaped.
Value format_percent(Meter& meter, const Value& format, const Value& values);
// format.format(...), with attributes and indexes looked up as in an expression.
Value format_braces(Meter& meter, const Value& format, const Arguments& arguments);

}  // namespace braid::jinja
