#include "text/jinja/loop.h"

#include <fmt/format.h>

#include <utility>

namespace braid::jinja {

LoopObject::LoopObject(Interpreter& run, const Stmt& statement, const Value& iterable, int depth0,
                       ScopePtr outer)
    : run_(run),
      statement_(statement),
      source_(run.meter(), iterable),
      outer_(std::move(outer)),
      depth0_(depth0) {
  if (!statement.test) length_ = source_.size();
  run.meter().hold(*this, sizeof(LoopObject));
  nesting = nesting_of(Values{iterable});
}

// A loop's own filter is asked when an item's turn comes, not before: it may read what the body
// changed.
std::optional<Value> LoopObject::pull() {
  if (drained_) {
    return next_drained_ < drained_->size() ? std::optional((*drained_)[next_drained_++])
                                            : std::nullopt;
  }
  while (auto item = source_.next()) {
    if (!statement_.test || run_.accepts(statement_, *item, outer_)) return item;
  }
  return {};
}

std::optional<Value> LoopObject::advance() {
  std::optional<Value> item = peeked_ ? std::exchange(after_, {}) : pull();
  peeked_ = false;
  if (!item) return {};
  ++index0_;
  previous_ = std::exchange(current_, *item);
  return item;
}

const std::optional<Value>& LoopObject::peek() {
  if (!peeked_) after_ = pull();
  peeked_ = true;
  return after_;
}

size_t LoopObject::length() {
  if (length_) return *length_;
  Values rest;
  while (auto item = pull()) rest.push_back(std::move(*item));
  length_ = rest.size() + static_cast<size_t>(index()) + (peeked_ && after_ ? 1 : 0);
  drained_ = std::move(rest);
  return *length_;
}

bool LoopObject::changed(Values values) {
  if (last_changed_ && last_changed_->size() == values.size()) {
    bool equal = true;
    for (size_t i = 0; i < values.size() && equal; ++i) {
      equal = equals(run_.meter(), values[i], (*last_changed_)[i]);
    }
    if (equal) return false;
  }
  if (!finished_) last_changed_ = std::move(values);
  return true;
}

Value LoopObject::cycle(const Values& values) const {
  if (values.empty()) throw Failure("no items for cycling given");
  return values[static_cast<size_t>(index0_) % values.size()];
}

Value LoopObject::recurse(const Value& iterable) {
  if (!statement_.recursive) {
    throw Failure("the loop must have the 'recursive' marker to be called recursively");
  }
  return run_.text(run_.render_loop(statement_, iterable, depth0_ + 1, outer_));
}

std::string describe_loop(const Value& loop) {
  auto& object = loop.as<LoopObject>();
  return fmt::format("<LoopContext {}/{}>", object.index(), object.length());
}

std::optional<Value> loop_attribute(Meter& meter, const Value& loop, std::string_view name) {
  auto& object = loop.as<LoopObject>();
  const auto remaining = [&](int64_t from) {
    return Value::integer(static_cast<int64_t>(object.length()) - from);
  };
  if (name == "index") return Value::integer(object.index());
  if (name == "index0") return Value::integer(object.index0());
  if (name == "first") return Value::boolean(object.index0() == 0);
  if (name == "last") return Value::boolean(!object.peek());
  if (name == "length") return remaining(0);
  if (name == "revindex") return remaining(object.index0());
  if (name == "revindex0") return remaining(object.index());
  if (name == "depth") return Value::integer(object.depth0() + 1);
  if (name == "depth0") return Value::integer(object.depth0());
  if (name == "previtem") {
    return object.index0() == 0 ? meter.undefined("there is no previous item") : object.previous();
  }
  if (name == "nextitem") {
    const std::optional<Value>& after = object.peek();
    return after ? *after : meter.undefined("there is no next item");
  }
  return {};
}

Value call_loop_method(Interpreter&, const Value& loop, std::string_view name,
                       const Arguments& arguments) {
  arguments.refuse_named(name);
  auto& object = loop.as<LoopObject>();
  if (name == "cycle") return object.cycle(arguments.positional);
  return Value::boolean(object.changed(arguments.positional));
}

}  // namespace braid::jinja
