// The operators, attributes and indexes of expressions.
#pragma once

#include <optional>
#include <string_view>

#include "text/jinja/ast.h"
#include "text/jinja/value.h"

namespace braid::jinja {

Value apply_binary(Meter& meter, Op op, const Value& a, const Value& b);
Value apply_unary(Meter& meter, Op op, const Value& value);
bool apply_comparison(Meter& meter, Op op, const Value& a, const Value& b);

// value.name: the attribute that Python's object has, else value['name'], else undefined.
Value attribute_of(Meter& meter, const Value& value, std::string_view name);
// The attribute alone, as getattr sees it; none when there is none.
std::optional<Value> python_attribute(Meter& meter, const Value& value, std::string_view name);
// value[key], else for a text key value.key, else undefined.
Value item_of(Meter& meter, const Value& value, const Value& key);
Value slice_of(Meter& meter, const Value& value, const Value& start, const Value& stop,
               const Value& step);

Value repeat(Meter& meter, const Value& value, int64_t times);

}  // namespace braid::jinja
