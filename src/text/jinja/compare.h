// What Python's operators and built-ins ask of any value: truth, length, equality, order, hash,
// membership, its items.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "text/jinja/value.h"

namespace braid::jinja {

std::string_view type_name(const Value& value);  // as Python names it: 'str', 'dict'

// Throws Failure with what is wrong with an undefined value ("'foo' is undefined").
[[noreturn]] void fail_undefined(const Value& value);
std::string undefined_message(const Value& value);
inline void require_defined(const Value& value) {
  if (value.is_undefined()) fail_undefined(value);
}

bool truth(const Value& value);
std::optional<size_t> length_of(const Value& value);  // none where Python has no len()
size_t length(const Value& value);                    // or throws

bool same(const Value& a, const Value& b);  // `is`
bool equals(Meter& meter, const Value& a, const Value& b);

enum class Order { kLess, kEqual, kGreater, kNone };
// For the operator named in `op`; throws where Python cannot order the two.
Order compare(Meter& meter, const Value& a, const Value& b, std::string_view op);
bool less(Meter& meter, const Value& a, const Value& b);

size_t hash(Meter& meter, const Value& value);  // throws on what cannot be a dict's key
size_t hash_text(std::string_view text);

bool contains(Meter& meter, const Value& container, const Value& item);

bool is_iterable(const Value& value);
// All items that are left; an iterator is empty afterwards.
Values items_of(Meter& meter, const Value& value);
Value view_item(Meter& meter, const View& view, size_t i);

// Takes the items of a value one by one.
class Source {
 public:
  Source(Meter& meter, Value value);
  std::optional<Value> next();
  // How many come, where the value can say so without being consumed.
  std::optional<size_t> size() const { return size_; }

 private:
  Meter& meter_;
  Value value_;
  Values items_;
  size_t next_ = 0;
  std::optional<size_t> size_;
};

}  // namespace braid::jinja
