#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "text/jinja/characters.h"
#include "text/jinja/functions.h"
#include "text/jinja/numbers.h"
#include "text/jinja/parser.h"

namespace braid::jinja {
namespace {

using Type = Expr::Type;
using TokenType = Token::Type;

constexpr int kMaxHeight = 1000;  // of a tree that grows to the left: a + b + c + ...

template <class... T>
std::vector<ExprPtr> list_of(T... items) {
  std::vector<ExprPtr> list;
  (list.push_back(std::move(items)), ...);
  return list;
}

int height_of(const CallArgs& args) {
  int height = 0;
  const auto count = [&](const ExprPtr& expr) {
    if (expr) height = std::max(height, expr->height);
  };
  for (const ExprPtr& expr : args.positional) count(expr);
  for (const auto& [name, expr] : args.named) count(expr);
  count(args.more_positional);
  count(args.more_named);
  return height;
}

struct BinaryOp {
  std::string_view text;
  Op op;
};
constexpr std::array<BinaryOp, 6> kComparisons = {{{"==", Op::kEq},
                                                   {"!=", Op::kNe},
                                                   {"<", Op::kLt},
                                                   {"<=", Op::kLe},
                                                   {">", Op::kGt},
                                                   {">=", Op::kGe}}};
constexpr std::array<BinaryOp, 2> kSums = {{{"+", Op::kAdd}, {"-", Op::kSub}}};
constexpr std::array<BinaryOp, 4> kProducts = {
    {{"*", Op::kMul}, {"/", Op::kDiv}, {"//", Op::kFloorDiv}, {"%", Op::kMod}}};

template <size_t n>
const BinaryOp* find_op(const std::array<BinaryOp, n>& ops, const Token& token) {
  if (token.type != TokenType::kOperator) return nullptr;
  const auto* found = std::find_if(ops.begin(), ops.end(),
                                   [&](const BinaryOp& op) { return op.text == token.text; });
  return found != ops.end() ? found : nullptr;
}

Value text_constant(std::string text) {
  auto object = std::make_shared<Str>();
  object->characters = count_characters(text);
  object->text = std::move(text);
  return Value(Kind::kString, std::move(object));
}

}  // namespace

ExprPtr ExpressionParser::make(Type type, int line, std::vector<ExprPtr> children) {
  auto node = std::make_unique<Expr>();
  node->type = type;
  node->line = line;
  for (const ExprPtr& child : children) {
    if (child) node->height = std::max(node->height, child->height + 1);
  }
  if (node->height > kMaxHeight) fail_at(title_, line, "the expression is too long");
  node->children = std::move(children);
  return node;
}

void ExpressionParser::set_args(Expr& node, std::unique_ptr<CallArgs> args) {
  node.height = std::max(node.height, height_of(*args) + 1);
  if (node.height > kMaxHeight) fail_at(title_, node.line, "the expression is too long");
  node.args = std::move(args);
}

ExprPtr ExpressionParser::make_op(Type type, Op op, int line, ExprPtr left, ExprPtr right) {
  ExprPtr node = make(type, line, list_of(std::move(left), std::move(right)));
  node->op = op;
  return node;
}

ExprPtr ExpressionParser::constant(Value value, int line) {
  ExprPtr node = make(Type::kConst, line);
  node->constant = std::move(value);
  return node;
}

ExprPtr ExpressionParser::parse_tuple(const TupleRules& rules) {
  const int line = now().line;
  std::vector<ExprPtr> items;
  bool is_tuple = false;
  while (true) {
    if (!items.empty()) expect_op(",");
    if (is(TokenType::kVariableEnd) || is(TokenType::kBlockEnd) || is_op(")") ||
        (!rules.end_name.empty() && is_name(rules.end_name))) {
      break;
    }
    items.push_back(rules.target ? parse_primary(rules.namespaces)
                                 : parse_expression(rules.conditions));
    if (!is_op(",")) break;
    is_tuple = true;
  }
  if (is_tuple) return make(Type::kTuple, line, std::move(items));
  if (!items.empty()) return std::move(items[0]);
  if (!rules.parentheses) fail("an expression is missing");
  return make(Type::kTuple, line);
}

ExprPtr ExpressionParser::parse_target(std::string_view end_name, bool namespaces) {
  ExprPtr target = parse_tuple({.end_name = end_name, .target = true, .namespaces = namespaces});
  check_assignable(*target);
  return target;
}

void ExpressionParser::check_assignable(const Expr& target) {
  if (target.type == Type::kTuple) {
    for (const ExprPtr& item : target.children) check_assignable(*item);
  } else if (target.type == Type::kName) {
    const std::string& name = names_[target.name];
    if (name == "loop" && for_depth_ > 0) {
      fail_at(title_, target.line, "can't assign to the special loop variable in a for loop");
    }
    for (MacroUse& macro : macros_) macro.set.push_back(name);
  } else if (target.type != Type::kNamespaceRef) {
    fail_at(title_, target.line, "only names can be assigned to");
  }
}

ExprPtr ExpressionParser::parse_expression(bool conditions) {
  const Deeper deeper(*this);
  if (!conditions) return parse_or();
  const int line = now().line;
  const size_t first_unknown = unknown_.size();
  ExprPtr value = parse_or();
  while (skip_name("if")) {
    ExprPtr test = parse_or();
    ExprPtr otherwise = skip_name("else") ? parse_expression() : nullptr;
    value = make(Type::kCondition, line,
                 list_of(std::move(test), std::move(value), std::move(otherwise)));
    unknown_.resize(first_unknown);
  }
  return value;
}

ExprPtr ExpressionParser::parse_or() {
  ExprPtr left = parse_and();
  while (skip_name("or")) left = make(Type::kOr, now().line, list_of(std::move(left), parse_and()));
  return left;
}

ExprPtr ExpressionParser::parse_and() {
  ExprPtr left = parse_not();
  while (skip_name("and"))
    left = make(Type::kAnd, now().line, list_of(std::move(left), parse_not()));
  return left;
}

ExprPtr ExpressionParser::parse_not() {
  if (!is_name("not")) return parse_comparison();
  const Deeper deeper(*this);
  const int line = take().line;
  return make_op(Type::kUnary, Op::kNot, line, parse_not(), nullptr);
}

ExprPtr ExpressionParser::parse_comparison() {
  const int line = now().line;
  std::vector<ExprPtr> operands = list_of(parse_sum());
  std::vector<Op> ops;
  while (true) {
    if (const BinaryOp* op = find_op(kComparisons, now())) {
      take();
      ops.push_back(op->op);
    } else if (skip_name("in")) {
      ops.push_back(Op::kIn);
    } else if (is_name("not") && is_name(ahead(), "in")) {
      take();
      take();
      ops.push_back(Op::kNotIn);
    } else {
      break;
    }
    operands.push_back(parse_sum());
  }
  if (ops.empty()) return std::move(operands[0]);
  ExprPtr node = make(Type::kCompare, line, std::move(operands));
  node->ops = std::move(ops);
  return node;
}

ExprPtr ExpressionParser::parse_sum() {
  ExprPtr left = parse_concat();
  while (const BinaryOp* op = find_op(kSums, now())) {
    const int line = take().line;
    left = make_op(Type::kBinary, op->op, line, std::move(left), parse_concat());
  }
  return left;
}

ExprPtr ExpressionParser::parse_concat() {
  const int line = now().line;
  std::vector<ExprPtr> parts = list_of(parse_product());
  while (skip_op("~")) parts.push_back(parse_product());
  return parts.size() == 1 ? std::move(parts[0]) : make(Type::kConcat, line, std::move(parts));
}

ExprPtr ExpressionParser::parse_product() {
  ExprPtr left = parse_power();
  while (const BinaryOp* op = find_op(kProducts, now())) {
    const int line = take().line;
    left = make_op(Type::kBinary, op->op, line, std::move(left), parse_power());
  }
  return left;
}

ExprPtr ExpressionParser::parse_power() {
  ExprPtr left = parse_unary(true);
  while (is_op("**")) {
    const int line = take().line;
    left = make_op(Type::kBinary, Op::kPow, line, std::move(left), parse_unary(true));
  }
  return left;
}

ExprPtr ExpressionParser::parse_unary(bool filters) {
  ExprPtr value;
  if (is_op("-") || is_op("+")) {
    const Deeper deeper(*this);
    const Token sign = take();
    const Op op = sign.text == "-" ? Op::kNeg : Op::kPos;
    value = make_op(Type::kUnary, op, sign.line, parse_unary(false), nullptr);
  } else {
    value = parse_primary();
  }
  value = parse_postfix(std::move(value));
  return filters ? parse_filters_and_tests(std::move(value)) : std::move(value);
}

ExprPtr ExpressionParser::parse_primary(bool namespaces) {
  const int line = now().line;
  switch (now().type) {
    case TokenType::kName:
      return parse_name(namespaces);
    case TokenType::kString: {
      std::string text;
      while (is(TokenType::kString)) text += take().text;
      return constant(text_constant(std::move(text)), line);
    }
    case TokenType::kInteger:
    case TokenType::kFloat: {
      const auto number = parse_number(now().text, now().type == TokenType::kFloat);
      if (!number) fail(fmt::format("{} is too large: integers have 64 bits", now().text));
      take();
      return constant(*number, line);
    }
    default:
      break;
  }
  if (skip_op("(")) {
    const Deeper deeper(*this);
    ExprPtr value = parse_tuple({.parentheses = true});
    expect_op(")");
    return value;
  }
  if (is_op("[")) return parse_list();
  if (is_op("{")) return parse_dict();
  fail_unexpected();
}

ExprPtr ExpressionParser::parse_name(bool namespaces) {
  const Token token = take();
  if (token.text == "true" || token.text == "True")
    return constant(Value::boolean(true), token.line);
  if (token.text == "false" || token.text == "False") {
    return constant(Value::boolean(false), token.line);
  }
  if (token.text == "none" || token.text == "None") return constant(Value::none(), token.line);
  ExprPtr node = make(Type::kName, token.line);
  node->name = name_of(token.text);
  if (namespaces && skip_op(".")) {
    node->type = Type::kNamespaceRef;
    node->text = expect_name();
  } else {
    note_use(token.text);
  }
  return node;
}

void ExpressionParser::note_use(const std::string& name) {
  if (name != "caller" && name != "varargs" && name != "kwargs") return;
  for (MacroUse& macro : macros_) {
    if (std::find(macro.set.begin(), macro.set.end(), name) != macro.set.end()) continue;
    (name == "caller" ? macro.caller : name == "varargs" ? macro.varargs : macro.kwargs) = true;
  }
}

ExprPtr ExpressionParser::parse_list() {
  const int line = take().line;
  std::vector<ExprPtr> items;
  while (!is_op("]")) {
    if (!items.empty()) expect_op(",");
    if (is_op("]")) break;
    items.push_back(parse_expression());
  }
  expect_op("]");
  return make(Type::kList, line, std::move(items));
}

ExprPtr ExpressionParser::parse_dict() {
  const int line = take().line;
  std::vector<ExprPtr> items;
  while (!is_op("}")) {
    if (!items.empty()) expect_op(",");
    if (is_op("}")) break;
    items.push_back(parse_expression());
    expect_op(":");
    items.push_back(parse_expression());
  }
  expect_op("}");
  return make(Type::kDict, line, std::move(items));
}

ExprPtr ExpressionParser::parse_postfix(ExprPtr value) {
  while (true) {
    if (is_op(".") || is_op("[")) {
      value = parse_subscript(std::move(value));
    } else if (is_op("(")) {
      value = parse_call(std::move(value));
    } else {
      return value;
    }
  }
}

ExprPtr ExpressionParser::parse_subscript(ExprPtr value) {
  const Token begin = take();
  if (begin.text == ".") {
    const Token attribute = take();
    if (attribute.type == TokenType::kName) {
      ExprPtr node = make(Type::kAttribute, begin.line, list_of(std::move(value)));
      node->constant = text_constant(attribute.text);
      node->text = attribute.text;
      return node;
    }
    const auto number = parse_number(attribute.text, false);
    if (attribute.type != TokenType::kInteger || !number) {
      fail_at(title_, attribute.line, "a name or a number should follow the dot");
    }
    return make(Type::kItem, begin.line,
                list_of(std::move(value), constant(*number, attribute.line)));
  }
  std::vector<ExprPtr> indexes;
  bool slice = false;
  std::vector<ExprPtr> parts;
  while (!is_op("]")) {
    if (!indexes.empty()) expect_op(",");
    indexes.push_back(parse_index(slice, parts));
  }
  expect_op("]");
  if (slice) {
    if (indexes.size() != 1)
      fail_at(title_, begin.line, "a slice cannot be one of several indexes");
    return make(
        Type::kSlice, begin.line,
        list_of(std::move(value), std::move(parts[0]), std::move(parts[1]), std::move(parts[2])));
  }
  ExprPtr index = indexes.size() == 1 ? std::move(indexes[0])
                                      : make(Type::kTuple, begin.line, std::move(indexes));
  return make(Type::kItem, begin.line, list_of(std::move(value), std::move(index)));
}

// The index, or null with the three parts of a slice.
ExprPtr ExpressionParser::parse_index(bool& slice, std::vector<ExprPtr>& parts) {
  ExprPtr first = is_op(":") ? nullptr : parse_expression();
  if (!is_op(":")) return first;
  slice = true;
  parts = list_of(std::move(first), ExprPtr(), ExprPtr());
  for (size_t i = 1; i < 3 && skip_op(":"); ++i) {
    if (!is_op(":") && !is_op("]") && !is_op(",")) parts[i] = parse_expression();
  }
  return nullptr;
}

ExprPtr ExpressionParser::parse_filters_and_tests(ExprPtr value) {
  while (true) {
    if (is_op("|")) {
      value = parse_filters(std::move(value));
    } else if (is_name("is")) {
      value = parse_test(std::move(value));
    } else if (is_op("(")) {
      value = parse_call(std::move(value));
    } else {
      return value;
    }
  }
}

ExprPtr ExpressionParser::parse_filters(ExprPtr input, bool begin_with_name) {
  while (begin_with_name || is_op("|")) {
    if (!begin_with_name) take();
    begin_with_name = false;
    const int line = now().line;
    std::string name = expect_name();
    while (skip_op(".")) name += "." + expect_name();
    ExprPtr node = make(Type::kFilter, line, list_of(std::move(input)));
    set_args(*node, is_op("(") ? parse_args() : std::make_unique<CallArgs>());
    node->filter = find_filter(name);
    if (node->filter == nullptr) unknown_.push_back({line, no_filter_message(name)});
    node->text = std::move(name);
    input = std::move(node);
  }
  return input;
}

bool ExpressionParser::test_has_argument() const {
  switch (now().type) {
    case TokenType::kName:
      return !is_name("else") && !is_name("or") && !is_name("and");
    case TokenType::kString:
    case TokenType::kInteger:
    case TokenType::kFloat:
      return true;
    default:
      return is_op("[") || is_op("{");
  }
}

ExprPtr ExpressionParser::parse_test(ExprPtr value) {
  const int line = take().line;
  const bool negated = skip_name("not");
  std::string name = expect_name();
  while (skip_op(".")) name += "." + expect_name();
  ExprPtr node = make(Type::kTest, line, list_of(std::move(value)));
  auto args = std::make_unique<CallArgs>();
  if (is_op("(")) {
    args = parse_args();
  } else if (test_has_argument()) {
    if (is_name("is")) fail("tests with `is` cannot be chained");
    const Deeper deeper(*this);
    args->positional.push_back(parse_postfix(parse_primary()));
  }
  set_args(*node, std::move(args));
  node->test = find_test(name);
  if (node->test == nullptr) unknown_.push_back({line, no_test_message(name)});
  node->text = std::move(name);
  if (!negated) return node;
  return make_op(Type::kUnary, Op::kNot, line, std::move(node), nullptr);
}

ExprPtr ExpressionParser::parse_call(ExprPtr callee) {
  ExprPtr node = make(Type::kCall, now().line, list_of(std::move(callee)));
  set_args(*node, parse_args());
  return node;
}

std::unique_ptr<CallArgs> ExpressionParser::parse_args() {
  auto args = std::make_unique<CallArgs>();
  expect_op("(");
  const auto ensure = [&](bool fine) {
    if (!fine) fail("these arguments cannot follow one another");
  };
  for (bool first = true; !is_op(")"); first = false) {
    if (!first) {
      expect_op(",");
      if (is_op(")")) break;
    }
    if (skip_op("*")) {
      ensure(!args->more_positional && !args->more_named);
      args->more_positional = parse_expression();
    } else if (skip_op("**")) {
      ensure(!args->more_named);
      args->more_named = parse_expression();
    } else if (is(TokenType::kName) && is_op(ahead(), "=")) {
      ensure(!args->more_named);
      std::string key = take().text;
      take();
      for (const auto& [other, value] : args->named) {
        if (other == key) fail(fmt::format("argument '{}' is given twice", key));
      }
      args->named.emplace_back(std::move(key), parse_expression());
    } else {
      ensure(!args->more_positional && !args->more_named && args->named.empty());
      args->positional.push_back(parse_expression());
    }
  }
  expect_op(")");
  return args;
}

void ExpressionParser::refuse_unknown(size_t from) {
  if (unknown_.size() > from) fail_at(title_, unknown_[from].line, unknown_[from].message);
}

}  // namespace braid::jinja
