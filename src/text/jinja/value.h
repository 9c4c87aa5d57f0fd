// The values of a template: Python's, as far as templates can make them.
//
// A Value is copied freely; what does not fit into it is an Object, shared and, but for the few
// that keep a state (iterators, namespaces, loops), never changed after it was made. Objects are
// made by a Meter, which counts them against the limits of the render that they belong to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "text/jinja/limits.h"

namespace braid::jinja {

enum class Kind : uint8_t {
  kUndefined,
  kNone,
  kBool,
  kInt,
  kBig,  // an integer above the 64-bit signed range: printed and compared, never calculated with
  kFloat,
  kString,
  kList,
  kTuple,
  kDict,
  kRange,
  kView,  // of a dict's keys, values or items
  kIterator,
  kNamespace,
  kFunction,
  kMethod,
  kMacro,
  kLoop,
  kCycler,
  kJoiner,
  kTemplate,  // what `self` is: the template itself, which has no blocks
};

class Meter;

struct Object {
  Object() = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  virtual ~Object();

  int nesting = 0;  // how many containers deep its contents go
  size_t bytes = 0;
  Meter* meter = nullptr;  // null for constants of the template
};

class Value {
 public:
  Value() = default;  // undefined, without a name
  Value(Kind kind, std::shared_ptr<Object> object) : kind_(kind), object_(std::move(object)) {}

  static Value none() { return Value(Kind::kNone, nullptr); }
  static Value the_template() { return Value(Kind::kTemplate, nullptr); }
  static Value boolean(bool value) { return Value(Kind::kBool, value ? 1 : 0); }
  static Value integer(int64_t value) { return Value(Kind::kInt, value); }
  static Value big(uint64_t value) { return Value(Kind::kBig, static_cast<int64_t>(value)); }
  static Value function(int64_t id) { return Value(Kind::kFunction, id); }
  static Value real(double value) {
    Value v;
    v.kind_ = Kind::kFloat;
    v.real_ = value;
    return v;
  }

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  bool is_undefined() const { return kind_ == Kind::kUndefined; }
  bool is_none() const { return kind_ == Kind::kNone; }
  bool is_string() const { return kind_ == Kind::kString; }
  bool is_integer() const { return kind_ == Kind::kBool || kind_ == Kind::kInt; }
  bool is_number() const { return is_integer() || kind_ == Kind::kFloat || kind_ == Kind::kBig; }

  int64_t as_int() const { return int_; }  // of kBool and kInt; the id of a function
  uint64_t as_big() const { return static_cast<uint64_t>(int_); }
  double as_double() const;  // of any number
  bool as_bool() const { return int_ != 0; }

  const std::shared_ptr<Object>& object() const { return object_; }
  template <class T>
  T& as() const {
    return static_cast<T&>(*object_);
  }
  const std::string& text() const;          // of kString
  const std::vector<Value>& items() const;  // of kList and kTuple

 private:
  Value(Kind kind, int64_t value) : kind_(kind), int_(value) {}

  Kind kind_ = Kind::kUndefined;
  union {
    int64_t int_ = 0;
    double real_;
  };
  std::shared_ptr<Object> object_;
};

struct Str : Object {
  std::string text;
  size_t characters = 0;
  bool markup = false;  // markupsafe.Markup: what is added to it is escaped
  bool is_ascii() const { return characters == text.size(); }
};

struct Missing : Object {  // why a value is undefined
  std::string message;
};

struct Sequence : Object {
  std::vector<Value> items;
  bool group = false;  // a tuple of groupby, with the names grouper and list
};

struct Range : Object {
  int64_t start = 0, stop = 0, step = 1;
  int64_t size() const;
};

// Order of insertion, like Python's. Found by a hash once it is larger than a few entries.
struct Dict : Object {
  std::vector<std::pair<Value, Value>> entries;
  std::unordered_multimap<size_t, size_t> index;

  const Value* find(Meter& meter, const Value& key) const;
  const Value* find(std::string_view key) const;
  void set(Meter& meter, Value key, Value value);

 private:
  std::optional<size_t> position(Meter& meter, const Value& key) const;
};

struct View : Object {
  enum class Of { kKeys, kValues, kItems };
  Of of = Of::kKeys;
  Value dict;
};

// A generator or iterator: consumed by whoever takes from it. Its items exist already; what failed
// while they were made fails when it is their turn.
struct Iterator : Object {
  std::vector<Value> items;
  size_t next = 0;
  std::optional<std::string> failure;
};

struct Namespace : Object {
  std::vector<std::pair<std::string, Value>> attributes;
  const Value* find(std::string_view name) const;
  void set(std::string_view name, Value value);
};

struct Method : Object {
  Value self;
  std::string name;
};

struct Cycler : Object {
  std::vector<Value> items;
  size_t position = 0;
};

struct Joiner : Object {
  Value separator;
  bool used = false;
};

using Values = std::vector<Value>;

// Makes objects and counts what a render uses. One per render, and for constants one per template.
class Meter {
 public:
  explicit Meter(const Limits& limits) : limits_(limits) {}
  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;

  const Limits& limits() const { return limits_; }
  // Each throws LimitFailure when there is no more.
  void step(uint64_t n = 1) {
    steps_ += n;
    if (steps_ > limits_.steps) too_many_steps();
  }
  void work(size_t bytes) { step(1 + bytes / 64); }
  void check_string(size_t bytes) const;  // a string that is about to be made
  void hold(Object& object, size_t bytes);
  void release(size_t bytes) { live_ -= bytes; }

  void enter() {
    if (++depth_ > limits_.depth) too_deep();
  }
  void leave() { --depth_; }

  Value string(std::string text, bool markup = false);
  Value list(Values items) { return sequence(Kind::kList, std::move(items)); }
  Value tuple(Values items) { return sequence(Kind::kTuple, std::move(items)); }
  Value iterator(Values items, std::optional<std::string> failure = {});
  Value undefined(std::string message);
  Value range(int64_t start, int64_t stop, int64_t step);
  Value view(View::Of of, Value dict);
  Value method(Value self, std::string_view name);
  Value name_space();
  std::shared_ptr<Dict> dict();
  // After the last entry was set.
  Value finish(std::shared_ptr<Dict> dict);
  Value cycler(Values items);
  Value joiner(Value separator);

  // Objects whose contents can come to hold themselves; emptied when the render ends.
  void keep(std::function<void()> empty) { cyclic_.push_back(std::move(empty)); }
  void break_cycles();

 private:
  Value sequence(Kind kind, Values items);
  [[noreturn]] void too_many_steps() const;
  [[noreturn]] void too_deep();

  Limits limits_;
  uint64_t steps_ = 0;
  size_t live_ = 0;
  int depth_ = 0;
  std::vector<std::function<void()>> cyclic_;
};

// One more statement, call or expression inside the others, as long as it lives.
class Nest {
 public:
  explicit Nest(Meter& meter) : meter_(meter) { meter_.enter(); }
  ~Nest() { meter_.leave(); }
  Nest(const Nest&) = delete;
  Nest& operator=(const Nest&) = delete;

 private:
  Meter& meter_;
};

// The nesting of a container with these contents; throws when it is too deep.
int nesting_of(const Values& items);

}  // namespace braid::jinja
