// Makes the syntax tree of a template, by jinja2's grammar with its loopcontrols extension and the
// generation tag of chat templates.
//
// What is no template at all is refused here: brackets and blocks nested too deep, tags and filters
// that do not exist. Tags that would load other templates are refused when they are reached.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/ast.h"
#include "text/jinja/lexer.h"

namespace braid::jinja {

// Throws braid::Error.
Program parse(std::string_view title, std::string_view source, const Limits& limits);

// What a statement's parser and an expression's have in common: the tokens and the names.
class ParserBase {
 protected:
  ParserBase(std::string_view title, std::vector<Token> tokens)
      : title_(title), tokens_(std::move(tokens)) {}

  const Token& now() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  Token take() { return at_ + 1 < tokens_.size() ? tokens_[at_++] : tokens_[at_]; }
  bool is(Token::Type type) const { return now().type == type; }
  bool is_name(std::string_view name) const { return is_name(now(), name); }
  bool is_op(std::string_view op) const { return is_op(now(), op); }
  static bool is_name(const Token& token, std::string_view name) {
    return token.type == Token::Type::kName && token.text == name;
  }
  static bool is_op(const Token& token, std::string_view op) {
    return token.type == Token::Type::kOperator && token.text == op;
  }
  bool skip_name(std::string_view name);
  bool skip_op(std::string_view op);
  std::string expect_name();
  void expect_op(std::string_view op);
  [[noreturn]] void fail(std::string_view message) const { fail_at(title_, now().line, message); }
  [[noreturn]] void fail_unexpected() const;

  Name name_of(const std::string& text);
  // Brackets, tags and the like inside one another.
  class Deeper {
   public:
    explicit Deeper(ParserBase& parser);
    ~Deeper() { --parser_.depth_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;

   private:
    ParserBase& parser_;
  };

  std::string title_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
  std::vector<std::string> names_;
  std::map<std::string, Name> name_numbers_;
};

class ExpressionParser : public ParserBase {
 protected:
  using ParserBase::ParserBase;

  struct TupleRules {
    bool conditions = true;       // "a if b else c" may stand in it
    std::string_view end_name{};  // also ends before this word
    bool parentheses = false;     // it stands in parentheses, so it may be empty
    bool target = false;          // only names and constants
    bool namespaces = false;      // and ns.attribute
  };
  ExprPtr parse_tuple(const TupleRules& rules);
  ExprPtr parse_expression(bool conditions = true);
  ExprPtr parse_primary(bool namespaces = false);
  ExprPtr parse_filters(ExprPtr input, bool begin_with_name = false);
  ExprPtr parse_target(std::string_view end_name, bool namespaces);

  // Filters and tests that do not exist. Where the code may never run, in an if, they fail when
  // they do; elsewhere the template is refused.
  struct Unknown {
    int line;
    std::string message;
  };
  std::vector<Unknown> unknown_;
  void refuse_unknown(size_t from);

  // The macros around: the special names that their bodies use.
  struct MacroUse {
    bool caller = false, varargs = false, kwargs = false;
    std::vector<std::string> set;  // names that are variables of its own
  };
  std::vector<MacroUse> macros_;
  int for_depth_ = 0;

 private:
  ExprPtr parse_or();
  ExprPtr parse_and();
  ExprPtr parse_not();
  ExprPtr parse_comparison();
  ExprPtr parse_sum();
  ExprPtr parse_concat();
  ExprPtr parse_product();
  ExprPtr parse_power();
  ExprPtr parse_unary(bool filters);
  ExprPtr parse_name(bool namespaces);
  ExprPtr parse_list();
  ExprPtr parse_dict();
  ExprPtr parse_postfix(ExprPtr value);
  ExprPtr parse_subscript(ExprPtr value);
  ExprPtr parse_index(bool& slice, std::vector<ExprPtr>& parts);
  ExprPtr parse_filters_and_tests(ExprPtr value);
  ExprPtr parse_test(ExprPtr value);
  ExprPtr parse_call(ExprPtr callee);
  std::unique_ptr<CallArgs> parse_args();
  bool test_has_argument() const;

  ExprPtr make(Expr::Type type, int line, std::vector<ExprPtr> children = {});
  ExprPtr make_op(Expr::Type type, Op op, int line, ExprPtr left, ExprPtr right);
  ExprPtr constant(Value value, int line);
  void set_args(Expr& node, std::unique_ptr<CallArgs> args);
  void note_use(const std::string& name);
  void check_assignable(const Expr& target);
};

}  // namespace braid::jinja
