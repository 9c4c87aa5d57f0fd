// The built-in filters, tests, methods and global functions, by name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "text/jinja/arguments.h"
#include "text/jinja/value.h"

namespace braid::jinja {

class Interpreter;

struct Filter {
  std::string_view name;
  Value (*call)(Interpreter& run, const Value& input, const Arguments& arguments);
};
struct Test {
  std::string_view name;
  bool (*call)(Interpreter& run, const Value& input, const Arguments& arguments);
};

const Filter* find_filter(std::string_view name);
const Test* find_test(std::string_view name);
std::string no_filter_message(std::string_view name);
std::string no_test_message(std::string_view name);

// Methods of texts, lists, dicts and the like.
bool has_method(const Value& self, std::string_view name);
// A method that would change a list or dict: the sandbox refuses them all.
bool is_mutating_method(const Value& self, std::string_view name);
Value call_method(Interpreter& run, const Method& method, const Arguments& arguments);
Value call_text_method(Interpreter& run, const Value& self, std::string_view name,
                       const Arguments& arguments);
bool has_text_method(std::string_view name);

// The global functions: range, dict, namespace, ... -1 when there is none of the name.
int64_t find_function(std::string_view name);
std::string_view function_name(int64_t id);
Value call_function(Interpreter& run, int64_t id, const Arguments& arguments);

}  // namespace braid::jinja
