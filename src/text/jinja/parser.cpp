#include "text/jinja/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "format/printable.h"
#include "text/jinja/scopes.h"

namespace braid::jinja {
namespace {

using Type = Stmt::Type;
using TokenType = Token::Type;

constexpr int kMaxSyntaxNesting = 100;
constexpr size_t kMaxMessage = 1000;

std::string describe(const Token& token) {
  switch (token.type) {
    case TokenType::kData:
      return "text";
    case TokenType::kVariableBegin:
      return "'{{'";
    case TokenType::kVariableEnd:
      return "'}}'";
    case TokenType::kBlockBegin:
      return "'{%'";
    case TokenType::kBlockEnd:
      return "'%}'";
    case TokenType::kEnd:
      return "the end of the template";
    default:
      return fmt::format("'{}'", token.text);
  }
}

class Parser : public ExpressionParser {
 public:
  Parser(std::string_view title, std::vector<Token> tokens)
      : ExpressionParser(title, std::move(tokens)) {}

  Program run() {
    Program program;
    program.title = title_;
    program.root.block = parse_block({});
    if (!is(TokenType::kEnd)) fail_unexpected();
    refuse_unknown(0);
    program.names = std::move(names_);
    find_self(program);
    find_unset_names(program);
    return program;
  }

 private:
  using EndTags = std::initializer_list<std::string_view>;

  std::unique_ptr<Stmt> make(Type type, int line) {
    auto node = std::make_unique<Stmt>();
    node->type = type;
    node->line = line;
    return node;
  }

  // Statements up to one of the tags, whose name is then the current token.
  Block parse_block(EndTags end_tags) {
    const Deeper deeper(*this);
    Block block;
    while (!is(TokenType::kEnd)) {
      const int line = now().line;
      if (is(TokenType::kData)) {
        block.push_back(make(Type::kData, line));
        block.back()->text = take().text;
      } else if (is(TokenType::kVariableBegin)) {
        take();
        block.push_back(make(Type::kOutput, line));
        block.back()->value = parse_tuple({});
        expect(TokenType::kVariableEnd);
      } else {
        expect(TokenType::kBlockBegin);
        for (const std::string_view tag : end_tags) {
          if (is_name(tag)) return block;
        }
        parse_statement(block, end_tags);
        expect(TokenType::kBlockEnd);
      }
    }
    if (end_tags.size() != 0)
      fail(fmt::format("the template ends before '{}'", *std::rbegin(end_tags)));
    return block;
  }

  // After a tag's own words: its block, up to one of the end tags.
  Block parse_body(EndTags end_tags) {
    skip_op(":");
    expect(TokenType::kBlockEnd);
    return parse_block(end_tags);
  }

  void parse_closed_body(Body& body, std::string_view end_tag) {
    body.block = parse_body({end_tag});
    take();
  }

  void expect(TokenType type) {
    if (!is(type))
      fail(fmt::format("expected {}, got {}", describe({type, 0, ""}), describe(now())));
    take();
  }

  void parse_statement(Block& block, EndTags end_tags) {
    const int line = now().line;
    const std::string tag = expect_name();
    if (tag == "print") return parse_print(block, line);
    if (std::unique_ptr<Stmt> statement = parse_tag(tag, line)) {
      block.push_back(std::move(statement));
      return;
    }
    std::string wanted;
    for (const std::string_view end : end_tags) wanted += fmt::format(" or '{}'", end);
    fail_at(title_, line,
            fmt::format("unknown tag '{}'{}", tag,
                        wanted.empty() ? "" : "; expected here:" + wanted.substr(3)));
  }

  std::unique_ptr<Stmt> parse_tag(const std::string& tag, int line) {
    if (tag == "for") return parse_for(line);
    if (tag == "if") return parse_if(line);
    if (tag == "set") return parse_set(line);
    if (tag == "macro") return parse_macro(line);
    if (tag == "call") return parse_call_block(line);
    if (tag == "filter") return parse_filter_block(line);
    if (tag == "with") return parse_with(line);
    if (tag == "generation") return parse_generation(line);
    if (tag == "break" || tag == "continue") {
      if (loop_depth_ == 0) fail_at(title_, line, fmt::format("'{}' outside of a loop", tag));
      return make(tag == "break" ? Type::kBreak : Type::kContinue, line);
    }
    if (tag == "include" || tag == "import" || tag == "from" || tag == "extends") {
      return parse_refused(tag, line);
    }
    if (tag == "block" || tag == "autoescape") {
      fail_at(title_, line, fmt::format("the tag '{}' is not supported in chat templates", tag));
    }
    return nullptr;
  }

  // A template of its own has none beside it to load: jinja2 says so when it gets there, so do we.
  std::unique_ptr<Stmt> parse_refused(const std::string& tag, int line) {
    while (!is(TokenType::kBlockEnd) && !is(TokenType::kEnd)) take();
    auto node = make(Type::kRefused, line);
    node->text = fmt::format("'{}' is refused: a chat template cannot load other templates", tag);
    return node;
  }

  void parse_print(Block& block, int line) {
    for (bool first = true; !is(TokenType::kBlockEnd); first = false) {
      if (!first) expect_op(",");
      block.push_back(make(Type::kOutput, line));
      block.back()->value = parse_expression();
    }
  }

  // What stands in a frame of its own is not "in an if" any more (see unknown_).
  template <class Parse>
  void in_frame(const Parse& parse_inner) {
    const size_t from = unknown_.size();
    parse_inner();
    refuse_unknown(from);
  }

  std::unique_ptr<Stmt> parse_for(int line) {
    auto node = make(Type::kFor, line);
    ++for_depth_;
    node->target = parse_target("in", false);
    --for_depth_;
    if (!skip_name("in")) fail_unexpected();
    node->value = parse_tuple({.conditions = false, .end_name = "recursive"});
    in_frame([&] {
      if (skip_name("if")) node->test = parse_expression();
      node->recursive = skip_name("recursive");
      ++for_depth_;
      ++loop_depth_;
      node->body.block = parse_body({"else", "endfor"});
      --loop_depth_;
      node->has_otherwise = is_name("else");
      take();
      if (node->has_otherwise) parse_closed_body(node->otherwise, "endfor");
      --for_depth_;
    });
    return node;
  }

  std::unique_ptr<Stmt> parse_if(int line) {
    auto node = make(Type::kIf, line);
    const size_t from = unknown_.size();
    std::string tag = "elif";
    while (tag == "elif") {
      Stmt::Branch& branch = node->branches.emplace_back();
      branch.test = parse_tuple({.conditions = false});
      branch.block = parse_body({"elif", "else", "endif"});
      tag = take().text;
    }
    if (tag == "else") {
      node->branches.emplace_back().block = parse_body({"endif"});
      take();
    }
    unknown_.resize(from);
    return node;
  }

  std::unique_ptr<Stmt> parse_set(int line) {
    ExprPtr target = parse_target({}, true);
    if (skip_op("=")) {
      auto node = make(Type::kSet, line);
      node->target = std::move(target);
      node->value = parse_tuple({});
      return node;
    }
    auto node = make(Type::kSetBlock, line);
    node->target = std::move(target);
    in_frame([&] {
      node->value = parse_filters(nullptr);
      parse_closed_body(node->body, "endset");
    });
    return node;
  }

  void parse_signature(Parameters& parameters) {
    expect_op("(");
    while (!is_op(")")) {
      if (!parameters.names.empty()) expect_op(",");
      const std::string name = expect_name();
      macros_.back().set.push_back(name);
      if (std::find(parameters.names.begin(), parameters.names.end(), name_of(name)) !=
          parameters.names.end()) {
        fail(fmt::format("parameter '{}' is given twice", name));
      }
      parameters.names.push_back(name_of(name));
      if (skip_op("=")) {
        parameters.defaults.push_back(parse_expression());
      } else if (!parameters.defaults.empty()) {
        fail("a parameter without a default follows one with a default");
      }
    }
    expect_op(")");
  }

  // The body of a macro or call block: a function, in which the loops around do not count.
  void parse_function(Stmt& node, std::string_view end_tag) {
    const int loops = std::exchange(loop_depth_, 0);
    parse_closed_body(node.body, end_tag);
    loop_depth_ = loops;
    const MacroUse& use = macros_.back();
    const auto& names = node.parameters.names;
    const auto is_parameter = [&](const std::string& name) {
      return std::find(names.begin(), names.end(), name_of(name)) != names.end();
    };
    node.parameters.uses_caller = use.caller && !is_parameter("caller");
    node.parameters.uses_varargs = use.varargs && !is_parameter("varargs");
    node.parameters.uses_kwargs = use.kwargs && !is_parameter("kwargs");
    macros_.pop_back();
  }

  std::unique_ptr<Stmt> parse_macro(int line) {
    auto node = make(Type::kMacro, line);
    node->text = expect_name();
    node->name = name_of(node->text);
    for (MacroUse& macro : macros_) macro.set.push_back(node->text);
    in_frame([&] {
      macros_.emplace_back();
      parse_signature(node->parameters);
      parse_function(*node, "endmacro");
    });
    return node;
  }

  std::unique_ptr<Stmt> parse_call_block(int line) {
    auto node = make(Type::kCall, line);
    macros_.emplace_back();
    in_frame([&] {
      if (is_op("(")) parse_signature(node->parameters);
    });
    MacroUse use = std::move(macros_.back());
    macros_.pop_back();
    node->value = parse_expression();
    if (node->value->type != Expr::Type::kCall)
      fail_at(title_, line, "a call should follow 'call'");
    in_frame([&] {
      macros_.push_back(std::move(use));
      parse_function(*node, "endcall");
    });
    return node;
  }

  std::unique_ptr<Stmt> parse_generation(int line) {
    auto node = make(Type::kGeneration, line);
    in_frame([&] {
      macros_.emplace_back();
      parse_function(*node, "endgeneration");
    });
    return node;
  }

  std::unique_ptr<Stmt> parse_filter_block(int line) {
    auto node = make(Type::kFilter, line);
    in_frame([&] {
      node->value = parse_filters(nullptr, true);
      parse_closed_body(node->body, "endfilter");
    });
    return node;
  }

  std::unique_ptr<Stmt> parse_with(int line) {
    auto node = make(Type::kWith, line);
    while (!is(TokenType::kBlockEnd)) {
      if (!node->withs.empty()) expect_op(",");
      ExprPtr target = parse_target({}, false);
      expect_op("=");
      node->withs.emplace_back(std::move(target), parse_expression());
    }
    in_frame([&] { parse_closed_body(node->body, "endwith"); });
    return node;
  }

  int loop_depth_ = 0;  // how many loops a break could end
};

}  // namespace

bool ParserBase::skip_name(std::string_view name) {
  if (!is_name(name)) return false;
  take();
  return true;
}

bool ParserBase::skip_op(std::string_view op) {
  if (!is_op(op)) return false;
  take();
  return true;
}

std::string ParserBase::expect_name() {
  if (!is(TokenType::kName)) fail(fmt::format("expected a name, got {}", describe(now())));
  return take().text;
}

void ParserBase::expect_op(std::string_view op) {
  if (!skip_op(op)) fail(fmt::format("expected '{}', got {}", op, describe(now())));
}

void ParserBase::fail_unexpected() const { fail(fmt::format("unexpected {}", describe(now()))); }

Name ParserBase::name_of(const std::string& text) {
  const auto [entry, added] = name_numbers_.emplace(text, static_cast<Name>(names_.size()));
  if (added) names_.push_back(text);
  return entry->second;
}

ParserBase::Deeper::Deeper(ParserBase& parser) : parser_(parser) {
  if (++parser_.depth_ > kMaxSyntaxNesting) {
    parser_.fail(fmt::format("nested more than {} deep", kMaxSyntaxNesting));
  }
}

void fail_at(std::string_view title, int line, std::string_view message) {
  braid::fail("{}, line {}: {}", title, line, printable(message, kMaxMessage));
}

Program parse(std::string_view title, std::string_view source, const Limits& limits) {
  if (source.size() > limits.source_bytes) {
    braid::fail("{}: {} bytes, at most {} are taken", title, source.size(), limits.source_bytes);
  }
  if (!is_utf8(source)) braid::fail("{}: the text is not valid UTF-8", title);
  return Parser(std::string(title), tokenize(title, source)).run();
}

}  // namespace braid::jinja
