// The syntax tree of a template. Never changed once parsed; any number of renders read it at once.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/value.h"

namespace braid::jinja {

using Name = uint32_t;  // of a variable: its number in Program::names

struct Filter;
struct Test;
struct Expr;
struct Stmt;
using ExprPtr = std::unique_ptr<Expr>;
using Block = std::vector<std::unique_ptr<Stmt>>;

enum class Op : uint8_t {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kFloorDiv,
  kMod,
  kPow,
  kEq,
  kNe,
  kLt,
  kLe,
  kGt,
  kGe,
  kIn,
  kNotIn,
  kNot,
  kNeg,
  kPos,
};

struct CallArgs {
  std::vector<ExprPtr> positional;
  std::vector<std::pair<std::string, ExprPtr>> named;
  ExprPtr more_positional;  // *args
  ExprPtr more_named;       // **kwargs
};

struct Expr {
  enum class Type : uint8_t {
    kConst,
    kName,
    kNamespaceRef,  // ns.attribute as the target of a set: name, text
    kList,
    kTuple,
    kDict,    // children: key, value, key, value, ...
    kUnary,   // op
    kBinary,  // op
    kAnd,
    kOr,
    kConcat,
    kCompare,    // children[0] ops[0] children[1] ops[1] children[2] ...
    kCondition,  // children: test, value if true, value if false or null
    kAttribute,  // children[0].text
    kItem,       // children[0][children[1]]
    kSlice,      // children[0][children[1]:children[2]:children[3]], any of the last three null
    kCall,       // children[0](args)
    kFilter,     // children[0] (null in a filter block) | text(args)
    kTest,       // children[0] is text(args)
  };

  Type type;
  Op op = Op::kAdd;
  int line = 0;
  int height = 1;
  Name name = 0;
  Value constant;
  std::string text;
  std::vector<ExprPtr> children;
  std::vector<Op> ops;
  std::unique_ptr<CallArgs> args;
  const Filter* filter = nullptr;  // null when there is none of this name
  const Test* test = nullptr;
};

// Statements with variables of their own. `unset` are those that begin without a value even though
// the caller's context has one of that name, because the first thing done to them is a set.
struct Body {
  Block block;
  std::vector<Name> unset;
};

struct Parameters {
  std::vector<Name> names;
  std::vector<ExprPtr> defaults;  // of the last ones
  bool uses_caller = false;
  bool uses_varargs = false;
  bool uses_kwargs = false;
};

struct Stmt {
  enum class Type : uint8_t {
    kData,      // text
    kOutput,    // value
    kIf,        // branches
    kFor,       // target, value; test, recursive; body; otherwise
    kSet,       // target, value
    kSetBlock,  // target; value: the filters or null; body
    kMacro,     // name, parameters, body
    kCall,      // value: the call; parameters, body
    kFilter,    // value: the filters; body
    kWith,      // withs; body
    kGeneration,
    kBreak,
    kContinue,
    kRefused,  // text: why
  };
  struct Branch {
    ExprPtr test;  // null for else
    Block block;
  };

  Type type;
  int line = 0;
  Name name = 0;
  bool recursive = false;
  bool has_otherwise = false;
  std::string text;
  ExprPtr target, value, test;
  std::vector<Branch> branches;
  std::vector<std::pair<ExprPtr, ExprPtr>> withs;
  Parameters parameters;
  Body body, otherwise;
};

struct Program {
  std::string title;  // in messages
  std::vector<std::string> names;
  std::optional<Name> self;  // the name `self`, where it is the template itself
  Body root;
};

// Throws braid::Error with the template's title, the line and what is wrong.
[[noreturn]] void fail_at(std::string_view title, int line, std::string_view message);

}  // namespace braid::jinja
