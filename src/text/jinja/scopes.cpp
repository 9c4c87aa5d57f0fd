#include "text/jinja/scopes.h"

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

}  // namespace

void find_unset_names(Program& program) {
  Frame root;
  visit(root, program.root.block);
  close(root, program.root);
}

}  // namespace braid::jinja
