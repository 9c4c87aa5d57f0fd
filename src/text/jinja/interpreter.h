// Runs a parsed template once: walks the tree, keeps the variables, collects the output.
//
// One Interpreter serves one render on one thread; the Program is shared. Values hold raw
// references to their render (loops, macros), so none outlives it.
#pragma once

#include <ctime>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/arguments.h"
#include "text/jinja/ast.h"
#include "text/jinja/value.h"

namespace braid::jinja {

// The variables of one frame; lookups go on in the parent.
struct Scope {
  std::vector<std::pair<Name, Value>> variables;
  std::shared_ptr<Scope> parent;

  const Value* find(Name name) const;
  void set(Name name, Value value);
};
using ScopePtr = std::shared_ptr<Scope>;

struct MacroObject : Object {
  const Stmt* definition = nullptr;
  ScopePtr scope;  // in which it was defined
};

class Interpreter {
 public:
  using Clock = std::function<std::tm()>;

  Interpreter(const Program& program, const Limits& limits, Clock clock);
  ~Interpreter();
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  // Throws braid::Error.
  std::string render(const nlohmann::ordered_json& context);

  Meter& meter() { return meter_; }
  Value text(std::string value) { return meter_.string(std::move(value)); }
  std::tm now() const { return clock_(); }
  Value call(const Value& callee, const Arguments& arguments);

 private:
  friend class LoopObject;
  enum class Signal { kNone, kBreak, kContinue };
  class InScope;
  class Capture;

  void give_context(const nlohmann::ordered_json& context);
  Signal run(const Block& block);
  Signal run(const Stmt& statement);
  Signal run_body(const Body& body);
  Signal run_if(const Stmt& statement);
  Signal run_for(const Stmt& statement);
  Signal run_with(const Stmt& statement);
  Signal run_filter(const Stmt& statement);
  void run_set(const Stmt& statement);
  Signal run_set_block(const Stmt& statement);
  void run_call_block(const Stmt& statement);
  void write(std::string_view text);
  void write_value(const Value& value);

  // The loop's iterations, from `outer`, in which the statement stands.
  Signal loop_over(const Stmt& statement, const Value& iterable, int depth0, ScopePtr outer);
  std::string render_loop(const Stmt& statement, const Value& iterable, int depth0, ScopePtr outer);
  bool accepts(const Stmt& statement, const Value& item, const ScopePtr& outer);

  void keep(const ScopePtr& scope);  // emptied when the render ends: something in it may hold it

  void assign(const Expr& target, const Value& value);
  Value look_up(Name name);
  Value make_macro(const Stmt& definition);
  std::string call_macro(const MacroObject& macro, const Arguments& arguments);
  void give_parameters(const MacroObject& macro, const Arguments& arguments);

  Value eval(const Expr& expr);
  Value eval_node(const Expr& expr);
  Value eval_compare(const Expr& expr);
  Value eval_concat(const Expr& expr);
  Value eval_dict(const Expr& expr);
  Value eval_slice(const Expr& expr);
  Value eval_call(const Expr& expr);
  Value eval_filter(const Expr& expr, const Value* block);
  Value eval_test(const Expr& expr);
  Values eval_all(const std::vector<ExprPtr>& exprs);
  Arguments eval_args(const CallArgs& args);

  const Program& program_;
  Meter meter_;
  Clock clock_;
  std::vector<std::optional<Value>> context_;  // by Name
  ScopePtr scope_;
  std::string out_;
  size_t captured_ = 0;  // bytes in outputs that wait for this one
  int line_ = 1;
  std::optional<Name> loop_name_, caller_name_, varargs_name_, kwargs_name_;
};

std::string describe_macro(const Value& macro);
std::string describe_loop(const Value& loop);
std::optional<Value> macro_attribute(Meter& meter, const Value& macro, std::string_view name);
std::optional<Value> loop_attribute(Meter& meter, const Value& loop, std::string_view name);
Value call_loop_method(Interpreter& run, const Value& loop, std::string_view name,
                       const Arguments& arguments);

// Throws Failure on text that is not UTF-8 and on values nested too deep.
Value from_json(Meter& meter, const nlohmann::ordered_json& json, int depth = 0);

}  // namespace braid::jinja
