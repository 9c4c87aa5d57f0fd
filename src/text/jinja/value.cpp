#include "text/jinja/value.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/jinja/characters.h"
#include "text/jinja/compare.h"

namespace braid::jinja {
namespace {

constexpr size_t kLinearEntries = 8;

int checked_nesting(int deepest) {
  if (deepest >= kMaxNesting) {
    throw LimitFailure(fmt::format("values are nested more than {} deep", kMaxNesting));
  }
  return deepest + 1;
}

int nesting_of(const Value& value) { return value.object() ? value.object()->nesting : 0; }

}  // namespace

Object::~Object() {
  if (meter != nullptr) meter->release(bytes);
}

double Value::as_double() const {
  if (kind_ == Kind::kFloat) return real_;
  if (kind_ == Kind::kBig) return static_cast<double>(as_big());
  return static_cast<double>(int_);
}

const std::string& Value::text() const { return as<Str>().text; }
const std::vector<Value>& Value::items() const { return as<Sequence>().items; }

int64_t Range::size() const {
  if (step > 0) return start < stop ? (stop - start - 1) / step + 1 : 0;
  return start > stop ? (start - stop - 1) / -step + 1 : 0;
}

std::optional<size_t> Dict::position(Meter& m, const Value& key) const {
  if (entries.size() <= kLinearEntries) {
    for (size_t i = 0; i < entries.size(); ++i) {
      if (equals(m, entries[i].first, key)) return i;
    }
    return {};
  }
  const auto [begin, end] = index.equal_range(hash(m, key));
  for (auto it = begin; it != end; ++it) {
    if (equals(m, entries[it->second].first, key)) return it->second;
  }
  return {};
}

const Value* Dict::find(Meter& m, const Value& key) const {
  hash(m, key);  // refuses what cannot be a key
  const auto at = position(m, key);
  return at ? &entries[*at].second : nullptr;
}

const Value* Dict::find(std::string_view key) const {
  if (entries.size() > kLinearEntries) {
    const auto [begin, end] = index.equal_range(hash_text(key));
    for (auto it = begin; it != end; ++it) {
      const auto& [k, v] = entries[it->second];
      if (k.is_string() && k.text() == key) return &v;
    }
    return nullptr;
  }
  for (const auto& [k, v] : entries) {
    if (k.is_string() && k.text() == key) return &v;
  }
  return nullptr;
}

void Dict::set(Meter& m, Value key, Value value) {
  const size_t key_hash = hash(m, key);
  if (const auto at = position(m, key)) {
    entries[*at].second = std::move(value);
    return;
  }
  entries.emplace_back(std::move(key), std::move(value));
  if (entries.size() == kLinearEntries + 1) {
    for (size_t i = 0; i + 1 < entries.size(); ++i) index.emplace(hash(m, entries[i].first), i);
  }
  if (entries.size() > kLinearEntries) index.emplace(key_hash, entries.size() - 1);
}

const Value* Namespace::find(std::string_view name) const {
  for (const auto& [n, value] : attributes) {
    if (n == name) return &value;
  }
  return nullptr;
}

void Namespace::set(std::string_view name, Value value) {
  for (auto& [n, old] : attributes) {
    if (n == name) {
      old = std::move(value);
      return;
    }
  }
  attributes.emplace_back(name, std::move(value));
}

int nesting_of(const Values& items) {
  int deepest = 0;
  for (const Value& item : items) deepest = std::max(deepest, nesting_of(item));
  return checked_nesting(deepest);
}

void Meter::too_many_steps() const {
  throw LimitFailure(fmt::format("more than {} steps", limits_.steps));
}

void Meter::too_deep() {
  --depth_;
  throw LimitFailure(
      fmt::format("more than {} calls and expressions inside one another", limits_.depth));
}

void Meter::check_string(size_t bytes) const {
  if (bytes > limits_.output_bytes) {
    throw LimitFailure(fmt::format("a text of more than {} bytes", limits_.output_bytes));
  }
}

void Meter::hold(Object& object, size_t bytes) {
  if (live_ + bytes > limits_.live_bytes) {
    throw LimitFailure(fmt::format("more than {} bytes of values", limits_.live_bytes));
  }
  live_ += bytes;
  object.bytes = bytes;
  object.meter = this;
  work(bytes);
}

Value Meter::string(std::string text, bool markup) {
  check_string(text.size());
  auto object = std::make_shared<Str>();
  hold(*object, sizeof(Str) + text.size());
  object->characters = count_characters(text);
  object->text = std::move(text);
  object->markup = markup;
  return Value(Kind::kString, std::move(object));
}

Value Meter::sequence(Kind kind, Values items) {
  auto object = std::make_shared<Sequence>();
  hold(*object, sizeof(Sequence) + items.size() * sizeof(Value));
  object->nesting = jinja::nesting_of(items);
  object->items = std::move(items);
  return Value(kind, std::move(object));
}

Value Meter::iterator(Values items, std::optional<std::string> failure) {
  auto object = std::make_shared<Iterator>();
  hold(*object, sizeof(Iterator) + items.size() * sizeof(Value));
  object->nesting = jinja::nesting_of(items);
  object->items = std::move(items);
  object->failure = std::move(failure);
  return Value(Kind::kIterator, std::move(object));
}

Value Meter::undefined(std::string message) {
  auto object = std::make_shared<Missing>();
  hold(*object, sizeof(Missing) + message.size());
  object->message = std::move(message);
  return Value(Kind::kUndefined, std::move(object));
}

Value Meter::range(int64_t start, int64_t stop, int64_t step) {
  auto object = std::make_shared<Range>();
  hold(*object, sizeof(Range));
  object->start = start;
  object->stop = stop;
  object->step = step;
  return Value(Kind::kRange, std::move(object));
}

Value Meter::view(View::Of of, Value dict) {
  auto object = std::make_shared<View>();
  hold(*object, sizeof(View));
  object->nesting = checked_nesting(nesting_of(dict));
  object->of = of;
  object->dict = std::move(dict);
  return Value(Kind::kView, std::move(object));
}

Value Meter::method(Value self, std::string_view name) {
  auto object = std::make_shared<Method>();
  hold(*object, sizeof(Method));
  object->nesting = checked_nesting(nesting_of(self));
  object->self = std::move(self);
  object->name = name;
  return Value(Kind::kMethod, std::move(object));
}

Value Meter::name_space() {
  auto object = std::make_shared<Namespace>();
  hold(*object, sizeof(Namespace));
  keep([object] { std::exchange(object->attributes, {}); });
  return Value(Kind::kNamespace, std::move(object));
}

std::shared_ptr<Dict> Meter::dict() { return std::make_shared<Dict>(); }

Value Meter::finish(std::shared_ptr<Dict> dict) {
  constexpr size_t kEntryBytes = 2 * sizeof(Value) + 48;  // and its place in the index
  hold(*dict, sizeof(Dict) + dict->entries.size() * kEntryBytes);
  int deepest = 0;
  for (const auto& [key, value] : dict->entries) {
    deepest = std::max({deepest, nesting_of(key), nesting_of(value)});
  }
  dict->nesting = checked_nesting(deepest);
  return Value(Kind::kDict, std::move(dict));
}

Value Meter::cycler(Values items) {
  auto object = std::make_shared<Cycler>();
  hold(*object, sizeof(Cycler) + items.size() * sizeof(Value));
  object->nesting = jinja::nesting_of(items);
  object->items = std::move(items);
  return Value(Kind::kCycler, std::move(object));
}

Value Meter::joiner(Value separator) {
  auto object = std::make_shared<Joiner>();
  hold(*object, sizeof(Joiner));
  object->nesting = checked_nesting(nesting_of(separator));
  object->separator = std::move(separator);
  return Value(Kind::kJoiner, std::move(object));
}

void Meter::break_cycles() {
  for (const auto& empty : cyclic_) empty();
  cyclic_.clear();
}

}  // namespace braid::jinja
