// --print-options: every option of a command, its value, and who set it.
#pragma once

#include "tools/settings.h"

#include <CLI/CLI.hpp>

#include <span>
#include <string>

namespace braid {

// After `command` has parsed `settings` and what the user typed.
std::string options_text(const CLI::App& command, std::span<const Setting> settings);

}  // namespace braid
