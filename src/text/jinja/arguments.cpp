#include "text/jinja/arguments.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/jinja/compare.h"

namespace braid::jinja {

void Arguments::refuse_named(std::string_view callee) const {
  if (!named.empty()) {
    throw Failure(fmt::format("{}() takes no keyword argument '{}'", callee, named[0].first));
  }
}

Bound::Bound(std::string_view callee, const Arguments& arguments,
             std::initializer_list<std::string_view> parameters, size_t required)
    : callee_(callee), values_(parameters.size()) {
  if (arguments.positional.size() > parameters.size()) {
    throw Failure(fmt::format("{}() takes at most {} arguments, {} given", callee,
                              parameters.size(), arguments.positional.size()));
  }
  for (size_t i = 0; i < arguments.positional.size(); ++i) values_[i] = arguments.positional[i];
  for (const auto& [name, value] : arguments.named) {
    const auto* found = std::find(parameters.begin(), parameters.end(), name);
    if (found == parameters.end()) {
      throw Failure(fmt::format("{}() takes no keyword argument '{}'", callee, name));
    }
    auto& slot = values_[static_cast<size_t>(found - parameters.begin())];
    if (slot) throw Failure(fmt::format("{}() got two values for argument '{}'", callee, name));
    slot = value;
  }
  for (size_t i = 0; i < required; ++i) {
    if (!values_[i]) {
      throw Failure(fmt::format("{}() wants an argument '{}'", callee, parameters.begin()[i]));
    }
  }
}

int64_t Bound::integer(size_t i, int64_t otherwise) const {
  return has(i) ? require_integer(*values_[i]) : otherwise;
}

bool Bound::truth(size_t i, bool otherwise) const {
  return has(i) ? jinja::truth(*values_[i]) : otherwise;
}

const std::string& Bound::text(size_t i) const { return require_text(*values_[i], callee_); }

int64_t require_integer(const Value& value) {
  require_defined(value);
  if (!value.is_integer()) {
    throw Failure(fmt::format("'{}' object cannot be interpreted as an integer", type_name(value)));
  }
  return value.as_int();
}

const std::string& require_text(const Value& value, std::string_view what) {
  require_defined(value);
  if (!value.is_string()) {
    throw Failure(fmt::format("{} wants a text, not a value of type '{}'", what, type_name(value)));
  }
  return value.text();
}

}  // namespace braid::jinja
