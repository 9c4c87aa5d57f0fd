// The arguments of a call, and their way to the parameters of a built-in.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/value.h"

namespace braid::jinja {

struct Arguments {
  Values positional;
  std::vector<std::pair<std::string, Value>> named;

  void refuse_named(std::string_view callee) const;
};

// Arguments sorted by parameter. Throws Failure as Python does when they do not fit: too many, an
// unknown name, one given twice, one of the first `required` missing.
class Bound {
 public:
  Bound(std::string_view callee, const Arguments& arguments,
        std::initializer_list<std::string_view> parameters, size_t required = 0);

  bool has(size_t i) const { return values_[i].has_value(); }
  // Given, and not none.
  bool is_set(size_t i) const { return has(i) && !values_[i]->is_none(); }
  const Value& operator[](size_t i) const { return *values_[i]; }
  Value value(size_t i, Value otherwise) const { return has(i) ? *values_[i] : otherwise; }
  int64_t integer(size_t i, int64_t otherwise) const;
  bool truth(size_t i, bool otherwise) const;
  const std::string& text(size_t i) const;  // throws unless it is a string

 private:
  std::string_view callee_;
  std::vector<std::optional<Value>> values_;
};

// An integer where Python wants one (indexes, counts): int or bool.
int64_t require_integer(const Value& value);
const std::string& require_text(const Value& value, std::string_view what);

}  // namespace braid::jinja
