// All that a forward pass may touch: where calls are recorded and where its scratch lies.
#pragma once

#include "base/arena.h"
#include "device/ops_table.h"
#include "device/program.h"

namespace braid {

struct Exec {
  const Ops& ops;
  Program& program;
  Arena& scratch;
};

}  // namespace braid
