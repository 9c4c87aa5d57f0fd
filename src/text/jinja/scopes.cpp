#include "text/jinja/scopes.h"

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <map>
#include <set>

namespace braid::jinja {
namespace {

enum class Begins { kGiven, kOuter, kUnset };

// What is known of the names in one frame, in the order in which they appear. A branch of an if is
// an addition to the frame that it stands in.
struct Frame {
  const Frame* parent = nullptr;
  const Frame* base = nullptr;
  std::map<Name, Begins> names;
  std::set<Name> stored;

  bool owns(Name name) const {
    return names.count(name) != 0 || (base != nullptr && base->owns(name));
  }
  bool stores(Name name) const {
    return stored.count(name) != 0 || (base != nullptr && base->stores(name));
  }
  bool knows(Name name) const { return owns(name) || (parent != nullptr && parent->knows(name)); }
  void give(Name name) {
    stored.insert(name);
    names[name] = Begins::kGiven;
  }
  void store(Name name) {
    stored.insert(name);
    if (owns(name)) return;
    names[name] = parent != nullptr && parent->knows(name) ? Begins::kOuter : Begins::kUnset;
  }
  void load(Name name) {
    if (!knows(name)) names[name] = Begins::kOuter;
  }
};

void read(Frame& frame, const Expr* expr);

void read_args(Frame& frame, const CallArgs& args) {
  for (const ExprPtr& arg : args.positional) read(frame, arg.get());
  for (const auto& [key, arg] : args.named) read(frame, arg.get());
  read(frame, args.more_positional.get());
  read(frame, args.more_named.get());
}

void read(Frame& frame, const Expr* expr) {
  if (expr == nullptr) return;
  if (expr->type == Expr::Type::kName) frame.load(expr->name);
  for (const ExprPtr& child : expr->children) read(frame, child.get());
  if (expr->args) read_args(frame, *expr->args);
}

void write(Frame& frame, const Expr& target, bool given) {
  if (target.type == Expr::Type::kTuple) {
    for (const ExprPtr& item : target.children) write(frame, *item, given);
  } else if (target.type == Expr::Type::kNamespaceRef) {
    frame.load(target.name);
  } else if (given) {
    frame.give(target.name);
  } else {
    frame.store(target.name);
  }
}

void visit(Frame& frame, const Block& block);

// Each branch begins with what was known before; afterwards a name that only some of them set may
// still be the outer one.
void visit_branches(Frame& frame, const Stmt& statement) {
  std::map<Name, Begins> names;
  std::set<Name> stored;
  for (const Stmt::Branch& branch : statement.branches) {
    Frame inner{frame.parent, &frame, {}, {}};
    read(inner, branch.test.get());
    visit(inner, branch.block);
    names.merge(inner.names);
    stored.merge(inner.stored);
  }
  for (const Name name : stored) {
    if (!frame.stores(name)) names[name] = Begins::kOuter;
  }
  for (const auto& [name, begins] : names) {
    if (!frame.owns(name)) frame.names[name] = begins;
  }
  frame.stored.merge(stored);
}

void visit(Frame& frame, const Block& block) {
  for (const auto& statement : block) {
    switch (statement->type) {
      case Stmt::Type::kOutput:
      case Stmt::Type::kFor:
      case Stmt::Type::kCall:
      case Stmt::Type::kFilter:
        read(frame, statement->value.get());
        break;
      case Stmt::Type::kIf:
        visit_branches(frame, *statement);
        break;
      case Stmt::Type::kSet:
        read(frame, statement->value.get());
        write(frame, *statement->target, false);
        break;
      case Stmt::Type::kSetBlock:
        write(frame, *statement->target, false);
        break;
      case Stmt::Type::kMacro:
        frame.store(statement->name);
        break;
      case Stmt::Type::kWith:
        for (const auto& [target, value] : statement->withs) read(frame, value.get());
        break;
      default:
        break;
    }
  }
}

void close(const Frame& frame, Body& body);

// The frames of the statements inside, now that all of this one's names are known.
void descend(const Frame& frame, Block& block) {
  for (auto& statement : block) {
    for (Stmt::Branch& branch : statement->branches) descend(frame, branch.block);
    Frame inner{&frame, nullptr, {}, {}};
    if (statement->type == Stmt::Type::kFor) {
      write(inner, *statement->target, true);
      Frame otherwise{&frame, nullptr, {}, {}};
      visit(otherwise, statement->otherwise.block);
      close(otherwise, statement->otherwise);
    }
    for (const Name name : statement->parameters.names) inner.give(name);
    for (const ExprPtr& value : statement->parameters.defaults) read(inner, value.get());
    for (const auto& [target, value] : statement->withs) write(inner, *target, true);
    visit(inner, statement->body.block);
    close(inner, statement->body);
  }
}

void close(const Frame& frame, Body& body) {
  for (const auto& [name, begins] : frame.names) {
    if (begins == Begins::kUnset) body.unset.push_back(name);
  }
  descend(frame, body.block);
}

enum class First { kNothing, kRead, kSet };

// What is first done with a name, in the order in which the template has it.
class FirstUse {
 public:
  explicit FirstUse(Name name) : name_(name) {}

  First of(const Block& block) const {
    for (const auto& statement : block) {
      if (const First first = of(*statement); first != First::kNothing) return first;
    }
    return First::kNothing;
  }

 private:
  First of(const Expr* expr, First here = First::kRead) const {
    if (expr == nullptr) return First::kNothing;
    if (expr->type == Expr::Type::kName && expr->name == name_) return here;
    for (const ExprPtr& child : expr->children) {
      if (const First first = of(child.get(), here); first != First::kNothing) return first;
    }
    return expr->args ? of(*expr->args) : First::kNothing;
  }

  First of(const CallArgs& args) const {
    std::vector<const Expr*> all;
    for (const ExprPtr& arg : args.positional) all.push_back(arg.get());
    for (const auto& [key, arg] : args.named) all.push_back(arg.get());
    all.push_back(args.more_positional.get());
    all.push_back(args.more_named.get());
    return of_all(all);
  }

  First of_all(const std::vector<const Expr*>& exprs) const {
    for (const Expr* expr : exprs) {
      if (const First first = of(expr); first != First::kNothing) return first;
    }
    return First::kNothing;
  }

  First of(const Parameters& parameters) const {
    for (const Name name : parameters.names) {
      if (name == name_) return First::kSet;
    }
    std::vector<const Expr*> defaults;
    for (const ExprPtr& value : parameters.defaults) defaults.push_back(value.get());
    return of_all(defaults);
  }

  First of(const Stmt& statement) const {
    using Part = std::function<First()>;
    const bool filter = statement.type == Stmt::Type::kFilter;
    const Part value = [&] { return of(statement.value.get()); };
    for (const Part& part : std::initializer_list<Part>{
             [&] { return of(statement.target.get(), First::kSet); },
             [&] { return filter ? First::kNothing : value(); },
             [&] { return of(statement.parameters); },
             [&] { return of_branches(statement); },
             [&] { return of_withs(statement); },
             [&] { return of(statement.body.block); },
             [&] { return of(statement.otherwise.block); },
             [&] { return filter ? value() : First::kNothing; },
             [&] { return of(statement.test.get()); },
         }) {
      if (const First first = part(); first != First::kNothing) return first;
    }
    return First::kNothing;
  }

  First of_branches(const Stmt& statement) const {
    for (const Stmt::Branch& branch : statement.branches) {
      const First first = of(branch.test.get());
      if (first != First::kNothing) return first;
      if (const First inner = of(branch.block); inner != First::kNothing) return inner;
    }
    return First::kNothing;
  }

  First of_withs(const Stmt& statement) const {
    for (const auto& [target, value] : statement.withs) {
      if (const First first = of(target.get(), First::kSet); first != First::kNothing) return first;
    }
    for (const auto& [target, value] : statement.withs) {
      if (const First first = of(value.get()); first != First::kNothing) return first;
    }
    return First::kNothing;
  }

  Name name_;
};

}  // namespace

void find_self(Program& program) {
  const auto found = std::find(program.names.begin(), program.names.end(), "self");
  if (found == program.names.end()) return;
  const auto name = static_cast<Name>(found - program.names.begin());
  if (FirstUse(name).of(program.root.block) == First::kRead) program.self = name;
}

void find_unset_names(Program& program) {
  Frame root;
  if (program.self) root.give(*program.self);
  visit(root, program.root.block);
  close(root, program.root);
}

}  // namespace braid::jinja
