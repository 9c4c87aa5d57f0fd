#include "text/jinja/interpreter.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "format/printable.h"
#include "text/jinja/compare.h"
#include "text/jinja/functions.h"
#include "text/jinja/loop.h"
#include "text/jinja/printing.h"

namespace braid::jinja {

class Interpreter::InScope {
 public:
  InScope(Interpreter& run, ScopePtr scope)
      : run_(run), saved_(std::exchange(run.scope_, std::move(scope))) {}
  ~InScope() { run_.scope_ = std::move(saved_); }
  InScope(const InScope&) = delete;
  InScope& operator=(const InScope&) = delete;

 private:
  Interpreter& run_;
  ScopePtr saved_;
};

// What is written goes into a text of its own as long as this lives.
class Interpreter::Capture {
 public:
  explicit Capture(Interpreter& run) : run_(run), saved_(std::exchange(run.out_, {})) {
    run_.captured_ += saved_.size();
  }
  ~Capture() {
    run_.captured_ -= saved_.size();
    run_.out_ = std::move(saved_);
  }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  std::string take() { return std::exchange(run_.out_, {}); }

 private:
  Interpreter& run_;
  std::string saved_;
};

namespace {

ScopePtr scope_in(ScopePtr parent) {
  auto scope = std::make_shared<Scope>();
  scope->parent = std::move(parent);
  return scope;
}

}  // namespace

const Value* Scope::find(Name name) const {
  for (const auto& [n, value] : variables) {
    if (n == name) return &value;
  }
  return nullptr;
}

void Scope::set(Name name, Value value) {
  for (auto& [n, old] : variables) {
    if (n == name) {
      old = std::move(value);
      return;
    }
  }
  variables.emplace_back(name, std::move(value));
}

Interpreter::Interpreter(const Program& program, const Limits& limits, Clock clock)
    : program_(program), meter_(limits), clock_(std::move(clock)) {
  const auto find_name = [&](std::string_view name) -> std::optional<Name> {
    const auto found = std::find(program.names.begin(), program.names.end(), name);
    if (found == program.names.end()) return {};
    return static_cast<Name>(found - program.names.begin());
  };
  loop_name_ = find_name("loop");
  caller_name_ = find_name("caller");
  varargs_name_ = find_name("varargs");
  kwargs_name_ = find_name("kwargs");
}

Interpreter::~Interpreter() { meter_.break_cycles(); }

void Interpreter::give_context(const nlohmann::ordered_json& context) {
  context_.resize(program_.names.size());
  for (size_t i = 0; i < program_.names.size(); ++i) {
    const std::string& name = program_.names[i];
    if (program_.self && *program_.self == i) {
      context_[i] = Value::the_template();
    } else if (const auto found = context.find(name); found != context.end()) {
      context_[i] = from_json(meter_, *found);
    } else if (const int64_t id = find_function(name); id >= 0) {
      context_[i] = Value::function(id);
    }
  }
}

std::string Interpreter::render(const nlohmann::ordered_json& context) {
  CHECK(context.is_object());
  try {
    give_context(context);
    scope_ = scope_in(nullptr);
    run_body(program_.root);
    return std::move(out_);
  } catch (const Failure& failure) {
    fail_at(program_.title, line_, failure.what());
  }
}

void Interpreter::write(std::string_view text) {
  meter_.check_string(captured_ + out_.size() + text.size());
  meter_.work(text.size());
  out_ += text;
}

void Interpreter::write_value(const Value& value) {
  if (value.is_string()) {
    write(value.text());
  } else if (!value.is_undefined()) {
    write(to_text(meter_, value));
  }
}

Interpreter::Signal Interpreter::run(const Block& block) {
  for (const auto& statement : block) {
    if (const Signal signal = run(*statement); signal != Signal::kNone) return signal;
  }
  return Signal::kNone;
}

Interpreter::Signal Interpreter::run_body(const Body& body) {
  for (const Name name : body.unset) {
    if (context_[name] && scope_->find(name) == nullptr) scope_->set(name, Value());
  }
  return run(body.block);
}

Interpreter::Signal Interpreter::run(const Stmt& statement) {
  const Nest nest(meter_);
  meter_.step();
  line_ = statement.line;
  switch (statement.type) {
    case Stmt::Type::kData:
      write(statement.text);
      return Signal::kNone;
    case Stmt::Type::kOutput:
      write_value(eval(*statement.value));
      return Signal::kNone;
    case Stmt::Type::kIf:
      return run_if(statement);
    case Stmt::Type::kFor:
      return run_for(statement);
    case Stmt::Type::kSet:
      run_set(statement);
      return Signal::kNone;
    case Stmt::Type::kSetBlock:
      return run_set_block(statement);
    case Stmt::Type::kMacro:
      scope_->set(statement.name, make_macro(statement));
      keep(scope_);
      return Signal::kNone;
    case Stmt::Type::kCall:
      run_call_block(statement);
      return Signal::kNone;
    case Stmt::Type::kFilter:
      return run_filter(statement);
    case Stmt::Type::kWith:
      return run_with(statement);
    case Stmt::Type::kGeneration:
      write(call_macro(make_macro(statement).as<MacroObject>(), {}));
      return Signal::kNone;
    case Stmt::Type::kBreak:
      return Signal::kBreak;
    case Stmt::Type::kContinue:
      return Signal::kContinue;
    case Stmt::Type::kRefused:
      throw Failure(statement.text);
  }
  return Signal::kNone;
}

Interpreter::Signal Interpreter::run_if(const Stmt& statement) {
  for (const Stmt::Branch& branch : statement.branches) {
    if (!branch.test || truth(eval(*branch.test))) return run(branch.block);
  }
  return Signal::kNone;
}

Interpreter::Signal Interpreter::run_for(const Stmt& statement) {
  const Value iterable = eval(*statement.value);
  line_ = statement.line;
  if (!statement.recursive) return loop_over(statement, iterable, 0, scope_);
  write(render_loop(statement, iterable, 0, scope_));
  return Signal::kNone;
}

std::string Interpreter::render_loop(const Stmt& statement, const Value& iterable, int depth0,
                                     ScopePtr outer) {
  const Nest nest(meter_);
  Capture capture(*this);
  loop_over(statement, iterable, depth0, std::move(outer));
  return capture.take();
}

bool Interpreter::accepts(const Stmt& statement, const Value& item, const ScopePtr& outer) {
  const InScope in_scope(*this, scope_in(outer));
  assign(*statement.target, item);
  return truth(eval(*statement.test));
}

Interpreter::Signal Interpreter::loop_over(const Stmt& statement, const Value& iterable, int depth0,
                                           ScopePtr outer) {
  const auto loop = std::make_shared<LoopObject>(*this, statement, iterable, depth0, outer);
  const Value loop_value(Kind::kLoop, loop);
  bool completed = false;
  ScopePtr scope;
  while (const auto item = loop->advance()) {
    if (scope && scope.use_count() == 1) {
      scope->variables.clear();
    } else {
      scope = scope_in(outer);
    }
    const InScope in_scope(*this, scope);
    if (loop_name_) scope->set(*loop_name_, loop_value);
    assign(*statement.target, *item);
    const Signal signal = run_body(statement.body);
    if (signal == Signal::kBreak) break;
    completed = completed || signal == Signal::kNone;
  }
  loop->finish();
  if (scope) scope->variables.clear();
  if (loop.use_count() > 2) keep(outer);
  if (completed || !statement.has_otherwise) return Signal::kNone;
  const InScope in_scope(*this, scope_in(outer));
  return run_body(statement.otherwise);
}

Interpreter::Signal Interpreter::run_with(const Stmt& statement) {
  const ScopePtr scope = scope_in(scope_);
  for (const auto& [target, expr] : statement.withs) {
    const Value value = eval(*expr);
    const InScope in_scope(*this, scope);
    assign(*target, value);
  }
  const InScope in_scope(*this, scope);
  return run_body(statement.body);
}

Interpreter::Signal Interpreter::run_filter(const Stmt& statement) {
  std::string text;
  {
    const InScope in_scope(*this, scope_in(scope_));
    Capture capture(*this);
    if (const Signal signal = run_body(statement.body); signal != Signal::kNone) return signal;
    const Value body = meter_.string(capture.take());
    text = to_text(meter_, eval_filter(*statement.value, &body));
  }
  write(text);
  return Signal::kNone;
}

void Interpreter::run_set(const Stmt& statement) {
  const Value value = eval(*statement.value);
  line_ = statement.line;
  assign(*statement.target, value);
}

Interpreter::Signal Interpreter::run_set_block(const Stmt& statement) {
  Value value;
  {
    const InScope in_scope(*this, scope_in(scope_));
    Capture capture(*this);
    if (const Signal signal = run_body(statement.body); signal != Signal::kNone) return signal;
    value = meter_.string(capture.take());
    if (statement.value) value = eval_filter(*statement.value, &value);
  }
  assign(*statement.target, value);
  return Signal::kNone;
}

void Interpreter::run_call_block(const Stmt& statement) {
  const Expr& expr = *statement.value;
  const Value callee = eval(*expr.children[0]);
  Arguments arguments = eval_args(*expr.args);
  const Value caller = make_macro(statement);
  arguments.named.emplace_back("caller", caller);
  line_ = expr.line;
  write_value(call(callee, arguments));
  arguments.named.clear();
  if (caller.object().use_count() > 1) keep(scope_);
}

// A macro or loop that somebody put away holds the scope around it, which may hold more such.
void Interpreter::keep(const ScopePtr& scope) {
  meter_.keep([scope] { std::exchange(scope->variables, {}); });
}

void Interpreter::assign(const Expr& target, const Value& value) {
  if (target.type == Expr::Type::kName) return scope_->set(target.name, value);
  if (target.type == Expr::Type::kNamespaceRef) {
    const Value space = look_up(target.name);
    if (!space.is(Kind::kNamespace))
      throw Failure("cannot assign attribute on non-namespace object");
    if (target.text.starts_with('_')) {
      throw Failure(fmt::format(
          "a namespace does not take the name '{}': it begins with an underscore", target.text));
    }
    return space.as<Namespace>().set(target.text, value);
  }
  const Values items = items_of(meter_, value);
  if (items.size() != target.children.size()) {
    throw Failure(
        fmt::format("{} values to unpack, expected {}", items.size(), target.children.size()));
  }
  for (size_t i = 0; i < items.size(); ++i) assign(*target.children[i], items[i]);
}

Value Interpreter::look_up(Name name) {
  for (const Scope* scope = scope_.get(); scope != nullptr; scope = scope->parent.get()) {
    const Value* found = scope->find(name);
    if (found == nullptr) continue;
    if (!found->is_undefined() || found->object()) return *found;
    return meter_.undefined(fmt::format("'{}' is undefined", program_.names[name]));
  }
  if (context_[name]) return *context_[name];
  return meter_.undefined(fmt::format("'{}' is undefined", program_.names[name]));
}

Value Interpreter::make_macro(const Stmt& definition) {
  constexpr size_t kScopeBytes = 200;  // it may be the last that keeps its scope
  auto macro = std::make_shared<MacroObject>();
  meter_.hold(*macro, sizeof(MacroObject) + kScopeBytes);
  macro->definition = &definition;
  macro->scope = scope_;
  return Value(Kind::kMacro, std::move(macro));
}

void Interpreter::give_parameters(const MacroObject& macro, const Arguments& arguments) {
  const Parameters& parameters = macro.definition->parameters;
  const size_t n = parameters.names.size();
  const size_t n_given = std::min(n, arguments.positional.size());
  auto named = arguments.named;
  const auto pop = [&](std::string_view name) -> std::optional<Value> {
    const auto found = std::find_if(named.begin(), named.end(),
                                    [&](const auto& entry) { return entry.first == name; });
    if (found == named.end()) return {};
    Value value = std::move(found->second);
    named.erase(found);
    return value;
  };
  std::vector<size_t> missing;
  for (size_t i = 0; i < n_given; ++i) scope_->set(parameters.names[i], arguments.positional[i]);
  for (size_t i = n_given; i < n; ++i) {
    if (auto value = pop(program_.names[parameters.names[i]])) {
      scope_->set(parameters.names[i], std::move(*value));
    } else {
      missing.push_back(i);
    }
  }
  if (parameters.uses_caller) {
    auto caller = pop("caller");
    scope_->set(*caller_name_, caller ? *caller : meter_.undefined("No caller defined"));
  }
  if (parameters.uses_kwargs) {
    auto dict = meter_.dict();
    for (const auto& [key, value] : named) dict->set(meter_, meter_.string(key), value);
    scope_->set(*kwargs_name_, meter_.finish(std::move(dict)));
  } else if (!named.empty()) {
    throw Failure(fmt::format("macro '{}' takes no keyword argument '{}'", macro.definition->text,
                              named[0].first));
  }
  const auto& positional = arguments.positional;
  if (parameters.uses_varargs) {
    scope_->set(*varargs_name_, meter_.tuple({positional.begin() + static_cast<ptrdiff_t>(n_given),
                                              positional.end()}));
  } else if (positional.size() > n) {
    throw Failure(
        fmt::format("macro '{}' takes not more than {} argument(s)", macro.definition->text, n));
  }
  for (const size_t i : missing) {
    const size_t first_default = n - parameters.defaults.size();
    scope_->set(parameters.names[i],
                i >= first_default
                    ? eval(*parameters.defaults[i - first_default])
                    : meter_.undefined(fmt::format("parameter '{}' was not provided",
                                                   program_.names[parameters.names[i]])));
  }
}

std::string Interpreter::call_macro(const MacroObject& macro, const Arguments& arguments) {
  const Nest nest(meter_);
  const InScope in_scope(*this, scope_in(macro.scope));
  give_parameters(macro, arguments);
  Capture capture(*this);
  run_body(macro.definition->body);
  return capture.take();
}

Value Interpreter::call(const Value& callee, const Arguments& arguments) {
  const Nest nest(meter_);
  switch (callee.kind()) {
    case Kind::kUndefined:
      fail_undefined(callee);
    case Kind::kFunction:
      return call_function(*this, callee.as_int(), arguments);
    case Kind::kMethod:
      return call_method(*this, callee.as<Method>(), arguments);
    case Kind::kMacro: {
      const Value held = callee;  // the macro may take its own name's place
      return meter_.string(call_macro(held.as<MacroObject>(), arguments));
    }
    case Kind::kLoop: {
      const Bound args("loop", arguments, {"iterable"}, 1);
      return callee.as<LoopObject>().recurse(args[0]);
    }
    case Kind::kJoiner: {
      auto& joiner = callee.as<Joiner>();
      return std::exchange(joiner.used, true) ? joiner.separator : meter_.string("");
    }
    default:
      throw Failure(fmt::format("'{}' object is not callable", type_name(callee)));
  }
}

std::string describe_macro(const Value& macro) {
  const Stmt& definition = *macro.as<MacroObject>().definition;
  return definition.type == Stmt::Type::kMacro ? "<Macro " + repr_text(definition.text) + ">"
                                               : "<Macro anonymous>";
}

std::optional<Value> macro_attribute(Meter& meter, const Value& macro, std::string_view name) {
  const Stmt& definition = *macro.as<MacroObject>().definition;
  const Parameters& parameters = definition.parameters;
  if (name == "name") {
    return definition.type == Stmt::Type::kMacro ? meter.string(definition.text) : Value::none();
  }
  if (name == "catch_kwargs") return Value::boolean(parameters.uses_kwargs);
  if (name == "catch_varargs") return Value::boolean(parameters.uses_varargs);
  if (name == "caller") return Value::boolean(parameters.uses_caller);
  return {};
}

Value from_json(Meter& meter, const nlohmann::ordered_json& json, int depth) {
  using Type = nlohmann::ordered_json::value_t;
  if (depth > kMaxNesting) {
    throw LimitFailure(fmt::format("the context is nested more than {} deep", kMaxNesting));
  }
  switch (json.type()) {
    case Type::boolean:
      return Value::boolean(json.get<bool>());
    case Type::number_integer:
      return Value::integer(json.get<int64_t>());
    case Type::number_unsigned: {
      const auto value = json.get<uint64_t>();
      return value > INT64_MAX ? Value::big(value) : Value::integer(static_cast<int64_t>(value));
    }
    case Type::number_float:
      return Value::real(json.get<double>());
    case Type::string: {
      const auto& text = json.get_ref<const std::string&>();
      if (!is_utf8(text)) throw Failure("a text of the context is not valid UTF-8");
      return meter.string(text);
    }
    case Type::array: {
      Values items;
      items.reserve(json.size());
      for (const auto& item : json) items.push_back(from_json(meter, item, depth + 1));
      return meter.list(std::move(items));
    }
    case Type::object: {
      auto dict = meter.dict();
      for (const auto& [key, value] : json.items()) {
        if (!is_utf8(key)) throw Failure("a key of the context is not valid UTF-8");
        dict->set(meter, meter.string(key), from_json(meter, value, depth + 1));
      }
      return meter.finish(std::move(dict));
    }
    default:
      return Value::none();
  }
}

}  // namespace braid::jinja
