// The expressions of a template: the evaluating half of the interpreter.
#include <fmt/format.h>

#include "text/jinja/compare.h"
#include "text/jinja/functions.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/operators.h"
#include "text/jinja/printing.h"

namespace braid::jinja {

Value Interpreter::eval(const Expr& expr) {
  meter_.step();
  if (expr.type == Expr::Type::kConst) return expr.constant;
  if (expr.type == Expr::Type::kName) return look_up(expr.name);
  const Nest nest(meter_);
  return eval_node(expr);
}

Value Interpreter::eval_node(const Expr& expr) {
  const auto child = [&](size_t i) { return eval(*expr.children[i]); };
  switch (expr.type) {
    case Expr::Type::kList:
      return meter_.list(eval_all(expr.children));
    case Expr::Type::kTuple:
      return meter_.tuple(eval_all(expr.children));
    case Expr::Type::kDict:
      return eval_dict(expr);
    case Expr::Type::kAnd: {
      Value left = child(0);
      return truth(left) ? child(1) : left;
    }
    case Expr::Type::kOr: {
      Value left = child(0);
      return truth(left) ? left : child(1);
    }
    case Expr::Type::kCondition:
      if (truth(child(0))) return child(1);
      if (expr.children[2]) return child(2);
      return meter_.undefined(
          "the inline if-expression evaluated to false and no else section was defined");
    case Expr::Type::kUnary: {
      const Value value = child(0);
      line_ = expr.line;
      return apply_unary(meter_, expr.op, value);
    }
    case Expr::Type::kBinary: {
      const Value left = child(0);
      const Value right = child(1);
      line_ = expr.line;
      return apply_binary(meter_, expr.op, left, right);
    }
    case Expr::Type::kConcat:
      return eval_concat(expr);
    case Expr::Type::kCompare:
      return eval_compare(expr);
    case Expr::Type::kAttribute: {
      const Value value = child(0);
      line_ = expr.line;
      return attribute_of(meter_, value, expr.text);
    }
    case Expr::Type::kItem: {
      const Value value = child(0);
      const Value key = child(1);
      line_ = expr.line;
      return item_of(meter_, value, key);
    }
    case Expr::Type::kSlice:
      return eval_slice(expr);
    case Expr::Type::kCall:
      return eval_call(expr);
    case Expr::Type::kFilter:
      return eval_filter(expr, nullptr);
    case Expr::Type::kTest:
      return eval_test(expr);
    default:
      throw Failure("this expression has no value");
  }
}

Values Interpreter::eval_all(const std::vector<ExprPtr>& exprs) {
  Values values;
  values.reserve(exprs.size());
  for (const ExprPtr& expr : exprs) values.push_back(eval(*expr));
  return values;
}

Value Interpreter::eval_dict(const Expr& expr) {
  auto dict = meter_.dict();
  for (size_t i = 0; i < expr.children.size(); i += 2) {
    Value key = eval(*expr.children[i]);
    Value value = eval(*expr.children[i + 1]);
    line_ = expr.line;
    dict->set(meter_, std::move(key), std::move(value));
  }
  return meter_.finish(std::move(dict));
}

Value Interpreter::eval_concat(const Expr& expr) {
  std::string out;
  for (const ExprPtr& part : expr.children) {
    const Value value = eval(*part);
    if (value.is_string()) {
      out += value.text();
    } else {
      out += to_text(meter_, value);
    }
    meter_.check_string(out.size());
  }
  return meter_.string(std::move(out));
}

Value Interpreter::eval_compare(const Expr& expr) {
  Value left = eval(*expr.children[0]);
  for (size_t i = 0; i < expr.ops.size(); ++i) {
    Value right = eval(*expr.children[i + 1]);
    line_ = expr.line;
    if (!apply_comparison(meter_, expr.ops[i], left, right)) return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

Value Interpreter::eval_slice(const Expr& expr) {
  const auto part = [&](size_t i) {
    return expr.children[i] ? eval(*expr.children[i]) : Value::none();
  };
  const Value value = eval(*expr.children[0]);
  const Value start = part(1);
  const Value stop = part(2);
  const Value step = part(3);
  line_ = expr.line;
  return slice_of(meter_, value, start, stop, step);
}

Arguments Interpreter::eval_args(const CallArgs& args) {
  Arguments out;
  out.positional = eval_all(args.positional);
  for (const auto& [name, expr] : args.named) out.named.emplace_back(name, eval(*expr));
  if (args.more_positional) {
    Values more = items_of(meter_, eval(*args.more_positional));
    out.positional.insert(out.positional.end(), more.begin(), more.end());
  }
  if (args.more_named) {
    const Value more = eval(*args.more_named);
    if (!more.is(Kind::kDict)) throw Failure("an argument after ** must be a mapping");
    for (const auto& [key, value] : more.as<Dict>().entries) {
      if (!key.is_string()) throw Failure("keywords must be strings");
      for (const auto& [name, other] : out.named) {
        if (name == key.text()) {
          throw Failure(fmt::format("got two values for keyword argument '{}'", name));
        }
      }
      out.named.emplace_back(key.text(), value);
    }
  }
  return out;
}

Value Interpreter::eval_call(const Expr& expr) {
  const Value callee = eval(*expr.children[0]);
  const Arguments arguments = eval_args(*expr.args);
  line_ = expr.line;
  return call(callee, arguments);
}

// In a chain of filters on a block, the first one has no expression to work on but the block's
// text.
Value Interpreter::eval_filter(const Expr& expr, const Value* block) {
  const Expr* inner = expr.children[0].get();
  const Value input = inner == nullptr ? *block
                      : block != nullptr && inner->type == Expr::Type::kFilter
                          ? eval_filter(*inner, block)
                          : eval(*inner);
  const Arguments arguments = eval_args(*expr.args);
  line_ = expr.line;
  if (expr.filter == nullptr) throw Failure(no_filter_message(expr.text));
  return expr.filter->call(*this, input, arguments);
}

Value Interpreter::eval_test(const Expr& expr) {
  const Value input = eval(*expr.children[0]);
  const Arguments arguments = eval_args(*expr.args);
  line_ = expr.line;
  if (expr.test == nullptr) throw Failure(no_test_message(expr.text));
  return Value::boolean(expr.test->call(*this, input, arguments));
}

}  // namespace braid::jinja
