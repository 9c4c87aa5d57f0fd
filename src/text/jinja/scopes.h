// Which variables of a block begin without a value, and whether `self` is the template.
//
// jinja2 decides when it compiles a template where each name lives. A name that a block sets before
// it reads it is the block's own from the beginning: until it is set it has no value, whatever the
// caller's context holds under that name. Everything else follows from looking names up when they
// are needed, innermost block first.
#pragma once

#include "text/jinja/ast.h"

namespace braid::jinja {

void find_unset_names(Program& program);

// Sets Program::self. The name stands for the template itself, whatever the caller's context holds
// under it, unless the first thing that the template does with it is to set it.
void find_self(Program& program);

}  // namespace braid::jinja
