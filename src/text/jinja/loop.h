// The variable `loop` of a for loop.
#pragma once

#include <optional>

#include "text/jinja/compare.h"
#include "text/jinja/interpreter.h"

namespace braid::jinja {

class LoopObject : public Object {
 public:
  LoopObject(Interpreter& run, const Stmt& statement, const Value& iterable, int depth0,
             ScopePtr outer);

  // The next item; none at the end.
  std::optional<Value> advance();
  size_t length();
  const std::optional<Value>& peek();
  bool changed(Values values);
  Value cycle(const Values& values) const;
  Value recurse(const Value& iterable);
  // After the last iteration: lets go of what could hold the loop itself.
  void finish() {
    finished_ = true;
    last_changed_.reset();
  }

  const Value& previous() const { return previous_; }
  int64_t index0() const { return index0_; }
  int64_t index() const { return index0_ + 1; }
  int64_t depth0() const { return depth0_; }

 private:
  std::optional<Value> pull();

  Interpreter& run_;
  const Stmt& statement_;
  Source source_;
  ScopePtr outer_;
  int depth0_;
  int64_t index0_ = -1;
  std::optional<size_t> length_;
  std::optional<Values> drained_;  // what is left, once the length was asked for
  size_t next_drained_ = 0;
  bool peeked_ = false;
  bool finished_ = false;
  std::optional<Value> after_;
  Value previous_, current_;
  std::optional<Values> last_changed_;
};

}  // namespace braid::jinja
