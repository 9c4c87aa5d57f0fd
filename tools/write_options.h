// What a command line says about answers: run, chat, the server.
#pragma once

#include "tools/generation.h"

#include <CLI/CLI.hpp>

namespace braid {

struct WriteFlags {
  WriteOptions write;
  bool ignore_ends = false;  // see ban_ends
};

// -n, -r, --ignore-eos, --special
void add_write_options(CLI::App& command, WriteFlags& flags);

}  // namespace braid
